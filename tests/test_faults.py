"""Faults, injected for real: training is not changed, one warning, what was written stays.

Every test here is a row of docs/faults.md.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

import keras_shiftguard as sg
from keras_shiftguard.resume import kept_state
from keras_shiftguard.statistics.stream import Stream

backend = pytest.mark.backend
BACKEND = keras.backend.backend()
EPOCHS = 3
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 6)).astype("float32"), RNG.integers(0, 3, 64)
TARGET = RNG.normal(size=(96, 6)).astype("float32")
NOBODY = 65534


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def new_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Tracing a step takes seconds, running it once milliseconds; JAX must compile anyhow.
    model.compile("adam", loss, run_eagerly=BACKEND == "tensorflow")
    return model


def run(model, callbacks, x=X, **kwargs):
    kwargs = {"epochs": EPOCHS, "validation_data": (x[:32], Y[:32]), **kwargs}
    return model.fit(
        x, Y, batch_size=32, callbacks=list(callbacks), shuffle=False, verbose=0, **kwargs
    )


def numbers(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def unwatched():
    model = new_model()
    run(model, [])
    return numbers(model)


def watched(*callbacks, x=X):
    """A fit with some callbacks: its numbers, and what was warned of."""
    model = new_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(model, callbacks, x)
    return numbers(model), [str(w.message) for w in caught if w.category is sg.ShiftWarning]


def quiet(**arguments):
    return sg.ShiftGuard(verbose=0, **{"on_shift": "ignore", **arguments})


class After(keras.callbacks.Callback):
    """Does something once, when the first epoch is over; the guard came before."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.what()


def records(log_dir):
    """Every whole record of the log."""
    (path,) = (log_dir / "shiftguard").iterdir()
    return list(RawEventFileLoader(str(path)).Load())


def opened_event_file(log_dir):
    """The descriptor with which this process holds the event file open."""
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith(str(log_dir)) and "tfevents" in target:
            return int(fd)
    raise AssertionError("no event file is open")


# --- the log --------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 512 KiB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here; the limit on file sizes is tested")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def check_log(log_dir, before, told, weights, unwatched, guard, words="cannot write"):
    assert same(weights, unwatched)
    assert len(told) == 1 and words in told[0]
    assert guard.profiles["train"].num_samples == len(X)  # watching went on
    if before is not None:
        assert len(before) > 10 and records(log_dir)[: len(before)] == before
        assert json.loads((log_dir / "report.json").read_text())["shifted"] is False
        assert kept_state(log_dir, 1)["batches"]["train"] == 2


def test_the_disk_is_full(small_disk, unwatched):
    log_dir, before = small_disk / "logs", []

    def fill():
        before.extend(records(log_dir))
        with pytest.raises(OSError), (small_disk / "filling").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    guard = quiet(log_dir=log_dir)
    weights, told = watched(guard, After(fill))
    check_log(log_dir, before, told, weights, unwatched, guard)


def test_no_file_may_grow(tmp_path, unwatched):
    """The same where nothing can be mounted: a record is cut off in the middle."""
    before, (soft, hard) = [], resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit():
        before.extend(records(tmp_path))
        size = os.fstat(opened_event_file(tmp_path)).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))

    guard = quiet(log_dir=tmp_path)
    try:
        weights, told = watched(guard, After(limit))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_log(tmp_path, before, told, weights, unwatched, guard)


def test_the_disk_is_full_from_the_start(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    model = new_model()
    start = numbers(model)
    try:
        with pytest.raises(sg.BadInputError, match="log_dir"):
            run(model, [quiet(log_dir=tmp_path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(numbers(model)[: len(start)], start)


def test_the_log_directory_is_deleted(tmp_path, unwatched):
    log_dir = tmp_path / "logs"
    guard = quiet(log_dir=log_dir)
    weights, told = watched(guard, After(lambda: shutil.rmtree(log_dir)))
    check_log(log_dir, None, told, weights, unwatched, guard)
    assert not log_dir.exists()  # who deleted it meant it


def test_the_log_directory_becomes_read_only(tmp_path, unwatched):
    before = []

    def forbid():
        before.extend(records(tmp_path))
        tmp_path.chmod(0o555)
        if root:  # who is root writes anyway
            os.seteuid(NOBODY)

    root = os.geteuid() == 0
    guard = quiet(log_dir=tmp_path)
    try:
        weights, told = watched(guard, After(forbid))
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)
    check_log(tmp_path, before, told, weights, unwatched, guard)


def test_the_event_writer_dies(tmp_path, unwatched):
    before = []

    def die():
        before.extend(records(tmp_path))
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, opened_event_file(tmp_path))  # nobody is at the other end
        os.close(writer)

    guard = quiet(log_dir=tmp_path)
    weights, told = watched(guard, After(die))
    check_log(tmp_path, before, told, weights, unwatched, guard)


# --- what the user passed -------------------------------------------------


def damaged(path, how):
    sg.profile(X).save(path)
    whole = path.read_bytes()
    half = len(whole) // 2
    changed = {
        "cut off": whole[:half],
        "empty": b"",
        "no profile": b"These are not the numbers you are looking for.",
        "a byte in the middle": whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :],
    }
    path.write_bytes(changed[how])
    return path


@pytest.mark.parametrize("how", ["cut off", "empty", "no profile", "a byte in the middle"])
def test_the_reference_profile_is_damaged(how, tmp_path, unwatched):
    guard = quiet(reference=damaged(tmp_path / "train.profile", how), log_dir=tmp_path / "logs")
    weights, told = watched(guard)
    assert same(weights, unwatched)
    assert len(told) == 1 and "reference" in told[0] and "train.profile" in told[0]
    assert guard.report is not None and set(guard.profiles) == {"train", "validation"}
    assert len(records(tmp_path / "logs")) > 10


class Failing(keras.utils.PyDataset):
    """A target of three batches whose source breaks down after a few of them."""

    def __init__(self, good):
        super().__init__()
        self.good = good

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.good -= 1
        if self.good < 0:
            raise ConnectionError("the storage is gone")
        return TARGET[32 * index : 32 * (index + 1)]


# While it is measured; when the model is asked for the first time; in the second epoch.
@backend
@pytest.mark.parametrize("good", [2, 3, 8])
def test_the_target_raises(good, unwatched):
    if BACKEND != "tensorflow" and good == 2:
        pytest.skip("it is read before any backend is in play")
    guard = quiet(target_data=Failing(good))
    weights, told = watched(guard)
    assert same(weights, unwatched)
    assert len(told) == 1 and "the storage is gone" in told[0] and "target" in told[0]
    assert guard.report.num_samples["train"] == len(X)  # the rest is watched as ever
    assert guard.profiles["train"].num_samples == len(X)


def test_the_target_raises_where_training_is_adapted_to_it():
    guard = quiet(target_data=Failing(2), adapt=("augmentation", "batch_norm"))
    _, told = watched(guard)
    assert len(told) == 1 and "the storage is gone" in told[0]
    assert guard.batch_norm is None


# --- the data -------------------------------------------------------------


@backend
def test_nan_and_infinity_from_some_step_on():
    x = X.copy()
    x[40:, 0], x[50:, 1] = np.nan, np.inf
    model = new_model()
    run(model, [], x)
    guard = quiet(on_shift="warn")
    weights, told = watched(guard, x=x)
    assert same(weights, numbers(model))
    assert len(told) == 1 and "missing or not finite" in told[0]
    train = guard.profiles["train"].inputs["input"]
    assert (train.num_samples, train.nonfinite_samples) == (64, 24)
    assert np.isfinite(train.mean).all()


@backend
@pytest.mark.parametrize("shape", [(2, 2, 3), (3, 8, 8, 3)], ids=["four pixels", "video"])
def test_unusual_inputs_are_watched(shape):
    if BACKEND == "jax" and len(shape) == 3:
        pytest.skip("few pixels are of no interest to the step")
    x = np.random.default_rng(1).random((64, *shape)).astype("float32")

    def new():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, run_eagerly=BACKEND == "tensorflow")
        return model

    plain, model, guard = new(), new(), quiet(on_mismatch="ignore")
    run(plain, [], x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.ShiftWarning)
        run(model, [guard], x)
    assert same(numbers(model), numbers(plain))
    assert guard.profiles["train"].inputs["input"].num_samples == len(x)
    assert guard.report.num_samples["validation"] == 32  # the last epoch was looked at


# --- the guard itself -----------------------------------------------------


class Subclassed(keras.Model):
    """Keras builds it when it traces the first step, and so the guard its statistics."""

    def __init__(self):
        super().__init__()
        self.flat, self.dense = layers.Flatten(), layers.Dense(3)

    def call(self, x):
        return self.dense(self.flat(x))


@backend
@pytest.mark.parametrize(
    "fails, subclassed", [("build", True), ("build", False), ("update_state", True)]
)
def test_the_guard_cannot_be_set_up(fails, subclassed, monkeypatch):
    """Before the fit, or inside the step while it is traced: said once, and training goes on."""
    if BACKEND != "tensorflow" and not subclassed:
        pytest.skip("only on TensorFlow does Keras wait for the step to build a model")

    def explode(*args, **kwargs):
        raise MemoryError("no room for the statistics")

    x = np.random.default_rng(1).random((64, 8, 8, 3)).astype("float32")

    def new():
        keras.utils.set_random_seed(0)
        dense = [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)]
        model = Subclassed() if subclassed else keras.Sequential(dense)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)
        return model

    plain, model = new(), new()
    run(plain, [], x)
    with monkeypatch.context() as broken, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        broken.setattr(Stream, fails, explode)
        history = run(model, [quiet(adapt=True)], x)
    told = [str(w.message) for w in caught if w.category is sg.ShiftWarning]
    assert len(told) == 1 and "no room for the statistics" in told[0]
    assert len(history.history["val_loss"]) == EPOCHS
    assert same(numbers(model), numbers(plain))
    assert not {"train_step", "test_step"} & set(vars(model))
    guard = quiet()  # nothing is left that would stand in another one's way
    run(model, [guard], x, epochs=1)
    assert guard.profiles["train"].num_samples == len(x)


# --- the user's own code --------------------------------------------------


class Stop(keras.callbacks.Callback):
    """Ends the fit at one hook of the second epoch, or at the first one there is."""

    def __init__(self, hook, how):
        super().__init__()
        self.how, self.epoch = how, 0
        once = hook in ("on_train_begin", "on_train_end")

        def stop(*args, **kwargs):
            if once or self.epoch == 1:
                how()

        setattr(self, hook, stop)
        self.begins = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin)

    def _begin(self, epoch, logs):
        self.epoch = epoch


def interrupt():
    signal.raise_signal(signal.SIGINT)  # as Ctrl-C


def fail():
    raise ZeroDivisionError("the user's own")


HOOKS = [
    *("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"),
    *("on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"),
    *("on_epoch_end", "on_train_end"),
]


@backend
@pytest.mark.parametrize(
    "hook, how", [*((hook, interrupt) for hook in HOOKS), *((hook, fail) for hook in HOOKS[::3])]
)
def test_the_fit_is_ended_at_a_hook(hook, how, tmp_path):
    if BACKEND != "tensorflow" and (
        how is fail or hook not in ("on_train_batch_end", "on_test_end")
    ):
        pytest.skip("hooks are called by Keras alike on every backend")
    error = KeyboardInterrupt if how is interrupt else ZeroDivisionError

    def ended(*watchers):
        model, stop = new_model(), Stop(hook, how)
        with pytest.raises(error):
            run(model, [stop.begins, *watchers, stop], epochs=2)
        return model

    plain = ended()
    guard = quiet(log_dir=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.ShiftWarning)  # nothing of ours is to be told
        model = ended(guard)
    assert same(numbers(model), numbers(plain))
    assert len(records(tmp_path)) >= (1 if hook == "on_train_begin" else 10)
    guard.detach()
    assert not {"train_step", "test_step"} & set(vars(model))
    # The model goes on as one that was never watched.
    for each in (plain, model):
        keras.utils.set_random_seed(1)  # PyTorch's dropout has no seed of its own
        run(each, [], epochs=1)
    assert same(numbers(model), numbers(plain))


class Statistic(keras.metrics.Mean):
    """A statistic of the user's whose result, asked for by the guard, is one thing more."""

    def __init__(self, act, **kwargs):
        super().__init__(**kwargs)
        self.act = act

    def get_config(self):
        return {**super().get_config(), "act": self.act}

    def update_state(self, x):
        super().update_state(x)

    def result(self):
        self.act()
        return super().result()


def test_an_interrupt_inside_the_guard(tmp_path):
    model, guard = new_model(), quiet(statistics=[Statistic(interrupt)], log_dir=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(model, [guard])
    guard.detach()
    plain = new_model()
    run(plain, [], epochs=1, validation_data=None)  # it ended in the middle of the first epoch
    assert same(numbers(model), numbers(plain))
    assert len(records(tmp_path)) >= 1


def test_memory_runs_out_in_the_analysis(tmp_path, unwatched):
    """A real `MemoryError`: no machine has room for this array."""
    left = [2]

    def allocate():
        left[0] -= 1
        if left[0] < 0:
            np.ones(2**50)

    guard = quiet(statistics=[Statistic(allocate)], log_dir=tmp_path)
    weights, told = watched(guard)
    assert same(weights, unwatched)
    assert len(told) == 1 and "MemoryError" in told[0] and "Training is not affected" in told[0]
    assert len(records(tmp_path)) > 10
    assert kept_state(tmp_path, 1)["batches"]["train"] == 2

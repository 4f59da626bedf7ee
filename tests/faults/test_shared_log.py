"""Guards that write to one `log_dir` at the same time: nobody loses a log, and all are told."""

import json
import threading

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

import keras_shiftguard as sg
from keras_shiftguard.log.resume import read_epoch_state

pytestmark = pytest.mark.eager
EPOCHS = 3


def fit(log_dir, is_ready=lambda: None):
    """Fits a small model with a guard."""
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 64)
    flat = keras.layers.Flatten()
    model = keras.Sequential([keras.Input((8, 8, 3)), flat, keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=keras.backend.backend() == "tensorflow")
    guard = sg.ShiftGuard(log_dir=log_dir, log_samples=4, verbose=0, on_shift="ignore")
    is_ready()
    model.fit(
        *(x, y),
        batch_size=32,
        epochs=EPOCHS,
        validation_data=(x[:32], y[:32]),
        callbacks=[guard],
        verbose=0,
    )


def num_records(log_dir):
    """Returns how many records each event file has."""
    files = (log_dir / "shiftguard").glob("events*")
    return [len(list(RawEventFileLoader(str(path)).Load())) for path in files]


def check_log(log_dir, fits, alone):
    assert num_records(log_dir) == [alone] * fits
    for name in ("report", "diagnosis", "shift", "shiftguard/samples/index"):
        json.loads((log_dir / f"{name}.json").read_text())
    assert (log_dir / "shift.html").read_text().rstrip().endswith("</html>")
    assert read_epoch_state(log_dir, EPOCHS) is not None
    for picture in log_dir.rglob("*.png"):
        assert picture.read_bytes().endswith(b"IEND\xaeB`\x82")
    assert not [path for path in log_dir.rglob(".*")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The number of records of a fit that has a directory of its own."""
    log_dir = tmp_path_factory.mktemp("alone")
    fit(log_dir)
    (number,) = num_records(log_dir)
    return number


def test_three_guards_in_threads(tmp_path, alone):
    begin = threading.Barrier(3)
    with pytest.warns(sg.ShiftWarning) as caught:
        fits = [threading.Thread(target=fit, args=(tmp_path, begin.wait)) for _ in range(3)]
        for each in fits:
            each.start()
        for each in fits:
            each.join()
    check_log(tmp_path, 3, alone)
    told = {str(each.message) for each in caught if each.category is sg.ShiftWarning}
    assert all("Another ShiftGuard writes to log_dir" in each for each in told)


def test_one_fit_after_another_is_no_other_guard(tmp_path, alone):
    for _ in range(2):
        fit(tmp_path)  # a warning would be an error
    check_log(tmp_path, 2, alone)

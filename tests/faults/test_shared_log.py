"""Guards that write to one `log_dir` at the same time: nobody loses a log, and all are told."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from faults.shared_log import EPOCHS, fit
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

import keras_shiftguard as sg
from keras_shiftguard.log.resume import read_epoch_state

pytestmark = pytest.mark.eager

PROGRAM = Path(__file__).with_name("shared_log.py")


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


@pytest.mark.thorough
def test_four_guards_in_containers(tmp_path, alone):
    command = [sys.executable, str(PROGRAM), str(tmp_path / "logs"), "--fits", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "any more" not in done.stderr
    assert "Another ShiftGuard writes to log_dir" in done.stderr
    check_log(tmp_path / "logs", 4, alone)


def test_one_fit_after_another_is_no_other_guard(tmp_path, alone):
    for _ in range(2):
        fit(tmp_path)  # a warning would be an error
    check_log(tmp_path, 2, alone)

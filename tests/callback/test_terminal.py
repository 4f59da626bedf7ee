"""The terminal output of a guard in a fit: few lines, none twice, none behind a progress bar."""

import io
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_fits import dense

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard.terminal import say

pytestmark = pytest.mark.eager

BAR = re.compile(r"[█━]")  # a character of Keras's progress bar
DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 4, 600)  # of images of 4 classes that differ in brightness
LEVEL = (0.4 + 0.2 * LABELS)[:, None, None, None]
IMAGES = (LEVEL * DRAW.uniform(0, 1, (600, 8, 8, 3))).astype("float32")


def fitted(x=IMAGES, scale=1, train=slice(400), validation=slice(400, 600), epochs=1, **guard):
    """Fits a classifier under a guard, with a progress bar, and returns the guard."""
    guard, model = sg.ShiftGuard(**guard), dense(x.shape[1:], 4, rate=1e-3)
    data = scale * x[validation], LABELS[validation]
    model.fit(x[train], LABELS[train], validation_data=data, epochs=epochs, callbacks=[guard])
    return guard


def own_lines(capsys):
    """Returns the lines on the terminal that Keras did not print."""
    lines = [line for line in re.split(r"[\n\r]", capsys.readouterr().out) if line.strip()]
    return [line for line in lines if not BAR.search(line) and not line.startswith("Epoch")]


def test_a_healthy_fit_prints_one_line(capsys):
    fitted(epochs=2)
    (line,) = own_lines(capsys)
    assert line.startswith("ShiftGuard: Fine.") and "trains the model on images from 0 to 1" in line


class Recorded(keras.callbacks.Callback):
    """Records `val_shift` as a callback after the guard sees it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs["val_shift"])


@pytest.mark.parametrize("verbose", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_keras_prints_the_shift_only_where_there_is_one(capsys, verbose):
    for scale in (1, 255):
        model, later = dense(IMAGES.shape[1:], 4, rate=1e-3), Recorded()
        data = scale * IMAGES[400:], LABELS[400:]
        callbacks = [sg.ShiftGuard(on_shift="ignore"), later]
        more = {"validation_data": data, "epochs": 2, "callbacks": callbacks, "verbose": verbose}
        history = model.fit(IMAGES[:400], LABELS[:400], **more).history
        out = capsys.readouterr().out
        assert ("val_shift: " in out) == (" shift: " in out) == (scale == 255)
        assert "val_loss: " in out
        assert history["val_shift"] == later.seen and len(later.seen) == 2
        assert any(later.seen) == (scale == 255)


def test_a_table_hears_nothing_about_preprocessing(capsys):
    fitted(IMAGES.reshape(600, -1)[:, :6])
    assert own_lines(capsys) == ["ShiftGuard: Fine. Validation looks like training."]


def test_too_few_samples_are_said_once(capsys):
    guard = fitted(train=slice(8), validation=slice(8, 16), epochs=3)
    said = own_lines(capsys)
    assert "".join(said).count("too few samples") == 1
    assert said[0].startswith("ShiftGuard: Nothing compared.")
    assert sum(note.startswith("not enough samples yet") for note in guard.report.notes) == 2


def test_a_warning_stands_on_a_line_of_its_own_and_the_verdict_is_last(capsys):
    with pytest.warns(ShiftWarning, match="255 times as large") as warned:
        guard = fitted(scale=255)
    assert sum(each.category is ShiftWarning for each in warned) == 1
    out = capsys.readouterr().out
    # The line ends after the bar of the last batch. The warning follows, and then the bar again.
    assert re.search(r"━[^\n]*loss[^\n]*\n[^\n]*val_loss", out)
    assert out.rstrip().endswith(str(guard.verdict)) and guard.verdict.state == "act"


def test_characters_that_the_output_does_not_take_are_replaced(monkeypatch):
    """A name or path of the user may hold any character, and a log file may be in ASCII."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", output)
        say("attached to größe.keras")
    assert output.buffer.getvalue() == b"attached to gr??e.keras\n"


def test_a_closed_output_does_not_end_a_fit(monkeypatch):
    """A service may run without a standard output."""
    output = io.StringIO()
    output.close()
    model, guard = dense((8, 8, 3), 4), sg.ShiftGuard()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", output)
        model.fit(IMAGES, LABELS, callbacks=[guard], verbose=0)
    assert guard.profiles["train"].num_samples == 600


@pytest.mark.thorough
def test_a_warning_has_no_file_and_line_before_it():
    code = "from keras_shiftguard.errors import warn; warn('one thing'); warn('another')"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    said = done.stderr.decode().splitlines()
    assert "one thing" in said and "another" in said

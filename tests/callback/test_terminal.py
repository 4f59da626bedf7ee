"""The terminal output of a guard in a fit: few lines, none twice, none behind a progress bar."""

import io
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard.terminal import say

pytestmark = pytest.mark.eager

BAR = re.compile(r"[█━]")  # a character of Keras's progress bar


@pytest.fixture
def images():
    """Images of 4 classes that differ in brightness, with labels: (600, 8, 8, 3)."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, 600)
    level = (0.4 + 0.2 * labels)[:, None, None, None]
    return (level * draw.uniform(0, 1, (600, 8, 8, 3))).astype("float32"), labels


def classifier(shape):
    """A small compiled classifier of 4 classes."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def lines_of(capsys):
    """Returns the lines on the terminal; a progress bar that is drawn again counts as a line."""
    return [line for line in re.split(r"[\n\r]", capsys.readouterr().out) if line.strip()]


def own_lines(lines):
    """Returns the lines that Keras did not print."""
    return [line for line in lines if not BAR.search(line) and not line.startswith("Epoch")]


def test_a_healthy_fit_prints_one_line(images, capsys):
    x, y = images
    data = (x[400:], y[400:])
    classifier((8, 8, 3)).fit(
        x[:400], y[:400], validation_data=data, epochs=2, callbacks=[sg.ShiftGuard()], verbose=1
    )
    said = own_lines(lines_of(capsys))
    assert said == [
        "ShiftGuard: Fine. Validation looks like training; the model is trained here on 0 to 1."
    ]


def test_a_table_hears_nothing_about_preprocessing(images, capsys):
    x, y = images
    table = x.reshape(600, -1)[:, :6]
    data = (table[400:], y[400:])
    classifier((6,)).fit(
        table[:400], y[:400], validation_data=data, callbacks=[sg.ShiftGuard()], verbose=1
    )
    said = own_lines(lines_of(capsys))
    assert said == ["ShiftGuard: Fine. Validation looks like training."]


def test_too_few_samples_are_said_once(images, capsys):
    x, y = images
    data = (x[8:16], y[8:16])
    guard = sg.ShiftGuard()
    model = classifier((8, 8, 3))
    model.fit(x[:8], y[:8], validation_data=data, epochs=3, callbacks=[guard], verbose=1)
    said = own_lines(lines_of(capsys))
    assert "".join(said).count("too few samples") == 1
    assert said[0] == "ShiftGuard: Nothing compared. There are too few samples to tell."
    assert sum(note.startswith("not enough samples yet") for note in guard.report.notes) == 2


def test_a_warning_stands_on_a_line_of_its_own_and_the_verdict_is_last(images, capsys):
    x, y = images
    data = (255 * x[400:], y[400:])
    with pytest.warns(ShiftWarning, match="255 times as large") as warned:
        guard = sg.ShiftGuard()
        model = classifier((8, 8, 3))
        model.fit(x[:400], y[:400], validation_data=data, callbacks=[guard], verbose=1)
    assert sum(each.category is ShiftWarning for each in warned) == 1
    out = capsys.readouterr().out
    # The line ends after the bar of the last batch. The warning follows, and then the bar again.
    assert re.search(r"━[^\n]*loss[^\n]*\n[^\n]*val_loss", out)
    assert out.rstrip().endswith(str(guard.verdict)) and guard.verdict.state == "act"


def test_what_was_ignored_is_listed_at_the_end(images, capsys):
    x, y = images
    data = (255 * x[400:], y[400:])
    guard = sg.ShiftGuard(on_shift="ignore")
    model = classifier((8, 8, 3))
    model.fit(x[:400], y[:400], validation_data=data, callbacks=[guard], verbose=0)
    assert "255 times as large" in capsys.readouterr().out


def test_characters_that_the_output_does_not_take_are_replaced(monkeypatch):
    """A name or path of the user may hold any character, and a log file may be in ASCII."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", output)
        say("attached to größe.keras")
    assert output.buffer.getvalue() == b"attached to gr??e.keras\n"


def test_a_closed_output_does_not_end_a_fit(images, monkeypatch):
    """A service may run without a standard output."""
    x, y = images
    output = io.StringIO()
    output.close()
    model, guard = classifier((8, 8, 3)), sg.ShiftGuard()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", output)
        model.fit(x, y, callbacks=[guard], verbose=0)
    assert guard.profiles["train"].num_samples == 600


def test_a_warning_has_no_file_and_line_before_it():
    code = "from keras_shiftguard.errors import warn; warn('one thing'); warn('another')"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    said = done.stderr.decode().splitlines()
    assert "one thing" in said and "another" in said

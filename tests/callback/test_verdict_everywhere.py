"""Runs with different faults, whose verdict is compared word by word in all places that show it."""

import json
import warnings
from html import escape

import keras
import numpy as np
import pytest
from keras import layers
from plugin.logs import opened
from small_fits import compiled

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard_cli import main
from tensorboard_plugin_shiftguard.words import in_plain_words


def photos(seed, number, classes=4):
    """Images in [0, 1] whose class is the place of a bright bar, with labels."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, number)
    x = draw.uniform(0.2, 0.6, (number, 16, 16, 3))
    for i, label in enumerate(y):
        x[i, :, 4 * label : 4 * label + 4] += 0.35
    return (x * draw.uniform(0.7, 1, (number, 1, 1, 1))).astype("float32"), y


def image_model():
    """A small compiled classifier of images."""
    keras.utils.set_random_seed(0)
    convolution = layers.Conv2D(8, 3, activation="relu")
    last = layers.Dense(4, "softmax")
    parts = convolution, layers.Flatten(), last
    return compiled((16, 16, 3), *parts, rate=1e-3, metrics=["accuracy"])


def fit(model, train, validation, epochs=3, **arguments):
    """Fits a model with a guard, and returns the guard."""
    guard = sg.ShiftGuard(**arguments)
    model.fit(*train, validation_data=validation, epochs=epochs, callbacks=[guard], verbose=0)
    return guard


def mismatch(**arguments):
    x, y = photos(0, 300)
    return fit(image_model(), (x, y), (x[:100], y[:100]), expects="raw", **arguments)


def corrected(**arguments):
    return mismatch(on_mismatch="fix", **arguments)


def costly(**arguments):
    (x, y), (v, w) = photos(0, 800), photos(1, 500)
    noise = np.random.default_rng(2).normal(0, 2, v.shape).astype("float32")
    return fit(image_model(), (x, y), (v + noise, w), epochs=9, **arguments)


def healthy(**arguments):
    return fit(image_model(), photos(0, 500), photos(1, 300), **arguments)


def alone(**arguments):
    return fit(image_model(), photos(0, 300), None, **arguments)


def label_fault(**arguments):
    (x, y), (v, w) = photos(0, 800), photos(1, 500)
    return fit(image_model(), (x, y), (v, np.where(w == 1, 2, w)), epochs=5, **arguments)


def adapted(**arguments):
    target, _ = photos(2, 300)
    more = {"target_data": target**2, "adapt": True, **arguments}
    return fit(image_model(), photos(0, 500), photos(1, 300), **more)


# The state of each run, and a few words that its cause must have.
EXPECTED = {
    mismatch: ("act", "fed as 0 to 1; the model expects 0 to 255"),
    corrected: (
        "corrected",
        "fed as 0 to 1, the model expects 0 to 255; the guard corrects it inside fit",
    ),
    costly: ("act", "Validation images are"),
    healthy: (
        "fine",
        "Validation looks like training; this fit trains the model on images from 0 to 1",
    ),
    alone: ("nothing compared", "there was nothing to compare with"),
    label_fault: ("act", "label"),
    adapted: ("look", "Target images are"),
}


# A run of each kind of verdict; `make test-all` has the others.
QUICK = (mismatch, corrected, healthy)


@pytest.mark.parametrize(
    "run",
    [pytest.param(run, marks=() if run in QUICK else pytest.mark.thorough) for run in EXPECTED],
    ids=lambda run: run.__name__,
)
def test_every_place_says_the_same(run, tmp_path, capsys):
    log_dir = tmp_path / run.__name__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShiftWarning)
        guard = run(log_dir=log_dir)
    verdict = guard.verdict
    state, words = EXPECTED[run]
    assert verdict.state == state and words in verdict.cause, str(verdict)
    assert len(verdict.cause.split()) <= 20
    # The terminal: the fit ends with the verdict, and a healthy one says nothing else.
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith(str(verdict))
    if run is healthy:
        assert printed == f"{verdict}\n" and "\n" not in str(verdict)
    # The log directory.
    told = json.loads((log_dir / "verdict.json").read_text())
    assert told["text"] == str(verdict) and told["cost"] == verdict.cost
    # The tab.
    with opened(tmp_path) as tab:
        [logged] = tab.ask("runs")["runs"]
        shown = tab.ask("overview", run=logged["id"])["verdict"]
    for field in ("state", "cause", "since", "step", "is_code", "cost_words", "adaptation"):
        assert shown[field] == told[field], field
    assert shown["notes"] == [in_plain_words(note) for note in told["notes"]]
    assert shown["cost"] == (verdict.cost and pytest.approx(verdict.cost, abs=1e-4))
    # The page, the notebook card and the page that the command makes.
    status = main(["report", str(log_dir), "-o", str(tmp_path / "again.html")])
    out = capsys.readouterr().out
    is_found = state in ("act", "corrected") or guard.report.shifted  # as the target of `adapted`
    assert out.endswith(f"\n{verdict}\n") and status == int(is_found)
    again = (tmp_path / "again.html").read_text(encoding="utf-8")
    page = (log_dir / "shift.html").read_text(encoding="utf-8")
    for text in (page, again, verdict.to_html(), verdict._repr_html_()):
        for part in (verdict.cause, verdict.step, verdict.cost_words, *verdict.notes):
            shown = text.replace("&amp;", "&") if text.startswith("<div") else text
            assert any(form in shown for form in forms_of(part)), (part, text[:200])


def forms_of(text):
    """Returns a text as it may stand in a page, and in a frame of a notebook."""
    plain = escape(text, quote=False)
    quoted = plain.replace('"', "&#34;").replace("'", "&#39;")
    framed = [escape(each, quote=False).replace('"', "&#34;") for each in (plain, quoted)]
    return [text, plain, quoted, *framed]

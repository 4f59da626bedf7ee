"""`Diagnosis`: its fields, its text and its methods."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.preprocessing.correction.convention import InputConvention, layer_between
from keras_shiftguard.preprocessing.diagnosis import MAX_LINE_LENGTH, Diagnosis
from keras_shiftguard.preprocessing.hints.hint import Hint

UNIT, CAFFE = InputConvention("unit", "rgb"), InputConvention("caffe", "bgr")
UNKNOWN = InputConvention("unknown", "unknown")
TWELVE_BITS = InputConvention("custom", "gray", (16.0,), (12.0,))
HINT = Hint("input_size", "The images are 96 by 96; the network was trained at 224.", 0.99)


def mismatch(observed=UNIT, expected=CAFFE, **changes):
    values = {
        "fix": layer_between(observed, expected),
        "advice": "x = keras.applications.resnet.preprocess_input(x * 255.0)",
        "evidence": ("Batch normalisation fits 41 times worse as fed than when corrected.",),
        "architecture": "ResNet50",
        "num_samples": 32,
        "value_range": (0.0, 1.0),
    }
    return Diagnosis("mismatch", expected, observed, **(values | changes))


def ok(convention=CAFFE, **changes):
    return Diagnosis("ok", convention, convention, **changes)


def unknown(expected=UNKNOWN, observed=UNKNOWN, **changes):
    return Diagnosis("unknown", expected, observed, **{"num_samples": 64, **changes})


def scaled_twice(factor=1.0):
    return InputConvention("custom", "rgb", (factor / 255**2,) * 3, (0.0,) * 3)


def test_the_printed_mismatch():
    assert str(mismatch()) == (
        "Preprocessing mismatch: the model is fed unit ([0, 1]), RGB, but expects caffe (0..255 "
        "minus the ImageNet mean), BGR.\n"
        "  Seen: values from 0.00 to 1.00 over 32 images; the model is recognised as ResNet50.\n"
        "  Sure because: Batch normalisation fits 41 times worse as fed than when corrected.\n"
        "  Fix: x = keras.applications.resnet.preprocess_input(x * 255.0)   "
        '[or ShiftGuard(on_mismatch="fix")]'
    )


STANDARDISED = {"expected": InputConvention("raw"), "observed": UNKNOWN, "standardised": True}
WORDS = {
    "a swap": (
        mismatch(InputConvention("raw", "bgr"), InputConvention("raw", "rgb")),
        "red and blue are swapped",
    ),
    "scaled twice": (mismatch(scaled_twice(1.005)), "divided by 255 twice"),
    "an odd scale": (mismatch(scaled_twice(1.1)), "custom (raw *"),
    "nothing known": (Diagnosis("mismatch", UNKNOWN, UNKNOWN), "fits nothing known"),
    "right": (ok(), "Preprocessing is right: the model is fed what it expects, caffe"),
    "nothing in the model": (
        unknown(observed=UNIT),
        "pass `expects='unit'` if the images that the model was first trained on were scaled like",
    ),
    "no images": (
        unknown(num_samples=0, advice="images."),
        "Preprocessing is not checked: none of",
    ),
    "one image": (unknown(observed=UNIT, num_samples=1), "1 image is too few to tell"),
    "few unclear images": (unknown(CAFFE, num_samples=4), "at least 8 ordinary"),
    "unclear images": (unknown(CAFFE), "reach from black to white"),
    "said what is needed": (unknown(CAFFE, advice="a second look."), "Needed: a second look."),
    "witnesses disagree": (unknown(CAFFE, UNIT), "pass `expects='caffe'` or `expects='unit'`"),
    "few of them": (unknown(CAFFE, UNIT, num_samples=9), "at least 16 different images"),
    "an order in doubt": (
        unknown(CAFFE, InputConvention("caffe", "rgb")),
        "`expects=InputConvention('caffe', 'bgr')` or `expects=InputConvention('caffe', 'rgb')`",
    ),
    "something else": (unknown(CAFFE, CAFFE), "something else about the images may be wrong"),
    "no such convention": (unknown(observed=TWELVE_BITS), "compare(training, images)"),
    "standardised each": (
        Diagnosis("mismatch", **STANDARDISED),
        "each image was standardised by itself, but the model expects raw",
    ),
    "which is fixed": (Diagnosis("mismatch", **STANDARDISED), "Fix: feed the raw 0..255 pixels"),
    "maybe standardised": (
        unknown(**STANDARDISED),
        "If it standardised each of them by itself, these are right",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_words_of_each_kind(name):
    verdict, words = WORDS[name]
    assert words in str(verdict)


def test_a_long_sentence_is_cut_at_a_clause():
    numbers = "; ".join(f"number {i} is {i}" for i in range(40))
    advice = "x = x * np.array([" + "1.234567, " * 60 + "])"  # a line to paste is never cut
    lines = str(mismatch(evidence=(f"It fits ({numbers}).",), advice=advice)).splitlines()
    assert lines[2].endswith(" ...)") and lines[2][:-5].endswith(tuple("0123456789"))
    assert advice in lines[3]


@pytest.mark.parametrize("evidence", [(), ("long " * 200, "second")])
@pytest.mark.parametrize("hints", [(), (HINT, Hint("other", "x" * 500, 0.3))])
@pytest.mark.parametrize("make", [mismatch, ok, unknown])
def test_never_more_than_five_lines(make, hints, evidence):
    lines = str(make(hints=hints, evidence=evidence)).splitlines()
    assert len(lines) <= 5
    assert all(len(line) <= MAX_LINE_LENGTH for line in lines)
    assert sum("Also worth a look" in line for line in lines) == bool(hints)
    if hints:
        assert HINT.sentence in lines[-1]  # the most certain hint


def test_the_worst_input_speaks_for_all():
    bad = mismatch()
    overall = Diagnosis.worst({"left": ok(), "right": bad, "other": unknown()})
    assert overall.status == "mismatch" and overall.fix is bad.fix
    assert list(overall.by_input) == ["left", "right", "other"]
    assert str(overall).startswith("Preprocessing mismatch at input 'right':")
    assert Diagnosis.worst({"left": ok(), "other": unknown()}).status == "unknown"
    fine = Diagnosis.worst({"left": ok(), "right": ok(UNIT)})
    assert fine.status == "ok" and "each of 2 inputs" in str(fine)
    learning = {"left": ok(trained_here=True), "right": ok(UNIT, trained_here=True)}
    assert "is being trained here, on 'left': caffe" in str(Diagnosis.worst(learning))
    depth = unknown(observed=InputConvention("unit", "gray"))
    assert "pass `expects={'depth': 'unit'}` if" in str(
        Diagnosis.worst({"image": ok(), "depth": depth})
    )
    with pytest.raises(BadInputError, match="at least one"):
        Diagnosis.worst({})


def test_comparison_ignores_the_layer():
    assert mismatch() == mismatch() != mismatch(InputConvention("tf"))
    both = Diagnosis.worst({"a": ok(), "b": mismatch()})
    assert both == Diagnosis.worst({"a": ok(), "b": mismatch()})
    assert len({mismatch(), mismatch(), both, both}) == 2


def test_it_is_frozen_and_checked():
    with pytest.raises(FrozenInstanceError):
        ok().status = "mismatch"
    with pytest.raises(BadInputError, match="Received: status='bad'"):
        Diagnosis("bad", CAFFE, CAFFE)
    with pytest.raises(BadInputError, match="observed=None"):
        Diagnosis("ok", CAFFE, None)
    with pytest.raises(BadInputError, match="Only a mismatch has a fix"):
        ok(fix=layer_between(UNIT, CAFFE))
    assert ok().apply(fine := object()) is fine
    with pytest.raises(BadInputError, match="no fix to apply: the status is 'unknown'"):
        unknown(CAFFE).apply(object())


def test_to_dict_is_json_and_complete():
    overall = Diagnosis.worst({"a": ok(), "b": mismatch(hints=(HINT,))})
    back = json.loads(json.dumps(overall.to_dict(), allow_nan=False))
    assert set(back) == {*Diagnosis.__dataclass_fields__, "headline"}
    assert back["status"] == "mismatch" and back["expected"]["channel_order"] == "bgr"
    np.testing.assert_allclose(back["fix"]["offset"], [-103.939, -116.779, -123.68])
    assert back["by_input"]["a"]["status"] == "ok" and back["by_input"]["a"]["fix"] is None
    assert back["hints"][0]["certainty"] == 0.99
    empty = unknown(value_range=(np.inf, -np.inf))
    assert json.loads(json.dumps(empty.to_dict(), allow_nan=False))["value_range"] is None
    assert "64 images" in str(empty) and "inf" not in str(empty)

"""`Diagnosis`: its fields, its text and its methods."""

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from keras_shiftguard.errors import BadInputError, PreprocessingMismatchError
from keras_shiftguard.preprocessing.correction.convention import InputConvention, layer_between
from keras_shiftguard.preprocessing.diagnosis import MAX_LINE_LENGTH, Diagnosis
from keras_shiftguard.preprocessing.hints.hint import Hint

UNIT, CAFFE = InputConvention("unit", "rgb"), InputConvention("caffe", "bgr")
UNKNOWN = InputConvention("unknown", "unknown")
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


def test_the_printed_mismatch():
    assert str(mismatch()) == (
        "Preprocessing mismatch: the model is fed unit ([0, 1]), RGB, but expects caffe (0..255 "
        "minus the ImageNet mean), BGR.\n"
        "  Seen: values from 0.00 to 1.00 over 32 images; the model is recognised as ResNet50.\n"
        "  Sure because: Batch normalisation fits 41 times worse as fed than when corrected.\n"
        "  Fix: x = keras.applications.resnet.preprocess_input(x * 255.0)   "
        '[or ShiftGuard(on_mismatch="fix")]'
    )


def test_a_swap_is_called_a_swap():
    text = str(mismatch(InputConvention("raw", "bgr"), InputConvention("raw", "rgb")))
    assert text.startswith("Preprocessing mismatch: red and blue are swapped.")
    assert "fed BGR but expects RGB" in text


@pytest.mark.parametrize(
    "scale, offset, words",
    [
        (1 / 255**2, 0.0, "divided by 255 twice"),
        (1 / 127.5**2, -1 / 127.5 - 1, "scaled from 0..255 to [-1, 1] twice"),
        (1 / 127.5 / 255, -1.0, "divided by 255, then scaled from 0..255 to [-1, 1] once more"),
    ],
)
def test_known_mistakes_have_names(scale, offset, words):
    # A fit is never exact: here scale and offset are half a percent off.
    near = offset + 0.005 * 255 * scale
    fed = InputConvention("custom", "rgb", (scale * 1.005,) * 3, (near,) * 3)
    text = str(mismatch(fed)).splitlines()[0]
    assert words in text


def test_an_unknown_mistake_gets_no_name():
    fed = InputConvention("custom", "rgb", (1.1 / 255**2,) * 3, (0.0,) * 3)
    assert "custom (raw *" in str(mismatch(fed)) and "twice" not in str(mismatch(fed))


def test_ok_takes_two_lines_and_claims_no_more_than_it_knows():
    text = str(ok(num_samples=8, value_range=(-123.68, 151.061)))
    assert text == (
        "Preprocessing is right: the model is fed what it expects, caffe (0..255 minus the "
        "ImageNet mean), BGR.\n  Seen: values from -123.68 to 151.06 over 8 images."
    )


def test_unknown_says_what_would_be_needed():
    nothing = Diagnosis("unknown", UNKNOWN, UNIT, num_samples=64)
    assert "nothing in the model tells what it expects" in str(nothing)
    assert "Needed: pass `expects='unit'` if its pretrained weights are for images" in str(nothing)
    assert "1 image is too few to tell" in str(replace(nothing, num_samples=1))
    unclear = Diagnosis("unknown", CAFFE, UNKNOWN, num_samples=4)
    assert "the model expects caffe" in str(unclear) and "at least 8 ordinary" in str(unclear)
    enough = str(replace(unclear, num_samples=64))
    assert "at least" not in enough and "reach from black to white" in enough
    assert "Needed: a second look." in str(replace(nothing, advice="a second look."))


def test_unknown_names_both_where_the_witnesses_disagree():
    both = Diagnosis("unknown", CAFFE, UNIT, num_samples=64)
    assert "seems to expect caffe" in str(both) and "is fed unit ([0, 1]), RGB" in str(both)
    assert "Needed: pass `expects='caffe'` or `expects='unit'`, whichever the model" in str(both)
    assert "at least 16 different images; or pass `expects=" in str(replace(both, num_samples=9))
    swapped = str(Diagnosis("unknown", CAFFE, InputConvention("caffe", "rgb"), num_samples=64))
    assert "the scale, caffe (0..255 minus the ImageNet mean), is right, but red and" in swapped
    orders = (f"`expects=InputConvention('caffe', '{order}')`" for order in ("bgr", "rgb"))
    assert " or ".join(orders) in swapped
    odd = str(Diagnosis("unknown", CAFFE, CAFFE, num_samples=64))
    assert "is right, but something else about the images may be wrong" in odd


def test_nobody_is_asked_for_a_convention_that_makes_no_sense():
    twelve_bit = InputConvention("custom", "gray", (16.0,), (12.0,))
    for fed in (twelve_bit, UNKNOWN):
        text = str(Diagnosis("unknown", UNKNOWN, fed, num_samples=64))
        assert "'torch'" not in text and "keras_shiftguard.compare(training, images)" in text
    depth = Diagnosis("unknown", UNKNOWN, InputConvention("unit", "gray"), num_samples=64)
    both = str(Diagnosis.worst({"image": ok(), "depth": depth}))
    assert "pass `expects={'depth': 'unit'}` if its pretrained weights" in both
    assert all(len(line) <= MAX_LINE_LENGTH and "..." not in line for line in both.splitlines())


@pytest.mark.parametrize(
    ("mode", "advice", "fix"),
    [
        ("tf", "x = x / 127.5 - 1.0", "Fix: x = x / 127.5 - 1.0"),
        ("raw", "", "Fix: feed the raw 0..255 pixels"),
    ],
)
def test_images_standardised_one_by_one_are_called_so(mode, advice, fix):
    expected = InputConvention(mode)
    wrong = Diagnosis("mismatch", expected, UNKNOWN, advice=advice, standardised=True)
    assert "each image was standardised by itself, but the model expects" in str(wrong)
    assert fix in str(wrong) and "x = x " not in str(wrong).replace(advice or "-", "")
    unknown = str(Diagnosis("unknown", expected, UNKNOWN, num_samples=64, standardised=True))
    assert f"standardised by itself, and the model seems to expect {expected}" in unknown
    assert "If it standardised each of them by itself, these are right" in unknown
    for text in (unknown, str(wrong)):
        assert "nothing known" not in text and "x = x  #" not in text


def test_nothing_is_expected_of_a_network_that_nobody_knows():
    text = str(Diagnosis("mismatch", UNKNOWN, UNKNOWN, evidence=("3 of 4 images hold a NaN.",)))
    assert text.startswith("Preprocessing mismatch: what the model is fed fits nothing known.\n")


@pytest.mark.parametrize("evidence", [(), ("short",), ("long " * 200, "second")])
@pytest.mark.parametrize("hints", [(), (HINT,), (HINT, Hint("other", "x" * 500, 0.3))])
@pytest.mark.parametrize(
    "make", [mismatch, ok, lambda **c: Diagnosis("unknown", UNKNOWN, UNIT, **c)]
)
def test_never_more_than_five_lines(make, hints, evidence):
    lines = str(make(hints=hints, evidence=evidence)).splitlines()
    assert len(lines) <= 5
    assert all(len(line) <= MAX_LINE_LENGTH for line in lines)
    assert sum("Also worth a look" in line for line in lines) == bool(hints)
    if hints:
        assert HINT.sentence in lines[-1]  # the most certain hint


def test_the_line_to_paste_is_never_cut():
    advice = "x = x * np.array([" + "1.234567, " * 60 + "])"
    assert advice in str(mismatch(advice=advice))


def test_the_worst_input_speaks_for_all():
    unknown = Diagnosis("unknown", UNKNOWN, UNIT)
    bad = mismatch()
    overall = Diagnosis.worst({"left": ok(), "right": bad, "other": unknown})
    assert overall.status == "mismatch" and overall.fix is bad.fix
    assert list(overall.by_input) == ["left", "right", "other"]
    assert str(overall).startswith("Preprocessing mismatch at input 'right':")
    assert Diagnosis.worst({"left": ok(), "other": unknown}).status == "unknown"
    fine = Diagnosis.worst({"left": ok(), "right": ok(UNIT)})
    assert fine.status == "ok" and "each of 2 inputs" in str(fine)
    learning = {"left": ok(trained_here=True), "right": ok(UNIT, trained_here=True)}
    assert "is being trained here, on 'left': caffe" in str(Diagnosis.worst(learning))
    with pytest.raises(BadInputError, match="at least one"):
        Diagnosis.worst({})


def test_comparison_ignores_the_layer():
    assert mismatch() == mismatch()
    assert mismatch() != mismatch(InputConvention("tf"))
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


def test_to_dict_is_json_and_complete():
    overall = Diagnosis.worst({"a": ok(), "b": mismatch(hints=(HINT,))})
    back = json.loads(json.dumps(overall.to_dict(), allow_nan=False))
    assert set(back) == {*Diagnosis.__dataclass_fields__, "headline"}
    assert back["status"] == "mismatch" and back["expected"]["channel_order"] == "bgr"
    assert back["fix"]["permutation"] == [2, 1, 0]
    np.testing.assert_allclose(back["fix"]["offset"], [-103.939, -116.779, -123.68])
    assert back["by_input"]["a"]["status"] == "ok" and back["by_input"]["a"]["fix"] is None
    assert back["hints"] == [{"name": HINT.name, "sentence": HINT.sentence, "certainty": 0.99}]
    assert back["value_range"] == [0.0, 1.0]


def test_a_stream_without_finite_values_still_prints_and_saves():
    empty = Diagnosis("unknown", CAFFE, UNKNOWN, num_samples=3, value_range=(np.inf, -np.inf))
    assert json.loads(json.dumps(empty.to_dict(), allow_nan=False))["value_range"] is None
    assert "3 images" in str(empty) and "inf" not in str(empty)


def test_the_error_carries_the_verdict():
    verdict = mismatch()
    with pytest.raises(PreprocessingMismatchError, match="is fed unit") as caught:
        raise PreprocessingMismatchError(verdict)
    assert caught.value.diagnosis is verdict


def test_apply_without_a_fix():
    model = object()
    assert ok().apply(model) is model
    with pytest.raises(BadInputError, match="no fix to apply: the status is 'unknown'"):
        Diagnosis("unknown", CAFFE, UNKNOWN).apply(model)

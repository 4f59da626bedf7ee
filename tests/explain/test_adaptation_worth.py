"""The lines that say, before and after an adaptation, whether it helps."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from made_findings import images_are

from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.explain.estimates import adaptation_worth
from keras_shiftguard.explain.estimates.adaptation_worth import (
    bounded_estimate,
    expected_worth,
    measured_worth,
)
from keras_shiftguard.explain.estimates.estimate import METHODS_DISAGREE, AccuracyEstimate

DARK, HIGHER = images_are("darker", stream="target"), Said("Target samples are higher")
COLUMN = replace(DARK, feature="input/column 1", family="other", said=HIGHER)


@pytest.mark.parametrize(
    ("findings", "num", "begins"),
    [
        ([DARK], 900, "Adaptation is likely to help: target images are much darker than"),
        ([DARK], 20, "Adaptation may help: target images are much darker than"),
        ([COLUMN], 900, "Adaptation may help: target samples are higher (900 samples)."),
        ([replace(DARK, kind="preprocessing")], 900, "Check the input pipeline before adapting"),
        ([replace(DARK, negligible=True)], 900, "Adaptation is unlikely to help: no difference"),
        ([], 20, "Whether adaptation can help is not known: 20 samples are too few."),
    ],
)
def test_the_line_before(findings, num, begins):
    line = expected_worth(findings, num, 2000)
    assert line.startswith(begins) and "\n" not in line


def estimated(value, low, high, reference=0.95):
    return AccuracyEstimate(value, (low, high), reference, num_samples=200)


UNKNOWN = AccuracyEstimate(None, None, 0.95, num_samples=200, reason=METHODS_DISAGREE)
NOW = estimated(0.84, 0.80, 0.88)


@pytest.mark.parametrize(
    ("now", "before", "line"),
    [
        (
            *(NOW, estimated(0.61, 0.55, 0.67)),
            "It helped: accuracy on target data is estimated at 84 % (80 to 88 %); "
            "before adaptation, it was 61 % (55 to 67 %).",
        ),
        (NOW, estimated(0.8, 0.7, 0.9), "Whether it helped cannot be told: accuracy"),
        (NOW, estimated(0.95, 0.9, 1.0), "It did harm: accuracy on target data"),
        (NOW, None, "Accuracy on target data is estimated at 84 % (80 to 88 %), and is 95 % on"),
        (NOW, UNKNOWN, "Whether it helped is not known: accuracy on target data is estimated"),
        (UNKNOWN, None, "Whether it helped is not known: the estimation methods disagree."),
        (replace(UNKNOWN, reason="too few"), None, ""),
    ],
)
def test_the_line_after(now, before, line):
    worth = measured_worth(now, before)
    assert worth.line.startswith(line) and bool(worth.line) == bool(line) and "\n" not in worth.line
    answers = {"It helped": "yes", "It did harm": "no", "Whether it helped cannot": "same"}
    assert worth.answer == next((a for k, a in answers.items() if line.startswith(k)), "unknown")
    assert (worth.now == (0.84, 0.80, 0.88)) == (now.value == 0.84)
    assert (worth.earlier is None) == (before is None or before.value is None)


@pytest.mark.parametrize("before", [estimated(0.61, 0.55, 0.67), None])
def test_no_help_is_claimed_of_a_model_that_was_trained_on_the_target(before):
    worth = measured_worth(NOW, before, saw_target=True)
    assert worth.saw_target and worth.answer == "unknown"
    assert worth.line.startswith("Accuracy on target data is estimated at 84 % (80 to 88 %)")
    assert worth.line.endswith(adaptation_worth.CAUTION)


def classifier():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.layers[0].set_weights([np.full((3, 1), 2.0), np.zeros(1)])
    return model


def table(rng, number):
    y = np.arange(number) % 2
    return rng.normal(2.0 * y[:, None] - 1.0, 0.7, (number, 3)).astype("float32"), y


@pytest.mark.backend
def test_an_estimate_of_a_few_hundred_samples(rng):
    x, y = table(rng, 600)
    estimate = bounded_estimate(classifier(), x, (x, y))
    assert estimate.num_samples == adaptation_worth.MAX_SAMPLES
    assert estimate.value == pytest.approx(estimate.reference_accuracy, abs=0.05)
    regression = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert bounded_estimate(regression, x, (x, y)) is None
    assert bounded_estimate(classifier(), x, (x, None)) is None


def test_what_costs_too_much_is_left_out(rng, monkeypatch):
    x, y = table(rng, 100)
    monkeypatch.setattr(adaptation_worth, "MAX_SECONDS", 0.0)
    assert bounded_estimate(classifier(), x, (x, y), seconds=0.0) is None
    assert bounded_estimate(classifier(), x, (x, y), seconds=1e6) is not None


def test_a_failure_is_a_warning(rng):
    class Broken(keras.Model):
        def predict(self, *args, **kwargs):
            raise MemoryError("no room")

    x, y = table(rng, 100)
    with pytest.warns(match="could not be estimated .*no room"):
        assert bounded_estimate(Broken(), x, (x, y)) is None

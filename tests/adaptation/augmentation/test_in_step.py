"""`StepAugmentation` with real operations: it finds and imitates a planted corruption."""

import json

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.adaptation.augmentation.in_step import StepAugmentation
from keras_shiftguard.adaptation.augmentation.value_range import value_range
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.statistics.batch import InputSpec

SPEC = InputSpec("input", "channels_last", 1, (16, 16))
OPERATIONS = ("darker", "brighter", "blur", "noise", "resolution")


def pictures(rng, n, scale=1.0):
    coarse = np.kron(rng.random((n, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    images = 0.3 + 0.4 * coarse + rng.normal(0, 0.01, (n, 16, 16, 1))
    return (scale * images).astype("float32")


@pytest.fixture(scope="module")
def train():
    images = pictures(np.random.default_rng(0), 256)
    return images, profile(images)


def closed(train, target, operations=OPERATIONS):
    images, measured = train
    step = StepAugmentation(operations=operations, seed=1)
    step.build([SPEC])
    x = ops.convert_to_tensor(images[:96])
    np.testing.assert_array_equal(ops.convert_to_numpy(step.apply("input", x)), images[:96])
    changes = step.update(measured, profile(target)) + step.update(measured, profile(target))
    return step, changes


@pytest.mark.backend
@pytest.mark.each_backend
def test_a_planted_gap_is_closed(train):
    rng = np.random.default_rng(1)
    images = pictures(rng, 256)
    target = (images + rng.normal(0, 0.12, images.shape)).astype("float32")
    step, changes = closed(train, target, ("darker", "noise"))
    assert max(step.strengths, key=step.strengths.get) == "noise", changes
    assert abs(step.gaps_before["noise"]) > 2
    assert abs(step.gaps["noise"]) < 0.25 * abs(step.gaps_before["noise"])
    # The augmented batch lies between training and target.
    y = ops.convert_to_numpy(step.apply("input", ops.convert_to_tensor(train[0])))
    before, now, most = (float(np.abs(np.diff(x, axis=1)).mean()) for x in (train[0], y, target))
    assert before < now < 1.1 * most


def test_without_shift_it_stays_at_zero(train):
    step, changes = closed(train, pictures(np.random.default_rng(2), 256))
    assert not any(step.strengths.values()) and not changes


@pytest.mark.thorough
def test_it_resumes(train):
    rng = np.random.default_rng(1)
    step, _ = closed(train, pictures(rng, 64) - np.float32(0.2), ("darker", "noise"))
    state = json.loads(json.dumps(step.state(), allow_nan=False))
    other = StepAugmentation(operations=("darker", "noise"), seed=7)
    other.build([SPEC])
    other.restore(state)
    x = ops.convert_to_tensor(train[0])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(step.apply("input", x)), ops.convert_to_numpy(other.apply("input", x))
    )


@pytest.mark.parametrize(
    ("scale", "offset", "black", "white"),
    [(1.0, 0.0, 0.0, 255.0), (1 / 255, 0.0, 0.0, 1.0), (1 / 127.5, -1.0, -1.0, 1.0)],
)
def test_the_range_is_that_of_the_convention(rng, scale, offset, black, white):
    images = rng.integers(20, 200, (64, 16, 16, 3)).astype("float32")
    measured = profile((images * scale + offset).astype("float32")).inputs["input"]
    low, high = value_range(measured, measured)
    np.testing.assert_allclose([low[0], high[0]], [black, white], atol=1e-6)

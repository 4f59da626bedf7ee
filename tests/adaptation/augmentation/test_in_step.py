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


def blurred(x):
    for axis in (1, 2):
        x = sum(np.roll(x, k, axis) * w for k, w in ((-1, 0.25), (0, 0.5), (1, 0.25)))
    return x


PLANTED = {
    "noise": lambda x, rng: (x + rng.normal(0, 0.12, x.shape)).astype("float32"),
    "blur": lambda x, rng: blurred(x).astype("float32"),
}


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


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("noise", marks=[pytest.mark.backend, pytest.mark.each_backend]),
        pytest.param("blur", marks=pytest.mark.thorough),
    ],
)
def test_a_planted_gap_is_closed(train, kind):
    rng = np.random.default_rng(1)
    target = PLANTED[kind](pictures(rng, 256), rng)
    step, changes = closed(train, target, ("darker", "noise") if kind == "noise" else OPERATIONS)
    found = {name: value for name, value in step.strengths.items() if value}
    assert max(found, key=found.get) == kind, changes
    attribute = {"noise": "noise", "blur": "sharpness"}[kind]
    both = [p.inputs["input"].features for p in (train[1], profile(target))]
    unit = np.sqrt(np.mean([table.std(attribute) ** 2 for table in both]))
    before = abs(both[0].mean(attribute) - both[1].mean(attribute)) / unit
    assert before > 2 and abs(step.gaps[attribute]) < 0.25 * before
    # The augmented batch lies between training and target.
    y = ops.convert_to_numpy(step.apply("input", ops.convert_to_tensor(train[0])))
    least, most = sorted(_grain(x) for x in (train[0], target))
    assert least < _grain(y) < 1.1 * most
    assert step.state()["seed"] != StepAugmentation(seed=1).state()["seed"]


def _grain(x):
    return float(np.abs(np.diff(x, axis=1)).mean())


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

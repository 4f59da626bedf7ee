"""Missing values that validation holds or fills otherwise than training."""

import numpy as np
import pytest

from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.batch import spec_for

pytestmark = pytest.mark.backend
ROWS = spec_for("input", (None, 4), "channels_last")
WHERE = "in the columns 0, 1 and 2 more"
WEIGHTS = np.asarray([1.0, -1.0, 0.8, -0.8])


def table(seed, filled, number=1200):
    """Four numbers of which a sixth is missing, and the class that follows from them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 1.0, (number, 4))
    y = ((x - 3) @ WEIGHTS + rng.normal(0, 0.3, number) > 0).astype(int)
    x[rng.random(x.shape) < 1 / 6] = np.nan
    return np.where(np.isnan(x), filled, x).astype("float32"), y


def model(filled):
    """A classifier that takes missing values, which are `filled`, for the mean."""

    def predict(x):
        is_filled = np.isnan(x) if np.isnan(filled) else np.isclose(x, filled)
        score = np.where(is_filled, 0.0, x - 3) @ WEIGHTS
        p = 1 / (1 + np.exp(-3 * score))
        return np.stack([1 - p, p], axis=1)

    return predict


@pytest.mark.parametrize(
    ("there", "here", "how"),
    [
        (-9.0, 0.0, f"partly filled with 0 {WHERE}, a value that training hardly has"),
        (np.nan, 0.0, f"partly filled with 0 {WHERE}, a value that training hardly has"),
        (-9.0, np.nan, f"partly missing {WHERE}, where training has values"),
    ],
)
def test_missing_values_that_are_filled_otherwise(there, here, how):
    (bad, y), (right, _) = table(1, here), table(1, there)
    predict = model(there)
    found = cost_of_difference(predict, Labelled(bad, y), Labelled(*table(0, there)), ROWS, 0.02)
    true = (predict(right).argmax(axis=1) == y).mean()
    wrong = predict(bad)
    true -= ((wrong.argmax(axis=1) == y) & np.isfinite(wrong).all(axis=1)).mean()
    low, high = found.cost.interval
    assert found.cost.is_alarm(0.02) and low <= true <= high
    assert found.how == how
    scope = {"x": bad.copy(), "np": np}
    exec(found.fix, scope)
    np.testing.assert_array_equal(scope["x"], right)
    np.testing.assert_array_equal(np.asarray(Repair(**found.cost.repair)(bad)), right)


@pytest.mark.parametrize("filled", [0.0, np.nan])
def test_missing_values_that_are_as_in_training_are_no_alarm(filled):
    here, there = table(1, filled), table(0, filled)
    found = cost_of_difference(model(filled), Labelled(*here), Labelled(*there), ROWS, 0.02)
    assert not found.cost.is_costly(0.02) and not found.how

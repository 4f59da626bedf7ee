"""Categories whose codes stand for others in validation, as where an encoder was fitted again."""

import numpy as np
import pytest

from keras_shiftguard.experiments.code_candidates import code_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.fix_lines import fix_line
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.batch import spec_for

pytestmark = pytest.mark.backend
SHARES = (0.4, 0.25, 0.15, 0.12, 0.08)
EFFECTS = np.asarray([2.0, -2.0, 1.0, -1.5, 0.5])
ROWS = spec_for("input", (None, 3), "channels_last")


def table(seed, number=1000):
    """Two numbers and a category, and the class that follows from the first number and it."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(5, number, p=SHARES)
    x = np.column_stack([rng.normal(size=(number, 2)), codes]).astype("float32")
    return x, (x[:, 0] + EFFECTS[codes] > 0).astype(int)


def model(x):
    """A classifier that knows what each code of training stands for."""
    score = x[:, 0] + EFFECTS[np.clip(np.rint(x[:, 2]).astype(int), 0, 4)]
    p = 1 / (1 + np.exp(-3 * score))
    return np.stack([1 - p, p], axis=1)


def recoded(x, order):
    return np.column_stack([x[:, :2], np.asarray(order)[x[:, 2].astype(int)]]).astype("float32")


def found_for(x, y):
    return cost_of_difference(model, Labelled(x, y), Labelled(*table(0)), ROWS, 0.02)


def test_codes_in_another_order_are_told_with_the_line_that_puts_them_back():
    x, y = table(1)
    bad = recoded(x, [3, 0, 1, 2, 4])
    found = found_for(bad, y)
    true = (model(x).argmax(axis=1) == y).mean() - (model(bad).argmax(axis=1) == y).mean()
    low, high = found.cost.interval
    assert found.cost.is_alarm(0.02) and low <= true <= high
    assert found.how == "coded in another order in column 2 (0 for 1, 1 for 2, 2 for 3, ...)"
    scope = {"x": bad.copy(), "np": np}
    exec(found.fix, scope)
    np.testing.assert_array_equal(scope["x"], x)
    np.testing.assert_array_equal(np.asarray(Repair(**found.cost.repair)(bad)), x)


@pytest.mark.parametrize("seed", range(5))
def test_right_codes_have_no_candidate(seed):
    assert not code_candidates(table(seed + 1)[0], table(0)[0])


def test_equally_frequent_codes_are_told_apart_by_the_other_columns():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (2, 800))
    here, there = (np.column_stack([c + rng.normal(0, 0.5, 800), c]) for c in codes)
    here[:, 1] = (here[:, 1] + 1) % 4
    (found,) = code_candidates(here, there)
    assert found.choice.strength == (1, (0.0, 1.0, 2.0, 3.0), (3.0, 0.0, 1.0, 2.0))


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_single_whole_numbers_keep_their_type(shape):
    rng = np.random.default_rng(0)
    here, there = (rng.choice(5, 800, p=SHARES).astype("int32") for _ in range(2))
    (found,) = code_candidates((4 - here).reshape(shape), there.reshape(shape))
    undone = found.apply((4 - here).reshape(shape))
    assert undone.dtype == np.int32
    np.testing.assert_array_equal(undone.reshape(-1), here)
    assert fix_line(found.choice, 1, entry="kind").startswith('x["kind"] = np.vectorize')


@pytest.mark.parametrize("x", [np.asarray([["a"], ["b"]] * 300), np.zeros((600, 4, 2))])
def test_words_and_series_have_no_codes(x):
    assert not code_candidates(x, x)


@pytest.mark.parametrize(
    "column",
    [np.linspace(0, 1, 600), np.full(600, np.nan), np.zeros(600), np.arange(600) % 2 + 0.5],
    ids=["numbers", "missing", "one code", "no whole numbers"],
)
def test_other_columns_are_no_codes(column):
    x = np.column_stack([np.random.default_rng(0).normal(size=600), column])
    assert not code_candidates(x, np.random.default_rng(1).permutation(x))


@pytest.mark.parametrize("step", [1, -1])
def test_ids_without_padding_are_put_back_whole(step):
    """Ids of categories for an embedding; 0 is one of them, in training or in validation."""
    spec = spec_for("input", (None, 3), "channels_last")
    first = max(-step, 0)
    effects = np.random.default_rng(0).normal(size=(3, 5))

    def ids(seed):
        x = np.random.default_rng(seed).integers(0, 5, (1000, 3))
        return x + first, (effects[np.arange(3), x].sum(axis=1) > 0).astype(int)

    def of_ids(x):
        score = effects[np.arange(3), np.clip(x - first, 0, 4)].sum(axis=1)
        p = 1 / (1 + np.exp(-3 * score))
        return np.stack([1 - p, p], axis=1)

    (x, y), training = ids(1), ids(0)
    found = cost_of_difference(of_ids, Labelled(x + step, y), Labelled(*training), spec, 0.02)
    assert found.how == f"fed with token ids that are {'higher' if step > 0 else 'lower'} by 1"
    scope = {"x": x + step, "np": np}
    exec(found.fix, scope)
    np.testing.assert_array_equal(scope["x"], x)

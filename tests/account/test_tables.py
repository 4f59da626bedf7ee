"""Tables that differ from training: units, exchanged columns, codes, ids, missing values."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from keras_shiftguard.account.candidates.code_candidates import code_candidates
from keras_shiftguard.account.candidates.table_candidates import table_candidates
from keras_shiftguard.account.fix_lines import Batch, fix_line

pytestmark = pytest.mark.backend
TOLERANCE = 0.02


def two_classes(score):
    """The probabilities of a classifier that knows the score of each row."""
    p = 1 / (1 + np.exp(-3 * score))
    return np.stack([1 - p, p], axis=1)


def units(x, training):
    found = [each.choice for each in table_candidates(x, training)]
    return [each.strength for each in found if each.name == "unit" and each.strength[1] != -1]


def exchanges(x, training):
    found = [each for each in table_candidates(x, training) if each.choice.name == "exchange"]
    return [(each.choice.strength, each.rival is None) for each in found]


def test_a_column_is_in_another_unit_only_if_it_moved():
    """Else a stretch by chance, of a column far from 0, was told as a move by a large number."""
    rng = np.random.default_rng(0)
    training, x = (rng.normal((11, 1013), (4, 4), size=(300, 2)) for _ in range(2))
    assert not units(x, training)
    assert {unit[0] for unit in units(x * [1.8, 1] + [32, 0], training)} == {0}
    assert {unit[0] for unit in units(x + [0, 4], training)} == {1}


def test_whole_numbers_that_moved_are_moved_back_by_a_whole_number():
    here, there = np.random.default_rng(0).poisson(3, (2, 500, 2)).astype("float32")
    assert not units(here, there)
    assert units(here + [0, 2], there) == [(1, 1.0, -2.0)]


def test_columns_exchanged_before_any_scaler_are_exchanged_back():
    raw = np.random.default_rng(0).permutation(load_breast_cancer().data)
    training, x = raw[:300], raw[300:].copy()
    exchanged = x.copy()
    exchanged[:, [3, 20]] = x[:, [20, 3]]
    for low, size in (
        (training.mean(axis=0), training.std(axis=0)),
        (training.min(axis=0), np.ptp(training, axis=0)),
    ):
        right, wrong, known = ((each - low) / size for each in (x, exchanged, training))
        found = table_candidates(wrong, known)
        (back,) = [each for each in found if each.choice.name == "exchange_unscaled"]
        assert back.choice.strength[0] == (3, 20)
        repaired = np.asarray(back.apply(wrong))
        far = np.abs(wrong - right).mean(axis=0)
        assert (np.abs(repaired - right).mean(axis=0)[[3, 20]] < far[[3, 20]] / 2).all()
    # What the model gets as it was exchanged needs no scaler to be told.
    plain = table_candidates(exchanged, training)
    assert "exchange_unscaled" not in {each.choice.name for each in plain}


def test_columns_with_another_sign_are_not_plainly_exchanged():
    """Any column that the model does not use would be better in their place."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        training, x = rng.normal(size=(1500, 30)), rng.normal(size=(1000, 30))
        x[:, :5] = 0.5 - x[:, :5]
        assert not any(is_plain for _, is_plain in exchanges(x, training))
        moved = training + np.linspace(-3, 3, 30)
        exchanged = moved[:1000].copy()
        exchanged[:, [4, 9]] = exchanged[:, [9, 4]]
        assert exchanges(exchanged, moved)[0] == ((4, 9), True)


def test_an_exchange_is_found_among_all_pairs_of_a_wide_table():
    """Flattened images have hundreds of thousands of pairs of columns."""
    rows = np.random.default_rng(0).normal(size=(400, 1200))
    mixed = rows @ np.random.default_rng(1).normal(size=(1200, 1200))
    exchanged = mixed[200:].copy()
    exchanged[:, [3, 700]] = exchanged[:, [700, 3]]
    assert (3, 700) in [pair for pair, _ in exchanges(exchanged, mixed[:200])]


SHARES = (0.4, 0.25, 0.15, 0.12, 0.08)
EFFECTS = np.asarray([2.0, -2.0, 1.0, -1.5, 0.5])


def coded(seed, number=1000):
    """Two numbers and a category, and the class that follows from the first number and it."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(5, number, p=SHARES)
    x = np.column_stack([rng.normal(size=(number, 2)), codes]).astype("float32")
    return x, (x[:, 0] + EFFECTS[codes] > 0).astype(int)


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
    line = fix_line(found.choice, Batch(1, entry="kind"))
    assert line.startswith('x["kind"] = np.vectorize')


OTHERS = {
    "right codes": coded(1)[0],
    "words": np.asarray([["a"], ["b"]] * 300),
    "series": np.zeros((600, 4, 2)),
    "numbers": np.linspace(0, 1, 600)[:, None],
    "missing": np.full((600, 1), np.nan),
    "one code": np.zeros((600, 1)),
    "no whole numbers": np.arange(600)[:, None] % 2 + 0.5,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_columns_have_no_codes(name):
    x = OTHERS[name]
    assert not code_candidates(x, np.random.default_rng(1).permutation(x))


WEIGHTS = np.asarray([1.0, -1.0, 0.8, -0.8])


def incomplete(seed, filled, number=1200):
    """Four numbers of which a sixth is missing, and the class that follows from them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 1.0, (number, 4))
    y = ((x - 3) @ WEIGHTS + rng.normal(0, 0.3, number) > 0).astype(int)
    x[rng.random(x.shape) < 1 / 6] = np.nan
    return np.where(np.isnan(x), filled, x).astype("float32"), y


def taking_for_the_mean(filled):
    """A classifier that takes missing values, which are `filled`, for the mean."""

    def predict(x):
        is_filled = np.isnan(x) if np.isnan(filled) else np.isclose(x, filled)
        return two_classes(np.where(is_filled, 0.0, x - 3) @ WEIGHTS)

    return predict


WHERE = "in the columns 0, 1 and 2 more"

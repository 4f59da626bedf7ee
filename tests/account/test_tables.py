"""Tables that differ from training: units, exchanged columns, codes, ids, missing values."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from small_fits import compiled

from keras_shiftguard.account.candidates.code_candidates import code_candidates
from keras_shiftguard.account.candidates.table_candidates import table_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.account.fix_lines import Batch, fix_line
from keras_shiftguard.experiments.judge import Accuracy, Loss
from keras_shiftguard.account.labelled import Labelled
from keras_shiftguard.experiments.undo import undo
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.batch import spec_for

pytestmark = pytest.mark.backend
TOLERANCE = 0.02


def two_classes(score):
    """The probabilities of a classifier that knows the score of each row."""
    p = 1 / (1 + np.exp(-3 * score))
    return np.stack([1 - p, p], axis=1)


def found_for(predict, current, training):
    """Returns what the difference costs, and the rows as the line and the layer repair them."""
    spec = spec_for("input", current[0].shape, "channels_last")
    found = cost_of_difference(predict, Labelled(*current), Labelled(*training), spec, TOLERANCE)
    x = current[0]
    scope = {"x": x.copy(), "np": np}
    exec(found.fix, scope)
    repair = found.cost.repair
    return found, scope["x"], None if repair is None else np.asarray(Repair(**repair)(x))


def units(x, training):
    found = [each.choice for each in table_candidates(x, training)]
    return [each.strength for each in found if each.name == "unit" and each.strength[1] != -1]


def exchanges(x, training):
    found = [each for each in table_candidates(x, training) if each.choice.name == "exchange"]
    return [(each.choice.strength, each.rival is None) for each in found]


def test_a_unit_and_an_exchange_of_columns_are_named():
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    (training, x), (known, y) = (np.split(each[order], [300]) for each in (x.astype("float32"), y))
    keras.utils.set_random_seed(0)
    scaler = keras.layers.Normalization()
    scaler.adapt(training)
    hidden, last = keras.layers.Dense(16, "relu"), keras.layers.Dense(2, "softmax")
    model = compiled((30,), scaler, hidden, last)
    model.fit(training, known, 32, 20, verbose=0)

    def promise(x):
        candidates = table_candidates(x, training)
        predict = lambda x: keras.ops.convert_to_numpy(model.predict_on_batch(x))  # noqa: E731
        return undo(predict, x, y, candidates, Accuracy())

    scaled = x.copy()
    scaled[:, 23] *= 25.4
    exchanged = x[:, [*range(20), 23, 21, 22, 20, *range(24, 30)]]
    for changed, name in ((scaled, "unit"), (exchanged, "exchange"), (x[:, ::-1], "reverse")):
        found = promise(changed)
        assert {half[0].name for half in found.choices} <= {name, "units"}
    assert found.is_alarm(TOLERANCE) and not promise(x).is_alarm(TOLERANCE)


def test_a_loss_is_promised_as_a_share_of_its_value():
    x = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")
    weights = np.array([1.0, 2.0, 3.0])
    celsius = x * [1, 1.8, 1] + [0, 32, 0]
    squared = Loss(lambda outputs, labels: (outputs - labels) ** 2, "mse")
    candidates = table_candidates(celsius, x)
    promise = undo(lambda x: x @ weights, celsius, x @ weights, candidates, squared)
    assert promise.is_alarm(TOLERANCE) and promise.cost.metric == "mse"
    assert promise.cost.value > 0.99


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


def test_codes_in_another_order_are_told_with_the_line_that_puts_them_back():
    def predict(x):
        return two_classes(x[:, 0] + EFFECTS[np.clip(np.rint(x[:, 2]).astype(int), 0, 4)])

    x, y = coded(1)
    codes = np.asarray([3, 0, 1, 2, 4])[x[:, 2].astype(int)]
    bad = np.column_stack([x[:, :2], codes]).astype("float32")
    found, *repaired = found_for(predict, (bad, y), coded(0))
    true = np.subtract(*((predict(each).argmax(axis=1) == y).mean() for each in (x, bad)))
    low, high = found.cost.interval
    assert found.cost.is_alarm(TOLERANCE) and low <= true <= high
    assert found.how == "coded in another order in column 2 (0 for 1, 1 for 2, 2 for 3, ...)"
    for each in repaired:
        np.testing.assert_array_equal(each, x)


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


@pytest.mark.parametrize("step", [1, -1])
def test_ids_without_padding_are_put_back_whole(step):
    """Ids of categories for an embedding; 0 is one of them, in training or in validation."""
    first = max(-step, 0)
    effects = np.random.default_rng(0).normal(size=(3, 5))

    def ids(seed):
        x = np.random.default_rng(seed).integers(0, 5, (1000, 3))
        return x + first, (effects[np.arange(3), x].sum(axis=1) > 0).astype(int)

    def predict(x):
        return two_classes(effects[np.arange(3), np.clip(x - first, 0, 4)].sum(axis=1))

    x, y = ids(1)
    found, by_line, _ = found_for(predict, (x + step, y), ids(0))
    assert found.how == f"fed with token ids that are {'higher' if step > 0 else 'lower'} by 1"
    np.testing.assert_array_equal(by_line, x)


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


@pytest.mark.parametrize(
    ("there", "here", "how"),
    [
        (-9.0, 0.0, f"partly filled with 0 {WHERE}, a value that training hardly has"),
        (np.nan, 0.0, f"partly filled with 0 {WHERE}, a value that training hardly has"),
        (-9.0, np.nan, f"partly missing {WHERE}, where training has values"),
    ],
)
def test_missing_values_that_are_filled_otherwise(there, here, how):
    (bad, y), (right, _) = incomplete(1, here), incomplete(1, there)
    predict = taking_for_the_mean(there)
    found, *repaired = found_for(predict, (bad, y), incomplete(0, there))
    wrong = predict(bad)
    true = (predict(right).argmax(axis=1) == y).mean()
    true -= ((wrong.argmax(axis=1) == y) & np.isfinite(wrong).all(axis=1)).mean()
    low, high = found.cost.interval
    assert found.cost.is_alarm(TOLERANCE) and low <= true <= high and found.how == how
    for each in repaired:
        np.testing.assert_array_equal(each, right)


@pytest.mark.parametrize("filled", [0.0, np.nan])
def test_missing_values_that_are_as_in_training_are_no_alarm(filled):
    predict = taking_for_the_mean(filled)
    found, *_ = found_for(predict, incomplete(1, filled), incomplete(0, filled))
    assert not found.cost.is_costly(TOLERANCE) and not found.how

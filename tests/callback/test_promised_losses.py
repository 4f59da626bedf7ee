"""Costs in the user's own loss: regression, several inputs and outputs, several labels, masks."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, dense, regression, watched

pytestmark = pytest.mark.backend
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=6)
X = RNG.normal(size=(1600, 6)).astype("float32")
Y = (X @ WEIGHTS).astype("float32")
CUT = 1200


def fitted(model, x, y, val, epochs=3):
    return watched(model, (x, y), val, epochs, {"batch_size": 64})


def in_mm():
    """Returns the validation samples with one column in mm in place of inches."""
    x = X[CUT:].copy()
    x[:, 2] *= 25.4
    return x


@pytest.mark.each_backend
def test_a_column_in_another_unit_costs_a_share_of_the_loss():
    x, model = in_mm(), regression((6,))
    guard = fitted(model, X[:CUT], Y[:CUT], (x, Y[CUT:]))
    worst = guard.report.findings[0]
    assert worst.matters and worst.metric == "mse" and worst.cost > 0.9
    assert worst.operation[0] == "unit" and "mm and inches" in str(guard.verdict)
    assert "% of the loss (mse)" in worst.cost_words and "points" not in str(guard.report)
    # The repair does what was promised.
    repaired = keras.ops.convert_to_numpy(worst.repair(x))
    before, after = (model.evaluate(each, Y[CUT:], verbose=0) for each in (x, repaired))
    assert 1 - after / before == pytest.approx(worst.cost, abs=0.1)


def test_a_difference_that_costs_nothing_is_no_alarm():
    """A column that the target does not depend on has another unit."""
    rng = np.random.default_rng(1)
    x = np.concatenate([X, rng.normal(size=(len(X), 1)).astype("float32")], axis=1)
    val = x[CUT:].copy()
    val[:, 6] *= 1.5
    last = layers.Dense(1, kernel_regularizer=keras.regularizers.L1(0.01))
    model = compiled((7,), last, loss="mse")
    guard = fitted(model, x[:CUT], Y[:CUT], (val, Y[CUT:]), epochs=20)
    assert guard.report.findings and not guard.report.shifted


def test_a_reduced_loss_leaves_the_finding_without_a_cost():
    x = X[CUT:] + 1
    loss = lambda y, p: keras.ops.mean((keras.ops.reshape(y, (-1, 1)) - p) ** 2)  # noqa: E731
    guard = fitted(regression((6,), loss=loss), X[:CUT], Y[:CUT], (x, Y[CUT:]))  # without a warning
    assert guard.report.findings and all(f.cost is None for f in guard.report.findings)


def test_of_several_inputs_the_wrong_one_is_named():
    one, two = keras.Input((3,), name="weather"), keras.Input((3,), name="place")
    hidden = layers.Dense(32, "relu")(layers.Concatenate()([one, two]))
    outputs = {"price": layers.Dense(1, name="price")(hidden)}
    outputs["sold"] = layers.Dense(1, "sigmoid", name="sold")(hidden)
    model = keras.Model([one, two], outputs)
    model.compile(keras.optimizers.Adam(0.01), {"price": "mae", "sold": "binary_crossentropy"})
    y = {"price": Y, "sold": (Y > 0).astype("float32")}
    first, last = ({k: v[rows] for k, v in y.items()} for rows in (slice(CUT), slice(CUT, None)))
    place = X[CUT:, 3:] * np.array([1, 1000, 1], "float32")
    train = [X[:CUT, :3], X[:CUT, 3:]]
    guard = fitted(model, train, first, ([X[CUT:, :3], place], last))
    worst = guard.report.findings[0]
    assert worst.matters and worst.feature.startswith("place/1") and worst.metric == "loss"
    assert "samples of input 'place' are in another unit in column 1" in worst.explanation
    assert all(f.feature.startswith("place") for f in guard.report.findings if f.matters)


@pytest.mark.parametrize("moved", ["images", "masks"])
def test_images_moved_against_their_masks_are_an_alarm(moved):
    rng = np.random.default_rng(0)
    x, masks = np.zeros((900, 12, 12, 1), "float32"), np.zeros((900, 12, 12), "int32")
    for i in range(len(x)):
        top, left, height, width = *rng.integers(0, 6, 2), *rng.integers(3, 6, 2)
        masks[i, top : top + height, left : left + width] = 1
    x[..., 0] = masks + rng.normal(0, 0.1, masks.shape)
    if moved == "images":
        x[:, :, 0] += 0.5  # a border, which moves as well, so that the images differ
    first = layers.Conv2D(8, 3, padding="same", activation="relu")
    last = layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    model = compiled((12, 12, 1), first, last, loss="binary_crossentropy")
    fed = {"images": x[700:], "masks": masks[700:, ..., None]}
    fed[moved] = np.roll(fed[moved], 3, axis=2)
    validation = fed["images"], fed["masks"]
    guard = fitted(model, x[:700], masks[:700, ..., None], validation, epochs=4)
    row = guard.gap.fault
    assert guard.verdict.state == "act" and guard.report.shifted
    assert row.metric == "binary_crossentropy" and row.points > 0.5


def test_a_series_that_runs_backwards_is_told_although_no_statistic_differs():
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(size=(1600, 30)), axis=1).astype("float32")
    x, y = steps[:, :24, None] - steps[:, 12:13, None], steps[:, 24:26] - steps[:, 12:13]
    model = compiled((24, 1), layers.Flatten(), layers.Dense(2), loss="mae")
    guard = fitted(model, x[:CUT], y[:CUT], (x[CUT:, ::-1].copy(), y[CUT:]), epochs=4)
    (found,) = (f for f in guard.report.findings if f.matters)
    assert found.operation[0] == "backwards" and "reversed in time" in found.explanation
    right = fitted(model, x[:CUT], y[:CUT], (x[CUT:], y[CUT:]), epochs=4)
    assert not right.report.shifted


def test_texts_are_told_by_what_was_done_to_their_ids():
    """The class is the last word that is not padding, as a recurrent network might learn."""
    rng = np.random.default_rng(0)
    x = np.zeros((2000, 12), "int32")
    for row in x:
        length = rng.integers(6, 13)
        row[12 - length :] = rng.integers(1, 9, length)
    y = (x[:, -1] > 4).astype("int32")
    stack = layers.Embedding(16, 8), layers.Flatten(), layers.Dense(1, "sigmoid")
    model = compiled((12,), *stack, loss="binary_crossentropy", dtype="int32")
    val = np.where(x[CUT:] > 0, x[CUT:] + 3, 0).astype("int32")
    guard = fitted(model, x[:CUT], y[:CUT], (val, y[CUT:]), epochs=4)
    told = [f.explanation for f in guard.report.findings if f.matters]
    assert any("token ids that are higher by 3" in text for text in told)
    assert all(f.repair is None for f in guard.report.findings)


def test_with_rare_positives_the_loss_is_judged():
    """Accuracy hardly moves: always predicting the common class is right on 96 %."""
    rng = np.random.default_rng(0)
    scale = np.array([1, 1, 5, 1, 1, 1], "float32")
    x = rng.normal(size=(3600, 6)).astype("float32")
    y = (x @ WEIGHTS > 1.76 * np.linalg.norm(WEIGHTS)).astype("int32")
    x = x * scale
    model = dense((6,), 1, 16, metrics=["accuracy"])
    val = x[2400:].copy()
    val[:, 2] /= 100
    guard = fitted(model, x[:2400], y[:2400], (val, y[2400:]), 6)
    worst = guard.report.findings[0]
    assert y.mean() < 0.05 and worst.matters and worst.metric == "binary_crossentropy"
    assert worst.operation[0] == "unit" and worst.cost > 0.2

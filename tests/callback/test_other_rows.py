"""Labels of validation that stand a row away from their samples."""

import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_diabetes
from small_fits import compiled, dense, digits, watched

pytestmark = pytest.mark.backend


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (1, "x_val, y_val = x_val[:-1], y_val[1:]"),
        pytest.param(*(-1, "x_val, y_val = x_val[1:], y_val[:-1]"), marks=pytest.mark.thorough),
    ],
)
def test_class_labels_a_row_away_are_told_with_the_line_that_repairs_them(rows, line):
    x, y = digits()
    x = x.reshape(len(x), -1)
    validation = x[1200:], np.roll(y[1200:], rows)
    verdict = watched(dense((64,)), (x[:1200], y[:1200]), validation, 4).verdict
    assert verdict.state == "act" and verdict.step.startswith(line)
    assert "one row" in verdict.cause and verdict.cost > 0.7


def test_labels_of_volumes_are_judged_as_well():
    x, y = digits()
    x = np.repeat(x[:, None], 4, axis=1)  # (samples, 4, 8, 8, 1)
    validation = x[1200:], np.roll(y[1200:], 1)
    verdict = watched(dense(x.shape[1:]), (x[:1200], y[:1200]), validation, 4).verdict
    assert verdict.state == "act" and "one row" in verdict.cause and verdict.cost > 0.7


def linear(columns):
    return compiled((columns,), layers.Dense(1), loss="mse")


def test_numbers_to_predict_that_stand_a_row_away_cost_a_share_of_the_loss():
    x, y = load_diabetes(return_X_y=True, scaled=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (20 * x[order]).astype("float32"), ((y[order] - 152) / 77).astype("float32")
    train, validation = (x[:242], y[:242]), (x[242:], np.roll(y[242:], 1))
    verdict = watched(linear(10), train, validation, 12).verdict
    assert verdict.state == "act" and verdict.metric == "mse" and verdict.cost > 0.3
    assert verdict.step.startswith("x_val, y_val = x_val[:-1], y_val[1:]")


def test_targets_of_an_autoencoder_that_stand_a_row_away_are_told_though_it_does_not_fail():
    x, _ = digits()
    x = x.reshape(len(x), -1)
    model = compiled((64,), layers.Dense(8), layers.Dense(64), loss="mae")
    validation = x[1200:], np.roll(x[1200:], 1, axis=0)
    verdict = watched(model, (x[:1200], x[:1200]), validation, 2).verdict
    assert verdict.state == "act" and "one row" in verdict.cause and verdict.metric == "mae"


def test_a_series_whose_neighbours_are_alike_is_right_although_the_row_before_fits_better():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=1500)).astype("float32") / 20
    x, y = np.stack([walk[i : i + 1400] for i in range(4)], axis=1), walk[4:1404]
    verdict = watched(linear(4), (x[:900], y[:900]), (x[900:], y[900:]), 8).verdict
    assert "row" not in verdict.cause


def forecasts(late, is_walk=False):
    """Returns the verdict on shuffled windows of a series whose next six steps are predicted."""
    rng = np.random.default_rng(0)
    at = np.arange(5000)
    daily = np.sin(at / 4) + 0.5 * np.sin(at / 11) + 0.1 * rng.normal(size=5000)
    series = (rng.normal(size=5000).cumsum() / 30 if is_walk else daily).astype("float32")
    starts = rng.permutation(np.arange(0, 4960, 3))

    def windows(starts, late):
        x = np.stack([series[i : i + 24] for i in starts])[..., None]
        return x, np.stack([series[i + 24 + late : i + 30 + late] for i in starts])

    model = compiled((24, 1), layers.Flatten(), layers.Dense(6), loss="mse", rate=3e-3)
    train, validation = windows(starts[:1000], 0), windows(starts[1000:], late)
    return watched(model, train, validation, 12).verdict


def test_forecasts_whose_targets_begin_a_step_late_are_told():
    verdict = forecasts(late=1)
    assert verdict.state == "act" and "one step too late" in verdict.cause
    assert verdict.step.startswith("Let the targets of validation begin one step earlier")


@pytest.mark.parametrize("is_walk", [False, True])
def test_right_forecasts_are_fine_although_the_step_before_may_fit_better(is_walk):
    assert forecasts(late=0, is_walk=is_walk).state == "fine"


def test_labels_that_stood_there_from_the_first_epoch_are_told_since_then():
    """The model must learn for some epochs before its predictions show it."""
    x, y = digits()
    x = x.reshape(len(x), -1)
    validation = x[1200:], np.roll(y[1200:], 1)
    guard = watched(dense((64,), rate=3e-4), (x[:1200], y[:1200]), validation, 8)
    assert "one row" in guard.verdict.cause and guard.verdict.since == 1

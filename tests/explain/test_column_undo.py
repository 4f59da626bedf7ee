"""The cost of moved columns of a table, on labelled rows."""

import numpy as np
import pytest

from keras_shiftguard.explain.column_undo import cost_of_columns

RNG = np.random.default_rng(0)
OTHERS = RNG.normal(size=(800, 4)).astype("float32")
ROWS = RNG.normal(size=(1000, 4)).astype("float32")
LABELS = (ROWS[:, 0] + 0.3 * ROWS[:, 1] > 0).astype(int)


def predict(chunks):
    """A model that uses the first column, hardly the second, and not the others."""
    x = np.concatenate(chunks)
    return (np.nan_to_num(x[:, 0] + 0.3 * x[:, 1]) > 0).astype(int)


def moved(column, by):
    rows = ROWS.copy()
    rows[:, column] += by
    return rows


def test_a_column_that_the_model_does_not_use_costs_nothing():
    cost = cost_of_columns(predict, moved(3, 50), LABELS, OTHERS, [3])
    assert cost.value == 0 and not cost.is_bound and cost.interval[1] < 0.005


def test_an_offset_of_a_column_costs_what_undoing_it_brings_back():
    rows = moved(0, 1.0)
    lost = 1 - (predict([rows]) == LABELS).mean()
    cost = cost_of_columns(predict, rows, LABELS, OTHERS, [0])
    assert lost > 0.2 and cost.is_alarm(0.01)
    assert cost.value == pytest.approx(lost, abs=0.04)


def test_what_undoing_does_not_repair_has_an_upper_bound():
    """Half of the values of a column are lost; no change of unit or offset brings them back."""
    rows = ROWS.copy()
    rows[::2, 1] = 0
    cost = cost_of_columns(predict, rows, LABELS, OTHERS, [1])
    lost = 1 - (predict([rows]) == LABELS).mean()
    assert cost.is_bound and not cost.is_alarm(0.01)
    assert lost < cost.interval[1] < 0.25


def test_missing_values_stay_missing():
    rows = moved(0, 1.0)
    rows[::10, 0] = np.nan
    cost = cost_of_columns(predict, rows, LABELS, OTHERS, [0])
    assert cost.value > 0.1 and np.isnan(rows[::10, 0]).all()

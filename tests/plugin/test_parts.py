"""Helper functions of the plugin's answers: checks of values, columns, bins and rounding."""

import numpy as np
import pytest
from plugin.logs import histograms, histograms_content

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable, fitting, rounded, to_json
from tensorboard_plugin_shiftguard.bins import Drawing, common_edges, rebinned
from tensorboard_plugin_shiftguard.columns import column_of, columns, last_in_column
from tensorboard_plugin_shiftguard.metadata import SHARE_SCALE
from tensorboard_plugin_shiftguard.tables import Head, _histograms


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (checks.number, 1, 1),
        (checks.number, 0.5, 0.5),
        (checks.number, True, None),
        (checks.number, "1", None),
        (checks.number, float("nan"), None),
        (checks.number, float("-inf"), None),
        (checks.number, 10**400, None),
        (checks.whole, 3, 3),
        (checks.whole, -3, None),
        (checks.whole, 3.0, None),
        (checks.whole, 2**53, None),
        (checks.flag, 1, False),
        (checks.flag, True, True),
        (checks.name, "x" * 300, "x" * 200),
        (checks.name, 7, None),
        (checks.name, "\ud83d\ude00", "\U0001f600"),
        (checks.name, "\ude00", "\ufffd"),
        (checks.one_of("a", "b"), "b", "b"),
        (checks.one_of("a", "b"), ["b"], None),
        (checks.vector(2), [1, None], [1, None]),
        (checks.vector(2), [1, 2, 3], None),
        (checks.vector(2), {"0": 1, "1": 2}, None),
        (checks.items(checks.whole, 2), [1, -1, 2], [1]),
        (checks.items(checks.whole, 3), "123", []),
        (checks.mapping(checks.whole, 2), {"a": 1, "b": -1, "c": 2}, {"a": 1}),
        (checks.mapping(checks.whole, 2), [("a", 1)], {}),
        (checks.record(a=checks.whole), {"a": 1, "b": 2}, {"a": 1}),
        (checks.record(a=checks.whole), {}, {"a": None}),
        (checks.record(a=checks.whole), [], None),
    ],
)
def test_what_passes_a_check(check, value, expected):
    assert check(value) == expected
    assert type(check(value)) is type(expected)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"{", b"[" * 60_000, b'{"a":1' + b"0" * 5000 + b"}"])
def test_what_is_no_json(raw):
    with pytest.raises(Unreadable, match="not JSON"):
        checks.parsed(raw)


def test_constants_that_json_does_not_have_are_null():
    assert checks.parsed(b"[NaN, Infinity, -Infinity, 1]") == [None, None, None, 1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.234567, 1.2346), (np.float32(-0.1), -0.1), (1e308, 1e308), (np.nan, None)]
    + [(np.inf, None), (1.7976931348623157e308, None), (0, 0.0)],
)
def test_rounded(value, expected):
    assert rounded(value) == expected


def test_fitting_stops_before_the_budget():
    items = ["x" * 8] * 10  # ten bytes and a comma each
    assert len(fitting(items, 110)) == 10
    assert len(fitting(items, 109)) == 9
    assert fitting(items, 5) == []
    assert len(to_json(fitting(items, 55))) <= 56


def test_columns_are_all_steps_or_even_ones_with_both_ends():
    assert columns([np.array([1, 5]), np.array([2, 5])]).tolist() == [1, 2, 5]
    assert columns([]).tolist() == []
    few = columns([np.arange(1000)], 11)
    assert (len(few), few[0], few[-1]) == (11, 0, 999)
    assert np.ptp(np.diff(few)) <= 1
    assert columns([np.arange(9)], 0).tolist() == [0, 8]


def test_a_column_shows_the_last_step_since_the_column_before():
    shown = np.array([0, 10, 20])
    assert column_of(np.array([0, 1, 10, 11, 20]), shown).tolist() == [0, 1, 1, 2, 2]
    assert last_in_column(np.array([0, 1, 9]), shown).tolist() == [0, 2, -1]


def test_rebinning_spreads_evenly_and_loses_only_what_is_outside():
    edges, shares = np.array([0.0, 1, 3]), np.array([0.5, 0.5])
    np.testing.assert_allclose(rebinned(edges, shares, np.array([0, 0.5, 2, 3])), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(rebinned(edges, shares, np.array([2, 4])), [0.25])
    np.testing.assert_allclose(rebinned(edges, shares, np.array([7, 9])), [0])


def drawing(values, streams=("train", "validation")):
    return Drawing(_histograms("tag", histograms_content(["a"], list(streams))), values, 0)


def test_bins_of_no_width_are_dropped():
    values = histograms([0, None])
    values[0, 10:33] = values[0, 10]  # ten bins, the rest without width
    picture = drawing(values)
    assert len(picture.edges) == 11
    np.testing.assert_allclose(picture.shares("train"), [0.5, 0.5] + [0] * 8, atol=1e-3)
    assert picture.shares("validation") is None
    assert picture.shares("nobody") is None


def test_common_bins_span_the_middle_of_all():
    grid = 1e-6 * 1.02 ** np.arange(33)
    edges = common_edges([drawing(histograms([0, 4])), drawing(histograms([20, None]))], 40)
    assert len(edges) == 41
    assert grid[0] < edges[0] < grid[1]
    assert grid[21] < edges[-1] < grid[22]
    assert common_edges([drawing(histograms([None, None]))], 40) is None


@pytest.mark.parametrize("places", [np.arange(33) - 5, np.arange(33) + 2780, np.arange(33)[::-1]])
def test_bins_that_are_not_on_the_grid_are_none(places):
    values = histograms([0, 1])
    values[0, :33] = places
    picture = drawing(values)
    assert picture.unusable and picture.shares("train") is None


def test_shares_above_one_are_scaled_down():
    values = histograms([0, None])
    values[0, 33:65] = SHARE_SCALE
    assert drawing(values).shares("train").sum() == pytest.approx(1)


def test_a_head_knows_its_streams():
    head = Head("tag", ("a",), streams=("train", "target"))
    assert (head.stream("target"), head.stream("nobody")) == (1, None)

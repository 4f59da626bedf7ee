"""Checks of JSON from a log: what passes, what is cut, and what counts as absent."""

import pytest

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable


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

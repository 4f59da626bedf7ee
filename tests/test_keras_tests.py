"""`make test-keras` fails if a guard changes the results of Keras's own tests."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import keras_differences as differences
import keras_tests
from keras_differences import Allowed, judge

TEST = "trainers/trainer_test.py::TestTrainer::test_fit"


def result(outcome="passed", message="", calls=1, **changes):
    """Returns a result of `tools/guarded_fits.py`; by default, a fit counted all samples."""
    call = {"method": "fit", "guarded": True, "warnings": [], "raised": False}
    call |= {"batches": 2, "counted": 64, "expected": 64, **changes}
    return {"outcome": outcome, "message": message, "calls": [call] * calls}


def judged(guarded, allowed=(), plain=None, **options):
    plain = {TEST: result()} if plain is None else plain
    return judge(plain, guarded, allowed, "jax", "guard", **options)


def test_equal_results_are_good():
    found = judged({TEST: result()})
    assert found.is_good and found.counts["counted all samples"] == found.counts["fit"] == 1


@pytest.mark.parametrize(
    ("guarded", "words"),
    [
        ({}, "did not run"),
        ({TEST: result("failed", "E\nAssertionError: 3 != 2")}, "AssertionError: 3 != 2"),
        ({TEST: result("crashed", "timed out after 300 s")}, "timed out after 300 s"),
        ({TEST: result("skipped")}, "skipped"),
        ({TEST: result(warnings=["ShiftGuard stopped watching (x)"])}, "fit: ShiftGuard stopped"),
        ({TEST: result(warnings=["ShiftGuard cannot measure this"])}, "ShiftGuard cannot"),
        ({TEST: result(counted=0, expected=None)}, "0 samples of 2 batches, without a word"),
        ({TEST: result(counted=None)}, "counted 0 samples of 64 samples"),
        ({TEST: result(counted=32)}, "counted 32 samples of 64 samples"),
    ],
)
def test_each_kind_of_difference_is_a_fault_unless_it_is_allowed(guarded, words):
    found = judged(guarded)
    assert words in found.faults[TEST] and not found.is_good
    entry = Allowed("trainers/*::test_fit", words, "a reason")
    found = judged(guarded, [entry])
    assert found.is_good and "a reason" in found.allowed[TEST]
    other = Allowed("trainers/*::test_fit", "another difference", "a reason")
    assert judged(guarded, [other]).faults and judged(guarded, [other]).stale


@pytest.mark.parametrize(
    "guarded",
    [
        result(counted=0, warnings=["ShiftGuard does not measure the input 'a' (it is sparse)."]),
        result(counted=0, batches=0),
        result(counted=None, raised=True, expected=None),
    ],
)
def test_what_is_not_counted_for_a_reason_is_no_fault(guarded):
    assert judged({TEST: guarded}).is_good


def test_what_fails_without_a_guard_is_named_and_not_counted():
    found = judged({}, plain={TEST: result("failed", "no network")})
    assert found.is_good and found.failed_plain == {TEST: "no network"}
    entry = Allowed(TEST, "3 != 2", "a reason that holds where the test passes")
    assert judged({}, [entry], plain={TEST: result("failed", "no network")}).is_good
    # A test that calls no watched method has nothing to compare.
    assert judged({}, plain={TEST: result(calls=0)}).is_good


def test_the_list_of_allowed_differences_can_be_read_and_each_has_a_reason():
    for entry in differences.read_allowed():
        assert entry.reason.strip() and entry.says and "::" in entry.test
        assert set(entry.backends) <= set(keras_tests.BACKENDS)
        assert set(entry.guards) <= {"guard", "adapt"}

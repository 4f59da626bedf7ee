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


def test_an_allowed_difference_that_does_not_occur_is_stale():
    [entry] = entries = [Allowed(TEST, "", "once true")]
    found = judged({TEST: result()}, entries)
    assert found.stale == [f"{TEST}: once true"] and not found.is_good
    # An entry for another backend or another guard is not stale.
    assert judged({TEST: result()}, [Allowed(TEST, "", "", backends=("torch",))]).is_good
    assert judged({TEST: result()}, [Allowed(TEST, "", "", guards=("adapt",))]).is_good
    gone = Allowed("gone_test.py::test", "", "renamed by Keras")
    assert judged({TEST: result()}, [gone]).stale
    assert not judged({TEST: result()}, [gone], complete=False).stale
    assert judged({TEST: result()}, [entry], complete=False).stale


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


def test_the_files_are_those_that_train(tmp_path):
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "dense_test.py").write_text("self.run_layer_test(layers.Dense)")
    (tmp_path / "layers" / "devices_test.py").write_text("device_count = 2; model.fit(x)")
    (tmp_path / "ops_test.py").write_text("ops.add(1, 2)")
    files = keras_tests.chosen_files(tmp_path, [])
    assert files == ["layers/dense_test.py", "layers/devices_test.py"]
    assert keras_tests.chosen_files(tmp_path, ["ops_test.py"]) == ["ops_test.py"]
    assert keras_tests.groups(tmp_path, files) == [[files[0]], [files[1]]]

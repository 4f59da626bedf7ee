"""The tutorials of the field are all there, run under the guard, and are counted as promised."""

import runpy
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tutorials import tutorial

ROOT = Path(__file__).parents[1]
HELPERS = {"__init__", "mistakes", "sources", "tutorial"}


@pytest.fixture
def bench(monkeypatch):
    """The names of the benchmark and their values."""
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return runpy.run_path(str(ROOT / "examples/benchmarks/tutorials.py"))


def test_each_tutorial_has_a_file_and_every_third_is_set_aside():
    files = {path.stem for path in (ROOT / "examples/tutorials").glob("*.py")}
    assert files - HELPERS == set(tutorial.NAMES) and len(set(tutorial.NAMES)) == 33
    assert tutorial.ASIDE[:3] == ("siamese", "denoising", "wide_and_deep")
    assert len(tutorial.ASIDE) == 11
    for name in tutorial.NAMES:
        text = (ROOT / f"examples/tutorials/{name}.py").read_text()
        assert "\nKIND = " in text and len(text.splitlines()) <= 95, name


@pytest.mark.backend
@pytest.mark.parametrize("name", ["regression_table", "denoising"])
def test_a_tutorial_trains_as_without_the_guard_and_its_mistakes_change_validation(name, bench):
    def short():
        keras.utils.set_random_seed(0)
        whole = tutorial.load(name)
        part = tuple(each[:192] for each in whole.train)
        validation = tuple(each[:128] for each in whole.validation)
        fit = {**whole.fit, "epochs": 1}
        return replace(whole, train=part, validation=validation, fit=fit)

    plain = short()
    history, _ = bench["timed"](plain, plain.validation, [])
    guarded = short()
    row = bench["under_guard"](guarded, guarded.validation, guarded.mistakes[0])
    assert "crash" not in row, row
    assert not bench["other_keys"](history, row["history"])
    assert bench["is_equal"](history, row["history"])
    clean = plain.evaluate(plain.validation)
    for mistake in plain.mistakes:
        x, y = mistake.change(*plain.validation)
        same = np.array_equal(x, plain.validation[0]) and np.array_equal(y, plain.validation[1])
        assert not same and len(x) == len(y), mistake.name
        assert set(plain.evaluate((x, y))) == set(clean)

"""Every benchmark and tool starts from any directory, by its path, as users start it."""

import os
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# Scripts in subfolders are left out, because some of them need environments of their own.
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("examples/benchmarks", "tools")
    for path in (ROOT / folder).glob("*.py")
    if "ArgumentParser(" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_finds_what_it_imports_and_says_how_it_is_used(script, monkeypatch, capsys):
    # In tests, examples/ and tests/ are on `sys.path`, and modules of them may be imported already.
    # For a user, they are not.
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if Path(file).parent.is_relative_to(ROOT / "examples"):
            monkeypatch.delitem(sys.modules, name)
    seen = [p for p in sys.path if p not in (str(ROOT / "examples"), str(ROOT / "tests"))]
    monkeypatch.setattr(sys, "path", [str((ROOT / script).parent), *seen])
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert not end.value.code
    assert capsys.readouterr().out.startswith("usage:")


def test_the_state_of_a_guard_is_counted():
    from keras_shiftguard.statistics.batch import spec_for
    from keras_shiftguard.statistics.stream import Stream

    growth = runpy.run_path(str(ROOT / "examples/benchmarks/growth.py"))
    sizes = []
    for side in (8, 16):
        stream = Stream("train")
        stream.build([spec_for("input", (None, side, side, 3), "channels_last")])
        x = np.zeros((4, side, side, 3), "float32")
        stream.update({"input": keras.ops.convert_to_tensor(x)}, x)
        sizes.append(growth["state_bytes"](stream))
    assert sizes[1] - sizes[0] >= 4 * 4 * 3 * (16**2 - 8**2)  # the images that are kept


def records_of_adaptation(names):
    """Returns runs on two tasks; MMD is better on one of them, and has the best scores on it."""
    methods = names["METHODS"]
    better = {"mmd": {"moons": 0.2}, "auto": {"moons": 0.1, "signal-gain": 0.1}}
    better |= {"adamatch": {"signal-gain": 0.4}}
    return [
        {"task": task, "method": method, "seed": 0, "seconds": 1.0}
        | {"accuracy": 0.5 + better.get(method, {}).get(task, 0.0)}
        | {"scores": dict.fromkeys(names["SCORES"], float(method == "mmd" and task == "moons"))}
        for task in ("moons", "signal-gain")
        for method in methods
    ]


def records_of_selection(names):
    return [
        {"task": task, "method": method, "seed": 0, "quarter": names["QUARTERS"]}
        | {"accuracy": i / 10, "scores": dict.fromkeys(names["SCORES"], i)}
        for task in ("signal-gain", "digit-sensors")
        for i, method in enumerate(names["METHODS"])
    ]


def records_of_neo(names):
    accuracies = dict.fromkeys(("before", *names["METHODS"]), 0.5)
    return [
        {"subject": "cnn-mnist", "corruption": name, "mix": mix, "draw": 0} | accuracies
        for name in names["CORRUPTIONS"]
        for mix in names["MIXES"]
    ]


@pytest.fixture
def names_of(monkeypatch):
    """A function that imports a benchmark and returns its names and their values."""
    monkeypatch.syspath_prepend(str(ROOT / "examples/benchmarks"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return lambda script: runpy.run_path(str(ROOT / f"examples/benchmarks/{script}.py"))


def headers(lines):
    """Returns the first line of each Markdown table in lines of text."""
    return [a for a, b in zip(lines, lines[1:], strict=False) if b.startswith("|---")]


@pytest.mark.parametrize(
    ("script", "records", "shown"),
    [
        ("adaptation", records_of_adaptation, 1),
        ("selection_scores", records_of_selection, 0),
        ("neo", records_of_neo, 0),
    ],
)
def test_the_page_of_adaptation_has_tables_of_the_commands(
    script, records, shown, names_of, capsys
):
    names = names_of(script)
    names["tables"](records(names))
    printed = headers(capsys.readouterr().out.splitlines())
    page = (ROOT / "docs/benchmarks/adaptation.md").read_text().splitlines()
    assert printed and len(set(printed) & set(page)) == shown


def test_a_method_of_adaptation_is_chosen_on_other_tasks_or_by_scores(names_of, capsys):
    names = names_of("adaptation")
    names["tables"](records_of_adaptation(names))
    printed = capsys.readouterr().out
    # On the other task AdaMatch is best for the moons, and MMD for the signal: neither gains here.
    assert "| moons | adamatch | +0.000 | +0.100 | +0.000 |" in printed
    assert "| signal-gain | mmd | +0.000 | +0.100 | +0.400 |" in printed
    assert "| mean | (best on all: adamatch) | **+0.000** | **+0.100** | **+0.200** |" in printed
    for words in names["SCORES"].values():
        assert f"| {words} | +0.100 | +0.000 | +0.000 |" in printed
    assert "by its labels) | +0.300 | +0.200 | +0.200 |" in printed


def records_of_choices(names):
    """Returns runs on three tasks; one alternative gains on the moons and loses on the signal."""
    added = {
        ("auto: whole alignment", "moons"): 0.2,
        ("auto: whole alignment", "signal-gain"): -0.1,
    }
    methods = ["source", "auto", *(f"auto: {name}" for name in names["RULES"])]
    return [
        {"task": task, "method": method, "seed": 0}
        | {"accuracy": 0.5 + 0.1 * (method != "source") + added.get((method, task), 0.0)}
        for task in ("moons", "signal-gain", "cancer-split")
        for method in methods
    ]


def test_a_rule_of_auto_is_chosen_on_the_other_tasks(names_of, capsys):
    names = names_of("adaptation_choices")
    names["tables"](records_of_choices(names))
    printed = capsys.readouterr().out
    assert "| moons | as it is | +0.100 | +0.100 |" in printed
    assert "| signal-gain | whole alignment | +0.000 | +0.100 |" in printed
    assert "| cancer-split | whole alignment | +0.100 | +0.100 |" in printed
    assert "| mean | | **+0.067** | **+0.100** |" in printed


def test_the_page_of_augmentation_has_the_table_of_the_command(names_of, capsys):
    names = names_of("adaptation_augmentation_table")
    row = {"kind": "frost", "seed": 0, "accuracy": 0.5, "clean": 0.9}
    names["Table"]([{"policy": policy, **row} for policy in names["ORDER"]]).show()
    (printed,) = headers(capsys.readouterr().out.splitlines())
    assert printed in (ROOT / "docs/benchmarks/augmentation.md").read_text().splitlines()

"""Every benchmark and tool starts from any directory, by its path, as users start it."""

import os
import runpy
import sys
from pathlib import Path

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


@pytest.fixture
def names_of(monkeypatch):
    """A function that imports a benchmark and returns its names and their values."""
    monkeypatch.syspath_prepend(str(ROOT / "examples/benchmarks"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return lambda script: runpy.run_path(str(ROOT / f"examples/benchmarks/{script}.py"))


def headers(lines):
    """Returns the first line of each Markdown table in lines of text."""
    return [a for a, b in zip(lines, lines[1:], strict=False) if b.startswith("|---")]


def test_the_page_of_augmentation_has_the_table_of_the_command(names_of, capsys):
    names = names_of("adaptation_augmentation_table")
    row = {"kind": "frost", "seed": 0, "accuracy": 0.5, "clean": 0.9}
    names["Table"]([{"policy": policy, **row} for policy in names["ORDER"]]).show()
    (printed,) = headers(capsys.readouterr().out.splitlines())
    assert printed in (ROOT / "docs/benchmarks/augmentation.md").read_text().splitlines()

"""Every benchmark and tool starts from any directory, by its path, as users start it."""

import os
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Peers and other people's corruptions live in environments of their own.
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("examples/benchmarks", "tools")
    for path in (ROOT / folder).glob("*.py")
    if "ArgumentParser(" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_finds_what_it_imports_and_says_how_it_is_used(script, monkeypatch, capsys):
    # The tests see examples/ and tests/ and may have imported from there; a reader has not.
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

"""Every example runs from top to bottom, with `--small`, and ends with its result."""

import ast
import runpy
import sys
import warnings
from pathlib import Path

import keras
import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
# A text in the last lines that each example prints with `--small`.
SCRIPTS = {
    "adapt_augmentation": "accuracy on clean digits: ",
    "adapt_digits": "% adapted without labels",
    "backends": "preprocessing  The values of validation images are 255 times as large",
    "diagnose": "% repaired.",
    "explain_gap": "together ",
    "remember": "accuracy served wrongly ",
    "reference_profile": "keras-shiftguard compare train.profile",
    "tabular": "With the areas in square millimetres: ",
    "text": "Current samples are",
    "watch_fit": "val_shift by epoch: [0.0]",
}
# These are not run here: they need more packages or data, have a test of their own, or are imported
# by other examples.
OTHERS = {
    "demo",
    "demo_photos",
    "digits",
    "fashion",
    "first_screen",
    "lite0",
    "photos",
    "shift_tab",
}


def run(name, monkeypatch, capsys, *arguments):
    """Runs an example in this process, where Keras is imported, and checks its last lines."""
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / f"{name}.py"), *arguments, "--small"])
    monkeypatch.syspath_prepend(EXAMPLES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some examples show a guard that warns
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            assert not end.code
    lines = capsys.readouterr().out.strip().splitlines()
    assert any(SCRIPTS[name] in line for line in lines[-5:]), lines


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - {"backends"}))
def test_it_runs_and_ends_with_its_result(name, monkeypatch, capsys):
    run(name, monkeypatch, capsys)


@pytest.mark.thorough
@pytest.mark.backend
def test_the_one_for_each_backend_runs_on_this_one(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    run("backends", monkeypatch, capsys, keras.backend.backend())


@pytest.mark.thorough
def test_the_notebook_runs_from_top_to_bottom():
    notebook = nbformat.read(EXAMPLES / "diagnose.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "keep it without outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": EXAMPLES}}).execute()
    printed = notebook.cells[-1].outputs[0]["text"]
    assert "of 20 photos right" in printed


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_it_is_short_and_says_how_to_run_it(path):
    if path.stem in OTHERS:
        pytest.skip("no workflow")
    assert path.stem in SCRIPTS, "add it to SCRIPTS"
    text = path.read_text()
    assert len(text.splitlines()) < 80
    assert f"python examples/{path.stem}.py" in ast.get_docstring(ast.parse(text))

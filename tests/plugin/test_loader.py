"""The plugin's entry point never stops or slows TensorBoard, and imports no large package."""

import argparse
import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from own_process import run_python
from tensorboard.plugins import base_plugin
from tensorboard.plugins.core import core_plugin

from tensorboard_plugin_shiftguard.loader import ShiftLoader

PACKAGE = Path(__file__).parents[2] / "tensorboard_plugin_shiftguard"


def test_import_is_light():
    """Measures in a new process how long the import takes and which packages it loads."""
    code = """
import sys, time
sys.modules["tensorflow"] = None
import tensorboard.default
from tensorboard.plugins import base_plugin
before = set(sys.modules)
tensorboard.default.get_static_plugins()
start = time.perf_counter()
import tensorboard_plugin_shiftguard.loader as loader
took = time.perf_counter() - start
assert loader.ShiftLoader in tensorboard.default.get_plugins()
new = {name.split(".")[0] for name in set(sys.modules) - before}
heavy = {"keras", "tensorflow", "jax", "torch", "keras_shiftguard"} & new
print(took, *heavy)
"""
    # The best of up to three runs counts, because another process may use the processor.
    best = 1.0
    for _ in range(3):
        took, *heavy = run_python(code).stdout.split()
        assert not heavy
        best = min(best, float(took))
        if best < 0.05:
            break
    assert best < 0.05


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", 1000), ("scalars=5", 1000), ("shiftguard=7", 7), ("shiftguard=0", 0)],
)
def test_a_thousand_points_unless_the_user_says_otherwise(given, kept):
    parser = argparse.ArgumentParser()
    core_plugin.CorePluginLoader().define_flags(parser)
    flags = parser.parse_args([f"--samples_per_plugin={given}"] if given else [])
    ShiftLoader().fix_flags(flags)
    assert flags.samples_per_plugin["shiftguard"] == kept
    assert flags.samples_per_plugin.get("scalars") == (5 if "scalars" in given else None)


@pytest.mark.parametrize("flags", [{}, {"samples_per_plugin": None}])
def test_unknown_flags_are_left_alone(flags):
    ShiftLoader().fix_flags(SimpleNamespace(**flags))


def test_a_plugin_module_that_cannot_be_imported_is_absent(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tensorboard_plugin_shiftguard.plugin", None)
    assert ShiftLoader().load(base_plugin.TBContext(data_provider=None)) is None
    assert "could not be loaded" in caplog.text


def test_the_tab_needs_nothing_but_tensorboard():
    """The machine with the logs may have neither Keras nor keras_shiftguard."""
    allowed = {*sys.stdlib_module_names, "numpy", "tensorboard", "werkzeug", PACKAGE.name}
    imported = {}
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0]: path.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {(node.module or "relative").split(".")[0]: path.name}
    assert "numpy" in imported
    assert {name: path for name, path in imported.items() if name not in allowed} == {}

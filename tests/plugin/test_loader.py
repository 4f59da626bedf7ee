"""The plugin's entry point never stops or slows TensorBoard, and imports no large package."""

import argparse
import ast
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from plugin.logs import TensorBoardWSGI
from tensorboard.plugins import base_plugin
from tensorboard.plugins.core import core_plugin
from werkzeug.test import Client

from tensorboard_plugin_shiftguard.loader import ShiftLoader
from tensorboard_plugin_shiftguard.plugin import ShiftPlugin

PACKAGE = Path(__file__).parents[2] / "tensorboard_plugin_shiftguard"
CONTEXT = base_plugin.TBContext(data_provider=None)


def entry_point():
    found = metadata.entry_points(group="tensorboard_plugins", name="shiftguard")
    assert found, "not installed with its entry point: run `pip install -e .` again"
    return next(iter(found))


def test_the_entry_point_is_the_loader():
    assert entry_point().load() is ShiftLoader


def test_import_is_light():
    """Measures in a new process how long the import takes and which packages it loads."""
    code = """
import sys, time
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
        ran = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                "import sys; sys.modules['tensorflow'] = None\n" + code,
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        took, *heavy = ran.stdout.split()
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


@pytest.mark.parametrize(
    "flags",
    [
        SimpleNamespace(),
        SimpleNamespace(samples_per_plugin=None),
        SimpleNamespace(samples_per_plugin=["x"]),
    ],
)
def test_unknown_flags_are_left_alone(flags):
    ShiftLoader().fix_flags(flags)


def test_a_plugin_that_cannot_be_made_is_absent(monkeypatch, caplog):
    def fail(*_):
        raise ImportError("half an installation")

    monkeypatch.setattr(ShiftPlugin, "__init__", fail)
    assert ShiftLoader().load(CONTEXT) is None
    assert "half an installation" in caplog.text


def test_a_plugin_module_that_cannot_be_imported_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard_plugin_shiftguard.plugin", None)
    assert ShiftLoader().load(CONTEXT) is None


@pytest.mark.parametrize("method", ["is_active", "get_plugin_apps"])
def test_a_failing_method_does_not_stop_tensorboard(monkeypatch, method):
    def fail(*_):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(ShiftPlugin, method, fail)
    app = TensorBoardWSGI([ShiftLoader().load(CONTEXT)])
    listed = Client(app).get("/data/plugins_listing")
    assert listed.status_code == 200
    assert listed.json["shiftguard"]["enabled"] is False


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


def test_only_one_file_asks_tensorboard_for_data():
    methods = ("list_tensors", "list_scalars", "list_runs", "read_tensors", "read_scalars")
    asking = {
        path.name
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in (*methods, "PluginRunToTagToContent")
    }
    assert asking == {"reading.py"}

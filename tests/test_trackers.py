"""The recipes for experiment trackers run offline, and each tracker stores the guard's results."""

import ast
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[1] / "examples" / "trackers"
NOWHERE = "http://127.0.0.1:9"  # a proxy that does not exist, so every network request fails


def run(recipe, folder):
    """Runs a recipe in a process of its own, in `folder`, without a network."""
    package = recipe.partition("_")[0]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: scripts/setup all")
    environment = {
        **os.environ,
        **{name: NOWHERE for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")},
        "PYTHONPATH": os.pathsep.join([str(RECIPES.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "HOME": str(folder),
        "TRACKIO_DIR": str(folder / "trackio"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-W", "ignore", str(RECIPES / f"{recipe}.py")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def read(database, query):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.thorough
def test_mlflow_keeps_the_curves_and_the_report(tmp_path):
    run("mlflow_autolog", tmp_path)
    rows = read(tmp_path / "mlflow.db", "select key, step, value from metrics")
    curves = {name: {step: value for key, step, value in rows if key == name} for name, *_ in rows}
    assert set(curves) >= {"loss", "val_loss", "shift", "val_shift"}
    assert set(curves["val_shift"]) == {0, 1, 2}
    assert max(curves["val_shift"].values()) > 1 and curves["shift"][0] == 0
    (kept,) = tmp_path.rglob("artifacts/shift")
    written = [f for f in (tmp_path / "logs/mlflow").iterdir() if f.suffix in (".html", ".json")]
    assert {f.name for f in kept.iterdir()} == {f.name for f in written}
    assert json.loads((kept / "report.json").read_text())["shifted"]


@pytest.mark.thorough
def test_wandb_keeps_the_curves_and_the_report(tmp_path):
    run("wandb_offline", tmp_path)
    (log,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    kept = log.read_bytes()
    curves = (b"epoch/val_shift", b"epoch/shift", b"epoch/val_loss")
    for name in (*curves, b"report.json", b"shift.html"):
        assert name in kept


@pytest.mark.thorough
def test_trackio_keeps_the_curves(tmp_path):
    run("trackio_local", tmp_path)
    (database,) = (tmp_path / "trackio").glob("digits*.db")
    rows = [json.loads(row) for (row,) in read(database, "select metrics from metrics")]
    curve = [row["val_shift"] for row in rows if "val_shift" in row]
    assert len(curve) == 3 and max(curve) > 1
    assert [row["shift"] for row in rows if "shift" in row] == [0, 0, 0]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_a_recipe_is_short_and_on_the_page(path):
    text = path.read_text()
    assert len(text.splitlines()) < 30
    assert ast.get_docstring(ast.parse(text))
    page = RECIPES.parents[1] / "docs" / "experiment-trackers.md"
    _, below = page.read_text().split(f"examples/trackers/{path.name}")
    shown = below.partition("```python\n")[2].partition("```")[0]
    assert shown.count("\n") >= 3 and shown in text

"""A lower room never imports a higher one, and the rooms below Keras stay free of it."""

import ast
from pathlib import Path

import pytest

PACKAGE = "keras_shiftguard"
ROOT = Path(__file__).parents[1] / PACKAGE

# From the ground up. A room may import those below it, and itself; rooms of one
# floor do not know each other.
FLOORS = (
    ("errors", "conventions", "notebook", "npz"),
    ("profiles", "architectures", "json_files", "backend", "saved_classes", "processes"),
    ("statistics", "detection", "events", "files", "resume"),
    ("data", "answers", "given", "shift_plots", "model_inputs", "compiled_steps"),
    ("measure", "shift_watch", "shift_series", "passes", "target_answers"),
    ("shift_events", "batch_tensors"),
    ("probe", "comparison", "run_log", "arguments", "beam"),
    ("preprocessing", "adaptation", "augmentation", "batch_norm_adaptation"),
    ("explain", "repair"),
    ("watched_fit",),
    ("hooks",),
    ("guard", "cli"),
    ("__init__", "__main__"),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# These run where no backend is installed, and in a reader's own scripts.
WITHOUT_KERAS = (
    *("errors", "conventions", "notebook", "npz", "architectures"),
    *(
        "profiles",
        "detection",
        "events",
        "files",
        "json_files",
        "shift_plots",
        "shift_series",
        "shift_events",
        "resume",
    ),
)
BACKENDS = {"keras", "tensorflow", "jax", "torch"}


def room_of(module):
    """`keras_shiftguard.preprocessing.correction.convention_words` lies in `preprocessing`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(tree, module, is_package):
    """Absolute names of all that a module imports, wherever in its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = module.split(".")
                up = up[: len(up) - node.level + is_package]
                base = ".".join([*up, *filter(None, [base])])
            for alias in node.names:
                # `from keras_shiftguard import errors` names a room, not a value.
                inner = f"{base}.{alias.name}"
                names_room = base == PACKAGE and alias.name in FLOOR
                yield node.lineno, inner if names_room else base


def violations(root):
    """One sentence for each import that breaks the rule, in the tree at `root`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        room = room_of(module)
        where = path.relative_to(root)
        if room not in FLOOR:
            found.append(f"{where}: the room {room!r} is on no floor of FLOORS")
            continue
        for line, name in imported(ast.parse(path.read_text()), module, is_package):
            top = name.split(".")[0]
            if room in WITHOUT_KERAS and top in BACKENDS:
                found.append(f"{where}:{line}: {room} must do without {top}")
            if name == "keras.src" or name.startswith("keras.src."):
                found.append(f"{where}:{line}: keras.src is private")
            if top != PACKAGE:
                continue
            other = room_of(name)
            if other != room and not FLOOR.get(other, len(FLOORS)) < FLOOR[room]:
                found.append(f"{where}:{line}: {room} imports {other}, which is not below it")
    return found


def test_no_room_imports_a_higher_one():
    assert violations(ROOT) == []


def test_every_room_is_there():
    present = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert present == set(FLOOR)


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        (
            "profiles/a.py",
            "from keras_shiftguard.callback.guard import ShiftGuard",
            "profiles imports guard",
        ),
        (
            "profiles/a.py",
            "import keras_shiftguard.preprocessing.correction.convention_words",
            "imports preprocessing",
        ),
        ("statistics/a.py", "from keras_shiftguard import events", "statistics imports events"),
        ("statistics/a.py", "from ..probe import Probe", "statistics imports probe"),
        ("statistics/__init__.py", "from .. import cli", "statistics imports cli"),
        ("probe.py", "def f():\n    from keras_shiftguard.preprocessing import x", "imports prep"),
        ("probe.py", "if TYPE_CHECKING:\n    from .guard import ShiftGuard", "probe imports guard"),
        ("measure.py", "import keras_shiftguard as sg", "measure imports __init__"),
        ("measure.py", "from keras_shiftguard import ShiftGuard", "measure imports __init__"),
        ("events.py", "import keras", "events must do without keras"),
        ("profiles/a.py", "def f():\n    import jax.numpy as jnp", "profiles must do without jax"),
        ("probe.py", "from keras.src.trainers import trainer", "keras.src is private"),
        ("attic.py", "", "the room 'attic' is on no floor"),
    ],
)
def test_the_rule_can_fail(tmp_path, file, line, complaint):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"import numpy\n{line}\n")
    found = violations(tmp_path)
    assert len(found) == 1 and complaint in found[0], found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("guard.py", "from keras_shiftguard.instrument.probe import Probe"),
        ("preprocessing/a.py", "from .b import c\nfrom ..profiles import InputProfile"),
        ("preprocessing/__init__.py", "from . import a"),
        ("cli.py", "from keras_shiftguard import errors, files"),
        ("probe.py", "import keras\nfrom keras import ops"),
    ],
)
def test_the_rule_lets_pass_what_is_right(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(line)
    assert violations(tmp_path) == []

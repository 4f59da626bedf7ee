"""Imports go one way: no room (subpackage) imports a higher one, no files import in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = "keras_shiftguard"
ROOT = Path(__file__).parents[1] / PACKAGE

# The floors of rooms, from the lowest to the highest. A room may import rooms of lower floors, and
# itself. Rooms of one floor do not import each other.
FLOORS = (
    ("terminal",),
    ("errors", "conventions"),
    ("io",),
    ("profiles",),
    ("statistics", "detection"),
    ("instrument", "operations"),
    ("comparison", "log", "preprocessing", "beam"),
    ("adaptation", "account"),
    ("explain",),
    ("domains",),
    ("callback",),
    ("__init__", "__main__"),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# Rooms and files that must also work where no backend is installed.
WITHOUT_KERAS = (
    *("terminal", "errors", "conventions", "profiles", "detection"),
    *("io.as_page", "io.atomic_files", "io.file_locks", "io.images", "io.json_files", "io.npz"),
    "io.temporaries",
    *("log.epoch_history", "log.event_writer", "log.resume", "log.run_page", "log.shift_tab"),
    *("log.shift_tab_bins", "log.shift_tab_findings", "log.shift_tab_series"),
    "preprocessing.expected.architectures",
)
BACKENDS = {"keras", "tensorflow", "jax", "torch"}


def modules_of(root):
    """Maps the dotted name of every module under `root` to its file."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module):
    """Returns the room of a module: `preprocessing` for `keras_shiftguard.preprocessing.case`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(path, module, known):
    """Yields the line and the absolute name of every module that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = module.split(".")
                up = up[: len(up) - node.level + (path.name == "__init__.py")]
                base = ".".join([*up, *filter(None, [base])])
            for alias in node.names:
                # `from keras_shiftguard import errors` names a module, not a value.
                inner = f"{base}.{alias.name}"
                names_room = base == PACKAGE and alias.name in FLOOR
                yield node.lineno, inner if inner in known or names_room else base


def violations(root):
    """Returns one sentence for each import under `root` that breaks a rule."""
    known = modules_of(root)
    found, arrows = [], {}
    for module, path in known.items():
        room, where = room_of(module), path.relative_to(root)
        if room not in FLOOR:
            found.append(f"{where}: the room {room!r} is on no floor of FLOORS")
            continue
        inside = module.removeprefix(f"{PACKAGE}.")
        free = any(inside == name or inside.startswith(f"{name}.") for name in WITHOUT_KERAS)
        for line, name in imported(path, module, known):
            top = name.split(".")[0]
            if free and top in BACKENDS:
                found.append(f"{where}:{line}: {inside} must do without {top}")
            if name == "keras.src" or name.startswith("keras.src."):
                found.append(f"{where}:{line}: keras.src is private")
            if top != PACKAGE:
                continue
            other = room_of(name)
            if other != room and not FLOOR.get(other, len(FLOORS)) < FLOOR[room]:
                found.append(f"{where}:{line}: {room} imports {other}, which is not below it")
            elif name in known and name != module:
                arrows.setdefault(module, set()).add(name)
    return found + circles(arrows)


def circles(arrows):
    """Returns a sentence for each module that imports itself through other modules."""

    def reached(start):
        seen, stack = set(), [start]
        while stack:
            new = arrows.get(stack.pop(), set()) - seen
            seen |= new
            stack += new
        return seen

    return [
        f"{name} imports itself in a circle" for name in sorted(arrows) if name in reached(name)
    ]


def test_no_import_breaks_a_rule():
    assert violations(ROOT) == []


def test_every_room_is_there_and_the_root_is_small():
    present = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert present == set(FLOOR)
    assert len(list(ROOT.glob("*.py"))) <= 8


def write(tmp_path, file, text):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        (
            "profiles/a.py",
            "from keras_shiftguard.callback.guard import ShiftGuard",
            "profiles imports callback",
        ),
        ("statistics/a.py", "from ..instrument.probe import Probe", "imports instrument"),
        (
            "instrument/a.py",
            "if TYPE_CHECKING:\n    from ..callback.guard import X",
            "imports callback",
        ),
        ("instrument/a.py", "from keras_shiftguard import ShiftGuard", "imports __init__"),
        ("log/event_writer.py", "import keras", "log.event_writer must do without keras"),
        (
            "instrument/a.py",
            "from keras.src.trainers import trainer",
            "keras.src is private",
        ),
        ("attic.py", "", "the room 'attic' is on no floor"),
    ],
)
def test_the_rules_can_fail(tmp_path, file, line, complaint):
    write(tmp_path, file, f"import numpy\n{line}\n")
    found = violations(tmp_path)
    assert len(found) == 1 and complaint in found[0], found


def test_a_circle_of_files_is_found(tmp_path):
    write(tmp_path, "io/a.py", "from keras_shiftguard.io.b import x")
    write(tmp_path, "io/b.py", "def f():\n    from keras_shiftguard.io import c")
    write(tmp_path, "io/c.py", "if TYPE_CHECKING:\n    from .a import y")
    write(tmp_path, "io/d.py", "from .a import y")
    circle = [f"keras_shiftguard.io.{name} imports itself in a circle" for name in "abc"]
    assert violations(tmp_path) == circle

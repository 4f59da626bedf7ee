"""Writes the table and the picture of the rooms (subpackages) for contributors, from the code.

    python tools/room_map.py --write  # docs/where-changes-go.md and docs/images/rooms.svg

The table shows the first line of the docstring of each room. In the picture, an arrow leads from a
room to a room that imports it. An arrow that other arrows imply is left out: `callback` imports
`profiles`, but also `log`, which imports `profiles`.
"""

import argparse
import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_shiftguard"
PAGE = ROOT / "docs" / "where-changes-go.md"
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
START, END = "<!-- rooms: written by tools/room_map.py -->", "<!-- end of rooms -->"
STEP_X, STEP_Y = 190, 70  # from one box of the picture to the next
BOX_X, BOX_Y = 120, 40  # size of a box


def rooms() -> dict[str, str]:
    """Returns the first line of the docstring of each room, by the name of its folder."""
    found = {}
    for path in sorted(PACKAGE.glob("*/__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.parent.name] = text.partition("\n")[0]
    return found


def imports(names: set[str]) -> dict[str, set[str]]:
    """Returns the rooms that each room imports."""
    found: dict[str, set[str]] = {name: set() for name in sorted(names)}
    for name in sorted(names):
        for path in (PACKAGE / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    parts = node.module.split(".")
                    if parts[0] == PACKAGE.name and len(parts) > 1 and parts[1] in names - {name}:
                        found[name].add(parts[1])
    return found


def without_shortcuts(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Returns the transitive reduction: the arrows that other arrows do not imply."""

    def below(name: str) -> set[str]:
        return arrows[name].union(*(below(other) for other in arrows[name]))

    return {
        name: {other for other in others if not any(other in below(o) for o in others - {other})}
        for name, others in arrows.items()
    }


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Returns the height of each room: the length of its longest chain of imports."""
    height: dict[str, int] = {}
    while len(height) < len(arrows):
        for name in sorted(arrows):
            if name not in height and arrows[name] <= height.keys():
                height[name] = 1 + max((height[other] for other in arrows[name]), default=-1)
    return height


def table() -> str:
    """Returns a Markdown table with a line for each room, in the order of `floors`."""
    lines = rooms()
    height = floors(imports(set(lines)))
    ordered = sorted(lines, key=lambda name: (height[name], name))
    rows = [f"| `{name}/` | {lines[name]} |" for name in ordered]
    return "\n".join(["| room | what is in it |", "|---|---|", *rows])


def picture() -> str:
    """Returns an SVG picture: rooms as boxes in columns, the lowest on the left, and arrows."""
    arrows = without_shortcuts(imports(set(rooms())))
    height = floors(arrows)
    columns = [
        [n for n in sorted(arrows) if height[n] == h] for h in range(max(height.values()) + 1)
    ]
    tall = max(map(len, columns))
    place = {}
    for x, names in enumerate(columns):
        for y, name in enumerate(names):
            place[name] = (20 + STEP_X * x, 20 + STEP_Y * (y + (tall - len(names)) / 2))
    size = (STEP_X * len(columns) - STEP_X + BOX_X + 40, STEP_Y * tall)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]:g}" '
        'font-family="sans-serif" font-size="14">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#666"/></marker>',
    ]
    for high in sorted(arrows):
        for low in sorted(arrows[high]):
            (x, y), (to_x, to_y) = place[low], place[high]
            x, y, to_y = x + BOX_X, y + BOX_Y / 2, to_y + BOX_Y / 2
            middle = (x + to_x) / 2
            parts.append(
                f'<path d="M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}" '
                'fill="none" stroke="#666" marker-end="url(#tip)"/>'
            )
    for name, (x, y) in place.items():
        parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{BOX_X}" height="{BOX_Y}" rx="6" fill="#eef" '
            f'stroke="#446"/><text x="{x + BOX_X / 2:g}" y="{y + 25:g}" text-anchor="middle">'
            f"{name}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def written(page: str) -> str:
    """Returns the page with its table made again from the code."""
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n\n{table()}\n\n{END}", page)


def main() -> None:
    """Writes the page and the picture, or prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the page and the picture")
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        PICTURE.write_text(picture(), encoding="utf-8")
    else:
        print(table())


if __name__ == "__main__":
    main()

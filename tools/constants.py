"""Lists the module-level constants that hold numbers, and whether a comment says their source.

    python tools/constants.py            # counts by room, and the constants without a source
    python tools/constants.py --list io  # the constants of a room, with the kinds of their sources
    python tools/constants.py --same     # values that several constants have

A comment belongs to a constant if it stands directly above it, at the end of one of its lines, or
above a group of constants that follow each other without an empty line. It says the source in one
of these ways:

- a paper: its year, as in "Northcutt et al., 2021";
- measured: the command or the page of this repository that measured it, or what it does, as in
  "A convention, checked in docs/benchmarks/false-alarms.md.";
- given: "Given by PNG.", of a number that a format, a library, a definition or another number
  decides;
- a convention: "A convention.", or "Conventions." of several, of a number that somebody chose.
"""

import argparse
import ast
import io
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_shiftguard"
# The first pattern that matches is the kind of the source. "2048" is no year.
SOURCES = {
    "measured": r"\b(?:examples|docs|tools|tests)/[\w/-]+\.\w+",
    "a paper": r"\b(?:1[89]\d\d|20[0-3]\d)\b",
    "given": r"\b[Gg]iven by\b",
    "a convention": r"\b[Aa] convention[.:,;]|\bConventions[.:,]",
}


@dataclass(frozen=True)
class Constant:
    """A constant of a module: its name, its place, its numbers and its comment."""

    name: str
    path: Path
    line: int
    value: str
    numbers: int
    comment: str

    @property
    def room(self) -> str:
        """The folder of the package that the file is in; the package itself for other files."""
        inside = self.path.relative_to(PACKAGE).parts
        return inside[0] if len(inside) > 1 else PACKAGE.name

    @property
    def source(self) -> str | None:
        """The kind of the source that the comment says, or None."""
        return next((kind for kind, p in SOURCES.items() if re.search(p, self.comment)), None)

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.name} = {self.value[:60]}"


def numbers(value: ast.expr) -> int:
    """Returns how many numbers are written in an expression."""
    return sum(
        isinstance(node, ast.Constant) and type(node.value) in (int, float)
        for node in ast.walk(value)
    )


def assigned(node: ast.stmt) -> list[tuple[str, ast.expr]]:
    """Returns the upper-case names that a statement assigns numbers to, with their values."""
    if isinstance(node, ast.AnnAssign) and node.value:
        targets, value = [node.target], node.value
    elif isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    else:
        return []
    pairs: list[tuple[ast.expr, ast.expr]] = []
    for target in targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs += zip(target.elts, value.elts, strict=True)
        else:
            pairs.append((target, value))
    return [
        (t.id, v) for t, v in pairs if isinstance(t, ast.Name) and t.id.isupper() and numbers(v)
    ]


def constants(path: Path) -> Iterator[Constant]:
    """Yields the constants of a file, each with the comments that belong to it."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    block: list[str] = []  # the last block of comments above, until an empty line
    ended = 0
    for node in ast.parse(text).body:
        above = range(ended + 1, node.lineno)
        if any(not lines[i - 1].strip() for i in above):
            block = []
        own = []
        for i in above:
            own = [*own, comments[i]] if i in comments else []
        block = own or block
        ended = node.end_lineno or node.lineno
        inside = [comments[i] for i in range(node.lineno, ended + 1) if i in comments]
        for name, value in assigned(node):
            comment = " ".join([*block, *inside])
            yield Constant(name, path, node.lineno, ast.unparse(value), numbers(value), comment)


def all_constants() -> list[Constant]:
    """Returns the constants of all files of the package."""
    return [each for path in sorted(PACKAGE.rglob("*.py")) for each in constants(path)]


def table(found: list[Constant]) -> str:
    """Returns the counts of each room: constants, numbers, and constants by kind of source."""
    kinds = [*SOURCES, None]
    lines = ["room              constants  numbers  " + "  ".join(k or "no source" for k in kinds)]
    for room in [*sorted({each.room for each in found}), "all"]:
        of_room = [each for each in found if room in (each.room, "all")]
        count = Counter(each.source for each in of_room)
        cells = "  ".join(f"{count[k]:>{len(k or 'no source')}}" for k in kinds)
        total = sum(each.numbers for each in of_room)
        lines.append(f"{room:<16}  {len(of_room):>9}  {total:>7}  {cells}")
    return "\n".join(lines)


def main() -> None:
    """Prints the counts and what has no source, the constants of a room, or equal values."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", metavar="ROOM", help="the constants of this room")
    parser.add_argument("--same", action="store_true", help="values that several constants have")
    arguments = parser.parse_args()
    found = all_constants()
    if arguments.list:
        for each in found:
            if each.room == arguments.list:
                print(f"{each}  [{each.source}]")
    elif arguments.same:
        by_value = defaultdict(list)
        for each in found:
            by_value[each.value].append(each)
        for group in by_value.values():
            if len(group) > 1:
                print(*group, "", sep="\n")
    else:
        print(table(found))
        print(*(each for each in found if not each.source), sep="\n")


if __name__ == "__main__":
    main()

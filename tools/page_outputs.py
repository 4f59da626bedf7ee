"""Runs the code of the guide pages and compares or updates the outputs shown on them.

    python tools/page_outputs.py             # lists the pages that are out of date
    python tools/page_outputs.py --write     # updates them

A page is run if it has a comment `<!-- run first`. The comment holds set-up code, such as a model
and images that the reader already has. Then the blocks run from top to bottom: `python` blocks,
each with the indented block below it as its output, and `console` blocks, with the commands after
`$`. Blocks after a comment `<!-- run no further -->` do not run, because they use names that the
page does not define. A line `[...]` in an output stands for lines that the page leaves out.
`tests/test_pages.py` runs every page and compares. Numbers may differ by
5 %, words not at all.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WIDTH = 76  # characters of a line of output that fit beside the navigation of a page
TOLERANCE = 0.05  # relative difference that numbers may have
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
SETUP = re.compile(r"<!-- run first\n(.*?)-->", re.DOTALL)
END = "<!-- run no further -->"
CUT = "[...]"
BEGINNING = 12  # characters of a line by which it is found again; they should hold no numbers
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n(?P<printed>(?: {4}[^\n]*\n|\n(?= {4}))+))?"
    r"|^```console\n(?P<session>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)


def pages() -> list[Path]:
    """Returns the pages that are run."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if SETUP.search(page.read_text())]


def renewed(page: str) -> str:
    """Runs a page, and returns it with the new outputs of its code."""
    setup = SETUP.search(page)
    assert setup is not None
    names: dict[str, Any] = {"__name__": "page"}
    before = os.getcwd()
    sys.path.insert(0, str(ROOT / "examples"))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some pages show a guard that warns
        os.chdir(folder)
        try:
            _printed(setup[1], names)
            part, end, rest = page.partition(END)
            return BLOCK.sub(lambda block: _renewed_block(block, names), part) + end + rest
        finally:
            os.chdir(before)
            sys.path.remove(str(ROOT / "examples"))


def agrees(page: str, today: str) -> bool:
    """Returns whether two versions of a page have equal words and nearly equal numbers."""
    texts = [" ".join(NUMBER.sub("#", text).split()) for text in (page, today)]
    if texts[0] != texts[1]:
        return False
    pairs = zip(*([_value(n) for n in NUMBER.findall(text)] for text in (page, today)), strict=True)
    return all(abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-9 for a, b in pairs)


def _renewed_block(block: re.Match[str], names: dict[str, Any]) -> str:
    if block["session"] is not None:
        return f"```console\n{''.join(_session(block['session']))}```\n"
    printed = _printed(block["code"], names)
    if block["printed"] is None:
        return block[0]
    kept = printed.strip()
    if CUT in block["printed"]:
        kept = _shortened(kept, [line.strip() for line in block["printed"].splitlines()])
    shown = "".join(f"    {line}".rstrip() + "\n" for line in _wrapped(kept))
    return f"```python\n{block['code']}```\n\n{shown}"


def _shortened(printed: str, shown: list[str]) -> str:
    """Returns an output with a mark for the lines whose beginning the page does not show."""
    beginnings = [line[:BEGINNING] for line in shown if line and line != CUT]
    lines: list[str] = []
    for line in printed.splitlines():
        if line.strip()[:BEGINNING] in beginnings:
            lines.append(line)
        elif lines[-1:] != [CUT]:
            lines.append(CUT)
    return "\n".join(lines)


def _printed(code: str, names: dict[str, Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "<page>", "exec"), names)
    return out.getvalue()


def _session(text: str) -> Iterator[str]:
    """Runs the commands of a shell session; yields each command and its output, line by line."""
    from keras_shiftguard_cli import main

    status = 0
    for line in re.findall(r"^\$ .*$", text, re.MULTILINE):
        yield f"{line}\n"
        command, *arguments = shlex.split(line[2:], comments=True)
        if command == "keras-shiftguard":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                status = main(arguments)
            yield from (f"{line}\n" for line in _wrapped(out.getvalue().strip()))
        elif line == "$ echo $?":
            yield f"{status}\n"
        else:
            raise ValueError(f"A page may call keras-shiftguard and `echo $?`. Received: {line}")


def _wrapped(text: str) -> Iterator[str]:
    """Yields the lines of a text, long ones broken at a space and indented further."""
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [
            ""
        ]


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def main() -> int:
    """Checks all pages, or writes them; returns the exit status."""
    status = 0
    for path in pages():
        page = path.read_text()
        today = renewed(page)
        if agrees(page, today):
            continue
        if "--write" in sys.argv:
            path.write_text(today)
        else:
            status = 1
        print(f"{'written' if '--write' in sys.argv else 'out of date'}: {path.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())

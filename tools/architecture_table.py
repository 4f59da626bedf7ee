"""MkDocs hook that puts the table of architectures into the documentation.

The table is made from `preprocessing/expected/architectures.py`, so the two always agree.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

MARK = "<!-- table of architectures -->"
PACKAGE = Path(__file__).parents[1] / "keras_shiftguard"
SOURCE = PACKAGE / "preprocessing" / "expected" / "architectures.py"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Returns the page with the table in it; MkDocs calls this for every page."""
    return markdown.replace(MARK, table()) if MARK in markdown else markdown


def table() -> str:
    """Returns the table as Markdown, with one row for each network."""
    rows = [
        "| network | `mode` | feed it | size | top-1 | top-5 |",
        "|---|---|---|---|---|---|",
    ]
    for network in _module().ARCHITECTURES.values():
        feed = "0..255, R, G, B" if network.inside else "that"
        top = (f"{100 * rate:.1f}" if rate else "" for rate in (network.top1, network.top5))
        cells = (network.name, f"`{network.mode}`", feed, network.size, *top)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def _module() -> ModuleType:
    """Returns `architectures.py` as a module, without its package, whose import starts Keras."""
    spec = importlib.util.spec_from_file_location("architectures_alone", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

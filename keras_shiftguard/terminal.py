"""Text in the terminal, on lines of its own after Keras's progress bar.

The bar leaves the terminal's line open between batches, so other text would be appended to the
bar. Keras draws the bar again on the next line.
"""

import sys
from os import PathLike, fspath

# Holds one `True` while a progress bar has left the line open. The list is global, because all
# guards of a process write to the same terminal.
_open_lines: list[bool] = []


def mark_line(is_open: bool) -> None:
    """Records whether a progress bar has left the current line open."""
    _open_lines[:] = [True] if is_open else []


def end_line() -> None:
    """Ends the line of a progress bar, if one is open."""
    if _open_lines:
        _open_lines.clear()
        _print("")


def say(text: str) -> None:
    """Prints a text on a new line; does nothing if the output is closed."""
    end_line()
    _print(printable(text))


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Returns a text with escapes such as `\x1b` in place of characters that control a terminal.

    The name of a file may hold any character, and so hide or rewrite what a terminal shows.

    Args:
        text: The text.
        keep: Control characters that are left as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def shown(path: str | PathLike[str]) -> str:
    """Returns a path or the name of a file for a message: without any control character."""
    return printable(fspath(path), keep="")


def _print(text: str) -> None:
    try:
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            encoding = getattr(sys.stdout, "encoding", None) or "ascii"
            print(text.encode(encoding, "replace").decode(encoding), flush=True)
    except (OSError, ValueError):  # the output is closed
        pass

"""The terminal's current line, which Keras's progress bar leaves open between batches.

Text that is printed meanwhile would be glued to the bar. So whatever this package prints or warns
ends that line first; the bar is then drawn again below.
"""

_open_lines: list[bool] = []  # one entry while the line is open: a process has one terminal


def mark_line(is_open: bool) -> None:
    """Notes whether a progress bar has left the current line open."""
    _open_lines[:] = [True] if is_open else []


def end_line() -> None:
    """Ends the line of a progress bar, if one is open."""
    if _open_lines:
        _open_lines.clear()
        print(flush=True)

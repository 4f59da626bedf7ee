"""Line breaks after Keras's progress bar, before this package prints or warns.

The bar leaves the terminal's line open between batches, so other text would be appended to the
bar. Keras draws the bar again on the next line.
"""

_open_lines: list[bool] = []  # one entry while the line is open: a process has one terminal


def mark_line(is_open: bool) -> None:
    """Records whether a progress bar has left the current line open."""
    _open_lines[:] = [True] if is_open else []


def end_line() -> None:
    """Ends the line of a progress bar, if one is open."""
    if _open_lines:
        _open_lines.clear()
        print(flush=True)

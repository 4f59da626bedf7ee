"""Output of the commands: help, results, progress bars and exit statuses."""

import contextlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import click

# Exit statuses. FOUND: a mismatch, a shift or a gap was found. `demo` returns FOUND if the verdict
# does not name the mistake.
OK, FOUND, BAD_INPUT = 0, 1, 2

Item = TypeVar("Item")


class BadInput(click.ClickException):
    """A file or value on the command line cannot be used."""

    exit_code = BAD_INPUT


class Command(click.Command):
    """A command whose usage line begins with a lower-case letter, as its error messages do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:  # click's parser raises errors without a context
            error.ctx = error.ctx or ctx
            raise

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix="usage: ")


def start_library() -> None:
    """Imports Keras and the library, which takes seconds. Meanwhile a terminal shows a note."""
    note = "Starting Keras ..." if sys.stderr.isatty() else ""
    click.echo(note, nl=False, err=True)
    try:
        with _silence():
            from keras_shiftguard.errors import ShiftWarning
    finally:
        click.echo("\r" + " " * len(note) + "\r" if note else "", nl=False, err=True)
    warnings.simplefilter("always", ShiftWarning)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides what TensorFlow writes directly to standard error when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    standard_error = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def show(result: Any, as_json: bool) -> None:
    """Prints a result as text or as JSON."""
    from keras_shiftguard.io.json_files import plain

    if as_json:
        result = json.dumps(plain(getattr(result, "to_dict", lambda: result)()), indent=2)
    echo(result)


def printable(text: Any) -> str:
    """Returns a text with escapes in place of characters that control a terminal.

    The name of a file may hold any character. `keras_shiftguard.terminal` has the same function,
    but importing it starts Keras.
    """
    keep = "\n\t"
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in str(text))


def echo(result: Any) -> None:
    """Prints a result. A reader that stops early, such as `head`, does not change the status."""
    try:
        click.echo(printable(result))
    except BrokenPipeError:
        # Python flushes standard output once more when it exits, which would raise the error again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def steps(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yields the items, with a progress bar on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label=printable(label), file=sys.stderr) as bar:
        yield from bar

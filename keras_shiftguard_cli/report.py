"""The command `keras-shiftguard report LOG_DIR`."""

from pathlib import Path

import click

from keras_shiftguard_cli.output import FOUND, OK, BadInput, Command, echo


@click.command(cls=Command)
@click.argument("log_dir", type=click.Path(path_type=Path), metavar="LOG_DIR")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to write. [default: shift.html in LOG_DIR]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the data of the page as JSON instead.")
def report(log_dir: Path, output: Path | None, as_json: bool) -> int:
    """Write one HTML page about a run, to send or to print.

    LOG_DIR is the `log_dir` of a ShiftGuard. The guard itself writes the page after each epoch.
    This command makes the page again, for example from an older log, or to add the result of
    `explain_gap`. It does not start Keras. The page can be opened from a disk and loads nothing
    from the network.

    \b
      keras-shiftguard report logs/run1
      keras-shiftguard report logs/run1 -o night-shift.html

    Exit status: 0 ok, 1 a mismatch, shift or gap, 2 bad input.
    """
    # Imported here because help and usage errors do not need Jinja2.
    import json

    from keras_shiftguard_page import page
    from keras_shiftguard_page.assemble import MalformedData
    from keras_shiftguard_page.log_files import UnreadableLog, is_alarm, read_parts

    try:
        parts = read_parts(log_dir)
        text = page(parts, log_dir)
        found = is_alarm(parts)
    except UnreadableLog as error:
        raise BadInput(str(error)) from error
    except (MalformedData, AttributeError) as error:
        raise BadInput(f"{log_dir} does not hold what a ShiftGuard writes. {error}") from error
    if as_json:
        echo(json.dumps(parts, indent=2))
        return FOUND if found else OK
    target = output or log_dir / "shift.html"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{target} cannot be written: {error}") from error
    echo(target)
    if parts.get("verdict"):
        echo(parts["verdict"]["text"])
    return FOUND if found else OK

"""The program `keras-shiftguard`: its list of commands, and its handling of errors."""

import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import click

from keras_shiftguard_cli.compare import compare
from keras_shiftguard_cli.demo import demo
from keras_shiftguard_cli.diagnose import diagnose
from keras_shiftguard_cli.explain import explain
from keras_shiftguard_cli.output import BAD_INPUT, BadInput, Command, printable
from keras_shiftguard_cli.profile import profile
from keras_shiftguard_cli.report import report

INTERRUPTED = 130  # exit status after Ctrl-C, by the convention of shells
EPILOG = """\b
Exit status: 0 ok or unknown, 1 a mismatch, shift or gap was found,
2 bad input or wrong usage.

\b
The backend is Keras's own choice: KERAS_BACKEND=jax keras-shiftguard ...

\b
Completion in bash (or zsh_source, fish_source):
  eval "$(_KERAS_SHIFTGUARD_COMPLETE=bash_source keras-shiftguard)"
"""


class Program(Command, click.Group):
    """The group of all commands. The help lists them in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    epilog=EPILOG,
)
@click.version_option(package_name="keras-shiftguard", message="%(prog)s %(version)s")
def program() -> None:
    """Why is a Keras model less accurate than it should be?

    \b
      keras-shiftguard demo                            a first look
      keras-shiftguard diagnose model.keras photos/    check the preprocessing
      keras-shiftguard profile train/ -o my.profile    save the statistics of images
      keras-shiftguard compare my.profile new/         report what has changed since
      keras-shiftguard explain model.keras labelled/   explain an accuracy gap
      keras-shiftguard report logs/run1                write one page about a run

    `keras-shiftguard COMMAND --help` explains a command.
    """


for command in (diagnose, profile, compare, explain, report, demo):
    program.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: Arguments after the program's name. Defaults to `sys.argv[1:]`.

    Returns:
        The exit status: 0 ok, 1 something was found, 2 bad input or an unexpected error,
        130 interrupted.

    Raises:
        SystemExit: With status 2, if the usage was wrong.
    """
    arguments = None if argv is None else list(argv)
    with warnings.catch_warnings():
        # Deprecation warnings of libraries do not help the user of a command.
        warnings.simplefilter("ignore")
        warnings.showwarning = _show_warning
        try:
            status = program.main(arguments, prog_name="keras-shiftguard", standalone_mode=False)
        except click.UsageError as error:
            _explain_usage(error)
            sys.exit(BAD_INPUT)
        except click.Abort:
            click.echo("interrupted", err=True)
            status = INTERRUPTED
        except BadInput as error:
            _complain(f"error: {error.message}")
            status = BAD_INPUT
        except OSError as error:  # such as a full disk, or a path without permission
            _complain(f"error: {error}")
            status = BAD_INPUT
        except Exception as error:  # uncaught, it gives status 1: "something was found"
            from keras_shiftguard.errors import ShiftGuardError

            if isinstance(error, ShiftGuardError):
                _complain(f"error: {error}")
            else:
                _complain(traceback.format_exc().rstrip())
            status = BAD_INPUT
    return int(status or 0)


def _explain_usage(error: click.UsageError) -> None:
    context = error.ctx or click.Context(program, info_name="keras-shiftguard")
    click.echo(context.get_usage(), err=True)
    click.echo(f"Try `{context.command_path} --help`.", err=True)
    _complain(f"error: {error.format_message()}")


def _show_warning(message: Any, *where: Any, **more: Any) -> None:
    _complain(f"warning: {message}")


def _complain(text: str) -> None:
    click.echo(printable(text), err=True)

"""`keras-shiftguard explain MODEL DATA`."""

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import BadInput, Command


@click.command(cls=Command)
@arguments.model
@arguments.data
@arguments.as_json
def explain(model: str, data: str, as_json: bool) -> int:
    """Where the accuracy went (not in this version).

    \b
      keras-shiftguard explain model.keras labelled/

    Exit status: 0 no gap, 1 a gap was found, 2 bad input.
    """
    raise BadInput("`explain` is not in this version.")

"""The command `keras-shiftguard explain MODEL DATA`."""

from pathlib import Path
from typing import Any

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import FOUND, OK, Command, show, start_library
from keras_shiftguard_cli.reading import (
    Pipeline,
    check_data,
    check_exists,
    check_model_file,
    is_profile,
    load_model,
)


@click.command(cls=Command)
@arguments.model
@arguments.data
@click.option(
    "--reference",
    metavar="REFERENCE",
    help="The accuracy to compare with: labelled data, a profile that holds an accuracy, a number "
    "such as 0.76, or `published`. [default: the published accuracy if known, else the accuracy "
    "on DATA with all removable causes removed]",
)
@arguments.reading_options(max_samples=10_000)
@arguments.as_json
def explain(model: str, data: str, reference: str | None, pipeline: Pipeline, as_json: bool) -> int:
    """Explain an accuracy gap by its causes, as a table that adds up.

    DATA is a directory with a folder of images for each class (in alphabetical order, or named
    by class id), or a .npz file with `x` and `y`. As with `diagnose`, the options below describe
    what your own pipeline does to the files.

    \b
      keras-shiftguard explain resnet50.keras val/ --reference published
      keras-shiftguard explain model.keras new/ --reference old/ --rescale 1/255 0
      keras-shiftguard explain model.keras val.npz --reference 0.91 --json

    Exit status: 0 no gap beyond sampling, 1 a gap, 2 bad input.
    """
    is_file = not (reference is None or reference == "published" or _is_number(reference))
    check_data(data)
    check_exists(*([str(reference)] if is_file else []))
    check_model_file(model)
    start_library()
    from keras_shiftguard.explain.gap import explain_gap

    loaded = load_model(model)
    compared_with: Any = reference
    if reference is not None and _is_number(reference):
        compared_with = float(reference)
    elif is_file and not is_profile(str(reference)):
        compared_with = pipeline.labelled(str(reference), loaded)
    labelled = pipeline.labelled(data, loaded)
    report = explain_gap(loaded, labelled, compared_with, max_samples=pipeline.max_samples)
    show(report, as_json)
    return FOUND if report.is_sure else OK


def _is_number(text: str) -> bool:
    """Returns whether a text is a number and not the name of a file."""
    try:
        float(text)
    except ValueError:
        return False
    return not Path(text).exists()

"""The command `keras-shiftguard compare A B`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import FOUND, OK, BadInput, Command, show, start_library
from keras_shiftguard_cli.reading import (
    DATA_SUFFIXES,
    Pipeline,
    check_data,
    check_exists,
    in_chunks,
    is_profile,
    size_in_profile,
)


@click.command(cls=Command)
@click.argument("a", type=click.Path(), metavar="A")
@click.argument("b", type=click.Path(), metavar="B")
@click.option(
    "--alpha",
    type=float,
    default=0.05,
    show_default=True,
    metavar="RATE",
    help="Rate of false alarms over all tests together.",
)
@arguments.reading_options(max_samples=arguments.PROFILE_SAMPLES)
@arguments.as_json
def compare(a: str, b: str, alpha: float, pipeline: Pipeline, as_json: bool) -> int:
    """Report what shifted from A to B.

    A is the reference, and B is the data that may have shifted. Each is a profile, a saved model
    that a profile is attached to, a directory of images, one image, or a .npy or .npz array.
    --max-samples, --rescale, --bgr and --size apply to images and arrays, not to profiles. Without
    --size, image files are resized to the size of a profile's images.

    \b
      keras-shiftguard compare train.profile new/
      keras-shiftguard compare monday/ tuesday/ --size 128 128 --json

    Exit status: 0 no shift, 1 shift, 2 bad input.
    """
    check_exists(a, b)
    for path in map(Path, (a, b)):
        if path.is_file() and not is_profile(str(path)):
            if path.suffix.lower() not in DATA_SUFFIXES:
                raise BadInput(
                    f"{path} is no profile or model that can be read, no image and no array. Read "
                    "other files, such as tables, in Python: keras_shiftguard.compare(a, b)."
                )
        elif not is_profile(str(path)):
            check_data(str(path))
    start_library()
    from keras_shiftguard.comparison import check_alpha
    from keras_shiftguard.comparison import compare as compare_profiles
    from keras_shiftguard.detection.verdict import verdict_of
    from keras_shiftguard.detection.words.report_words import details
    from keras_shiftguard.instrument.measure import profile

    check_alpha(alpha)
    size = pipeline.size or size_in_profile(a) or size_in_profile(b)
    pipeline = replace(pipeline, size=size)

    def path_or_measured(path: str) -> Any:
        if is_profile(path):
            return path
        return profile(in_chunks(pipeline.read(path), f"Measuring {path}"))

    report = compare_profiles(path_or_measured(a), path_or_measured(b), alpha=alpha)
    verdict = verdict_of(report)
    if as_json:
        show({**report.to_dict(), "verdict": verdict.to_dict()}, as_json)
    else:
        show("\n".join([*details(report.findings, report.num_samples), str(verdict)]), as_json)
    return FOUND if report.shifted else OK

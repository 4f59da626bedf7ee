"""The command `keras-shiftguard compare A B`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import FOUND, OK, BadInput, Command, show, start_library
from keras_shiftguard_cli.reading import (
    Pipeline,
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
    start_library()
    from keras_shiftguard.comparison import check_alpha
    from keras_shiftguard.comparison import compare as compare_profiles
    from keras_shiftguard.instrument.measure import profile
    from keras_shiftguard.io.images import ARRAY_SUFFIXES, IMAGE_SUFFIXES

    check_alpha(alpha)
    for path in map(Path, (a, b)):
        is_data = path.is_dir() or path.suffix.lower() in ARRAY_SUFFIXES + IMAGE_SUFFIXES
        if not is_data and not is_profile(str(path)):
            raise BadInput(
                f"{path} is no profile or model that can be read, no image and no array. Read "
                "other files, such as tables, in Python: keras_shiftguard.compare(a, b)."
            )
    size = pipeline.size or size_in_profile(a) or size_in_profile(b)
    pipeline = replace(pipeline, size=size)

    def path_or_measured(path: str) -> Any:
        if is_profile(path):
            return path
        return profile(in_chunks(pipeline.read(path), f"Measuring {path}"))

    report = compare_profiles(path_or_measured(a), path_or_measured(b), alpha=alpha)
    show(report, as_json)
    return FOUND if report.shifted else OK

"""The command `keras-shiftguard diagnose MODEL DATA`."""

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import FOUND, OK, Command, show, start_library
from keras_shiftguard_cli.reading import Pipeline, check_data, check_model_file, load_model


@click.command(cls=Command)
@arguments.model
@arguments.data
@click.option(
    "--expects",
    metavar="WHAT",
    help="What the model must be fed, where you know it: tf, torch, caffe, unit or raw, the path "
    "of a preprocessor_config.json, or of a profile.",
)
@arguments.reading_options(max_samples=256)
@arguments.as_json
def diagnose(model: str, data: str, expects: str | None, pipeline: Pipeline, as_json: bool) -> int:
    """Check the input of a model: what it expects, what it gets, and how to fix it.

    MODEL is a .keras or .h5 file. If a profile of its training data is attached to it, the profile
    says what the model expects. DATA is a directory of images (with its sub-folders), one image,
    or a .npy or .npz array of shape (images, height, width, channels). No labels are needed.

    Image files are resized and fed as R, G, B, 0..255. Add what your own pipeline does with the
    options below, so that the verdict is about your pipeline:

    \b
      keras-shiftguard diagnose model.keras photos/
      keras-shiftguard diagnose model.keras photos/ --rescale 1/255 0
      keras-shiftguard diagnose model.keras photos/ --expects torch
      keras-shiftguard diagnose model.keras batch.npy --json | jq .advice

    Exit status: 0 ok or unknown, 1 mismatch, 2 bad input.
    """
    check_model_file(model)
    check_data(data)
    start_library()
    from keras_shiftguard.preprocessing.diagnose import diagnose_loaded

    loaded = load_model(model)
    images = pipeline.read(data, loaded)
    diagnosis = diagnose_loaded(loaded, images, expects, pipeline.max_samples, model)
    show(diagnosis, as_json)
    return FOUND if diagnosis.status == "mismatch" else OK

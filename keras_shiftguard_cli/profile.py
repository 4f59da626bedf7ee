"""The command `keras-shiftguard profile DATA -o FILE`."""

from pathlib import Path

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import OK, BadInput, Command, echo, show, start_library
from keras_shiftguard_cli.reading import Pipeline, check_data, in_chunks, is_model


@click.command(cls=Command)
@arguments.data
@click.option(
    "-o", "--output", required=True, type=click.Path(), metavar="FILE", help="The file to write."
)
@arguments.reading_options(max_samples=arguments.PROFILE_SAMPLES)
@arguments.as_json
def profile(data: str, output: str, pipeline: Pipeline, as_json: bool) -> int:
    """Write a profile: a file with the statistics of images.

    DATA is a directory of images, one image, or a .npy or .npz array. The file holds counts and
    moments but no images, and its size does not depend on their number. Compare other data with
    it later, or pass it to ShiftGuard(reference=...):

    \b
      keras-shiftguard profile train/ -o train.profile --size 224 224
      keras-shiftguard compare train.profile from_the_camera/ --size 224 224

    Exit status: 0 written, 2 bad input.
    """
    check_data(data)
    if is_model(output):
        raise BadInput(f"{output} is a saved model, which the profile would replace.")
    if Path(output).is_dir():
        raise BadInput(f"{output} is a folder. Name the file to write: -o {output}/train.profile")
    if not Path(output).absolute().parent.is_dir():
        raise BadInput(f"{output} cannot be written: its folder does not exist.")
    start_library()
    from keras_shiftguard.instrument.measure import profile as measure

    measured = measure(in_chunks(pipeline.read(data), "Measuring"))
    try:
        measured.save(output)
    except OSError as error:
        raise BadInput(f"The profile cannot be written: {error}.") from error
    if as_json:
        inputs = {
            name: {"mean": summary.mean, "std": summary.std, "num_samples": summary.num_samples}
            for name, summary in measured.inputs.items()
        }
        show({"output": output, "num_samples": measured.num_samples, "inputs": inputs}, True)
    else:
        echo(f"{output}: profile of {measured.num_samples} images")
    return OK

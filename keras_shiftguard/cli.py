"""The command line: `keras-shiftguard diagnose MODEL DATA` and its kin.

Exit status: 0 all is well or nothing can be told, 1 a mismatch or a shift was
found, 2 the input cannot be used.
"""

import argparse
import json
import sys
import traceback
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_shiftguard.errors import (
    BadInputError,
    NotInThisVersionError,
    ShiftGuardError,
    ShiftWarning,
)

if TYPE_CHECKING:
    import keras
    import numpy as np

OK, FOUND, BAD_INPUT = 0, 1, 2
DEFAULT_SIZE = (224, 224)  # where neither the model nor the user says
MANY = 2000  # images that a profile is made of, unless the user says otherwise


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: Arguments after the program's name. Defaults to `sys.argv[1:]`.

    Returns:
        The exit status.
    """
    arguments = _parser().parse_args(argv)
    with warnings.catch_warnings():
        # A user asked for a verdict, not for the deprecations of libraries.
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ShiftWarning)
        warnings.showwarning = _show_warning
        try:
            status: int = arguments.run(arguments)
        except ShiftGuardError as error:
            print(f"error: {error}", file=sys.stderr)
            status = BAD_INPUT
        except Exception:  # a bug of ours: status 1 would say "mismatch"
            traceback.print_exc()
            status = BAD_INPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-shiftguard",
        description="Tells whether a Keras model is fed what it was trained on.",
        epilog="Exit status: 0 ok or unknown, 1 mismatch or shift found, 2 bad input.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    diagnose = commands.add_parser(
        "diagnose", help="what a model expects, what it gets, and the line that fixes it"
    )
    diagnose.add_argument("model", metavar="MODEL", help="a .keras or .h5 file")
    _add_data(diagnose)
    diagnose.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    diagnose.set_defaults(run=_diagnose)

    profile = commands.add_parser("profile", help="what the images look like, kept in a file")
    _add_data(profile, max_samples=MANY)
    profile.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write")
    profile.set_defaults(run=_profile)

    demo = commands.add_parser("demo", help="where to find the demonstration")
    demo.set_defaults(run=_demo)

    compare = commands.add_parser(
        "compare", help="what shifted between two profiles, or two sets of images"
    )
    compare.add_argument("a", metavar="A", help="the reference: a profile, or DATA")
    compare.add_argument("b", metavar="B", help="what may have shifted: a profile, or DATA")
    compare.add_argument(
        "--alpha", type=float, default=0.05, metavar="RATE", help="rate of false alarms (0.05)"
    )
    _add_reading(compare, MANY)
    compare.add_argument("--json", action="store_true", help="print the report as JSON")
    compare.set_defaults(run=_compare)

    explain = commands.add_parser("explain", help="where the accuracy went (not in this version)")
    for operand in ("MODEL", "DATA"):
        explain.add_argument(operand.lower(), metavar=operand)
    explain.set_defaults(run=_later, name="explain")
    return parser


def _add_data(parser: argparse.ArgumentParser, max_samples: int = 256) -> None:
    parser.add_argument(
        "data", metavar="DATA", help="a directory of images, an image, or a .npy or .npz array"
    )
    _add_reading(parser, max_samples)


def _add_reading(parser: argparse.ArgumentParser, max_samples: int) -> None:
    parser.add_argument(
        "--max-samples",
        type=_positive,
        default=max_samples,
        metavar="N",
        help=f"images to look at ({max_samples})",
    )
    parser.add_argument(
        "--rescale",
        type=_number,
        nargs=2,
        metavar=("SCALE", "OFFSET"),
        help="feed pixel * SCALE + OFFSET, as your own pipeline does; for example 1/255 0",
    )
    parser.add_argument("--bgr", action="store_true", help="feed the channels in B, G, R order")
    parser.add_argument(
        "--size",
        type=_positive,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="resize image files to this size (default: what the model takes, else 224 224)",
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"must be a number or a fraction such as 1/255, not {text!r}"
        ) from None


# --- commands ------------------------------------------------------------------


def _diagnose(arguments: argparse.Namespace) -> int:
    # Imported late, so that wrong usage is answered at once.
    from keras_shiftguard.events import plain
    from keras_shiftguard.preprocessing.diagnose import diagnose

    _check_exists(arguments.data)
    model = _load_model(arguments.model)
    images = _read(arguments.data, arguments, model)
    diagnosis = diagnose(model, images, max_samples=arguments.max_samples)
    if arguments.json:
        print(json.dumps(plain(diagnosis.to_dict()), indent=2))
    else:
        print(diagnosis)
    return FOUND if diagnosis.status == "mismatch" else OK


def _profile(arguments: argparse.Namespace) -> int:
    from keras_shiftguard.measure import profile

    _check_exists(arguments.data)
    measured = profile(_read(arguments.data, arguments, None))
    try:
        measured.save(arguments.output)
    except OSError as error:
        raise BadInputError(f"The profile cannot be written: {error}.") from error
    print(f"{arguments.output}: profile of {measured.num_samples} images")
    return OK


def _compare(arguments: argparse.Namespace) -> int:
    from keras_shiftguard.comparison import compare
    from keras_shiftguard.events import plain

    sides = []
    for path in (arguments.a, arguments.b):
        _check_exists(path)
        sides.append(path if _is_profile(path) else _read(path, arguments, None))
    report = compare(sides[0], sides[1], alpha=arguments.alpha)
    print(json.dumps(plain(report.to_dict()), indent=2) if arguments.json else report)
    return FOUND if report.shifted else OK


def _demo(arguments: argparse.Namespace) -> int:
    print(
        "The demonstration needs real photos and a trained network, so it lives in the\n"
        "repository and not in the package. There, type: make demo"
    )
    return OK


def _later(arguments: argparse.Namespace) -> int:
    raise NotInThisVersionError(f"`{arguments.name}` is not in this version.")


# --- reading -------------------------------------------------------------------


def _check_exists(path: str) -> None:
    if not Path(path).exists():
        raise BadInputError(f"{path} does not exist.")


def _is_profile(path: str) -> bool:
    """Whether a file is a saved profile, whatever its suffix."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "header.npy" in archive.namelist()


def _load_model(path: str) -> "keras.Model":
    import keras

    _check_exists(path)
    if Path(path).suffix not in (".keras", ".h5", ".hdf5"):
        raise BadInputError(f"MODEL must be a .keras or .h5 file. Received: {path}")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its file readers raise
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadInputError(
            f"{path} cannot be loaded as a Keras model: {reason}\n"
            f"A model with custom objects or Lambda layers can be diagnosed from Python: "
            f"keras_shiftguard.diagnose(model, images)."
        ) from error


def _read(data: str, arguments: argparse.Namespace, model: "keras.Model | None") -> "np.ndarray":
    """The images as the user's pipeline would feed them."""
    import numpy as np

    from keras_shiftguard import files

    size, channels, channels_first = _wanted(model)
    path = Path(data)
    if path.suffix in files.ARRAY_SUFFIXES:
        x = files.read_array(path, arguments.max_samples)
    else:
        size = tuple(arguments.size) if arguments.size else size
        if size is None:
            size = DEFAULT_SIZE
            print(f"note: images are resized to {size[0]}x{size[1]}; see --size", file=sys.stderr)
        x = files.read_images(path, size, channels or 3, arguments.max_samples)
        if channels_first:
            x = x.transpose(0, 3, 1, 2)
    if arguments.bgr:
        x = np.flip(x, 1 if channels_first else -1)
    if arguments.rescale:
        scale, offset = arguments.rescale
        x = x.astype("float32") * scale + offset
    return x


def _wanted(model: "keras.Model | None") -> tuple[tuple[int, int] | None, int | None, bool]:
    """Size, number of channels, and whether they come first, of the model's input."""
    if model is None:
        return None, None, False
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise BadInputError(
            f"MODEL must have one input, of images. Received inputs of shapes {shapes}. "
            f"Other models can be diagnosed from Python: keras_shiftguard.diagnose(model, data)."
        )
    _, *shape = shapes[0]
    channels_first = shape[0] in (1, 3) and shape[2] not in (1, 3)
    channels = shape.pop(0 if channels_first else 2)
    return (tuple(shape) if all(shape) else None), channels, channels_first


def _show_warning(message: Any, *where: Any, **more: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)

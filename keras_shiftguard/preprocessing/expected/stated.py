"""Stated conventions: the reader of `expects=`, in the formats that projects use.

These are Keras's modes, the mean and deviation of timm, torchvision and Hugging Face, KerasHub's
image converters, and profiles of earlier data. None of these projects is imported.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.observation import observe
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.profiles.attached import is_model

FORMS = (
    "a mode ('tf', 'torch', 'caffe', 'unit' or 'raw'), an InputConvention, a KerasHub image "
    "converter or preprocessor, a mapping with mean and std (or image_mean and image_std), the "
    "path of a preprocessor_config.json, an InputProfile, the path of one, or a dict of these by "
    "input"
)
# Keys of the mappings of timm and torchvision, and of Hugging Face.
NUMBERS = ("mean", "std", "image_mean", "image_std", "rescale_factor")
SWITCHES = ("do_rescale", "do_normalize", "do_flip_channel_order")
TOLERANCE = 2e-3  # largest difference to the numbers of a named mode, as a share of the range


def stated_conventions(expects: Any) -> dict[str | None, InputConvention]:
    """Returns the stated conventions of the inputs of a model.

    Args:
        expects: The statement, see `FORMS`; None if there is none.

    Returns:
        The convention by the name of the input; the key None stands for every other image input.

    Raises:
        BadInputError: If the statement cannot be read or contradicts itself.
    """
    if expects is None:
        return {}
    if isinstance(expects, InputProfile):
        return _of_profile(expects)
    if isinstance(expects, Mapping) and not _is_one_convention(expects):
        if not expects or not all(isinstance(name, str) for name in expects):
            raise _unreadable(expects)
        found: dict[str | None, InputConvention] = {}
        for name, each in expects.items():
            convention = stated_conventions(each)
            if list(convention) != [None] and name not in convention:
                raise _unreadable(each)
            found[name] = convention.get(name) or convention[None]
        return found
    if isinstance(expects, str) and expects in MODES:
        return {None: InputConvention(expects, "bgr" if expects == "caffe" else "rgb")}
    if isinstance(expects, (str, PathLike)):
        return _of_file(Path(expects))
    return {None: _convention(expects)}


def speaker_of(expects: Any) -> str:
    """Returns the source of `expects`, as the beginning of a sentence."""
    if isinstance(expects, (str, PathLike)) and expects not in MODES and is_model(expects):
        return f"The profile attached to {Path(expects).name} says"
    return "You said (`expects`)"


def check_inputs(stated: Mapping[str | None, InputConvention], channels: Mapping[str, int]) -> None:
    """Checks that the stated conventions fit the image inputs of a model.

    Args:
        stated: The result of `stated_conventions`.
        channels: Number of channels of each image input, by its name; empty if unknown.

    Raises:
        BadInputError: If the model lacks a stated input, or has another number of channels there.
    """
    if not channels:
        return
    unknown = [name for name in stated if name is not None and name not in channels]
    if unknown:
        raise BadInputError(
            f"`expects` names the input {unknown[0]!r}. The image inputs of the model are "
            f"{sorted(channels)}."
        )
    for name, number in channels.items():
        convention = stated.get(name) or stated.get(None)
        if convention is not None:
            for_channels(convention, number)


def for_channels(convention: InputConvention, channels: int) -> InputConvention:
    """Returns a stated convention for an input with that many channels.

    A single number for all channels is repeated for each of them.

    Raises:
        BadInputError: If the number of means differs from the number of channels.
    """
    numbers = len(convention.scale or ())
    if convention.mode in MODES:
        order = convention.channel_order
        return InputConvention(convention.mode, "gray" if channels == 1 else order)
    if numbers not in (1, channels):
        raise BadInputError(
            f"`expects` has {numbers} means, and the input has {channels} "
            f"channel{'s' if channels != 1 else ''}. Received: {convention}"
        )
    if numbers > 1 or convention.scale is None or convention.offset is None:
        return convention
    order = {1: "gray", 3: convention.channel_order}.get(channels, "unknown")
    scale, offset = convention.scale * channels, convention.offset * channels
    return InputConvention("custom", order, scale, offset)


def _convention(value: Any) -> InputConvention:
    """Returns the convention of a statement that is neither a path, a profile nor a mode."""
    if isinstance(value, InputConvention):
        if not value.is_known:
            raise BadInputError("`expects` is an unknown convention. Leave it out instead.")
        return value
    if isinstance(value, Mapping):
        return _of_mapping(value)
    converter = getattr(value, "image_converter", value)
    if hasattr(converter, "scale") and hasattr(converter, "offset"):
        return _of_converter(converter)
    raise _unreadable(value)


def _is_one_convention(mapping: Mapping[Any, Any]) -> bool:
    return any(key in mapping for key in (*NUMBERS, *SWITCHES))


def _of_file(path: Path) -> dict[str | None, InputConvention]:
    """Returns the statement in a JSON file or in a profile."""
    if not path.exists():
        raise BadInputError(f"`expects` must be {FORMS}. Received: {str(path)!r}, which is no file")
    if path.suffix != ".json":
        return _of_profile(InputProfile.load(path))
    try:
        content = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise BadInputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or not _is_one_convention(content):
        raise BadInputError(
            f"{path} does not say how images are normalised: it has none of "
            f"{', '.join((*NUMBERS, *SWITCHES))}."
        )
    return {None: _of_mapping(content)}


def _of_profile(profile: InputProfile) -> dict[str | None, InputConvention]:
    """Returns the conventions of the images in a profile, by input."""
    found: dict[str | None, InputConvention] = {}
    for name, summary in profile.inputs.items():
        observed = observe(summary)
        if not summary.is_image:
            continue
        if not observed.convention.is_known:
            raise BadInputError(
                f"The profile in `expects` does not show how its images ({name!r}) were "
                f"preprocessed. {observed.evidence[0]}"
            )
        order = observed.convention.channel_order
        if observed.convention.mode in MODES and order == "unknown":
            found[name] = InputConvention(observed.convention.mode, "rgb")
        else:
            found[name] = observed.convention
    if not found:
        raise BadInputError("The profile in `expects` holds no images.")
    return {None: next(iter(found.values()))} if len(found) == 1 else found


def _of_mapping(values: Mapping[str, Any]) -> InputConvention:
    """Returns the convention of a mapping as timm, torchvision or Hugging Face write it."""
    mean, std = (
        _numbers(values, *(name for name in names if values.get(name) is not None))
        for names in (("mean", "image_mean"), ("std", "image_std"))
    )
    factor = values.get("rescale_factor") or 1 / 255
    if not values.get("do_rescale", True):
        factor = 1.0
    if not values.get("do_normalize", True):
        mean = std = None
    if mean is None and std is None:
        scale, offset = np.full(1, float(factor)), np.zeros(1)
    else:
        mean = np.zeros_like(std) if mean is None else mean
        std = np.ones_like(mean) if std is None else std
        _check_scale(mean, std)
        mean, std = np.broadcast_arrays(mean, std)
        # A mean above 1 is for pixels in 0..255, else for pixels in [0, 1].
        is_of_raw = mean.max() > 1 or (not mean.any() and std.max() > 1)
        scale = (1.0 if is_of_raw else float(factor)) / std
        offset = -mean / std
    order = "bgr" if values.get("do_flip_channel_order") else "rgb"
    return _named(scale, offset, order)


def _numbers(values: Mapping[str, Any], *names: str) -> np.ndarray | None:
    """Returns the numbers under the first of `names`; None if no name is given."""
    if not names:
        return None
    try:
        numbers = np.atleast_1d(np.asarray(values[names[0]], "float64"))
    except (TypeError, ValueError):
        numbers = np.zeros((0,))
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise BadInputError(
            f"`{names[0]}` in `expects` must be one number for each channel. "
            f"Received: {values[names[0]]!r}"
        )
    return numbers


def _check_scale(mean: np.ndarray, std: np.ndarray) -> None:
    """Checks that means and deviations fit together, are on one scale and not 0."""
    received = f"Received: mean={mean.tolist()}, std={std.tolist()}"
    if std.min() <= 0:
        raise BadInputError(f"`std` in `expects` must be above 0. {received}")
    if len(mean) != len(std) and 1 not in (len(mean), len(std)):
        raise BadInputError(f"`mean` and `std` in `expects` differ in length. {received}")
    if mean.max() > 255 or (mean.min() < 0 and mean.max() > 1):
        raise BadInputError(f"`mean` in `expects` must lie in 0..255 or in [0, 1]. {received}")
    if (mean.max() > 1) != (mean.min() > 1):
        raise BadInputError(
            "`mean` in `expects` must be on one scale: above 1 for pixels in 0..255, at most 1 "
            f"for pixels in [0, 1]. {received}"
        )
    if mean.any() and mean.max() <= 1 and std.max() > 1:
        raise BadInputError(
            "`mean` in `expects` is that of pixels in [0, 1], and `std` that of pixels in 0..255. "
            f"{received}"
        )


def _of_converter(converter: Any) -> InputConvention:
    """Returns the convention of a KerasHub image converter: `raw * scale + offset`."""
    numbers = []
    for value, neutral in ((converter.scale, 1.0), (converter.offset, 0.0)):
        array = np.ravel(np.asarray(neutral if value is None else value, "float64"))
        numbers.append(array)
    scale, offset = np.broadcast_arrays(*numbers)
    return _named(scale, offset, "rgb")


def _named(scale: np.ndarray, offset: np.ndarray, order: str) -> InputConvention:
    """Returns the named mode with these numbers, else a custom convention."""
    for mode, (of_mode, shift) in MODES.items():
        mode_scale, mode_offset = np.asarray(of_mode), np.asarray(shift)
        if order == "bgr":
            mode_scale, mode_offset = mode_scale[::-1], mode_offset[::-1]
        if len(scale) not in (1, 3):
            continue
        span = 255 * np.abs(mode_scale)
        if np.all(np.abs(scale * 255 - mode_scale * 255) <= TOLERANCE * span) and np.all(
            np.abs(offset - mode_offset) <= TOLERANCE * span
        ):
            return InputConvention(mode, order)
    # For a single number, `for_channels` sets the order when the number of channels is known.
    channel_order = order if len(scale) in (1, 3) else "unknown"
    numbers = (tuple(float(v) for v in values) for values in (scale, offset))
    return InputConvention("custom", channel_order, *numbers)


def _unreadable(value: Any) -> BadInputError:
    return BadInputError(f"`expects` must be {FORMS}. Received: {value!r}")

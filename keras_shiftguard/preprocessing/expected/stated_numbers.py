"""Stated numbers: turns a mean and deviation, or a scale and offset, into a convention.

timm, torchvision and Hugging Face state a mean and a deviation. KerasHub's image converters state a
scale and an offset.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.preprocessing.correction.convention import InputConvention, named

# Keys of the mappings of timm and torchvision, and of Hugging Face.
NUMBERS = ("mean", "std", "image_mean", "image_std", "rescale_factor")
SWITCHES = ("do_rescale", "do_normalize", "do_flip_channel_order")
# Hugging Face's names of the switch that subtracts 1 after rescaling, for [-1, 1].
OFFSETS = ("rescale_offset", "offset")
# Numbers in the configuration of a KerasHub image converter.
OF_CONVERTER = {"scale", "offset"}
# Keys under which the configuration files of timm, Hugging Face and KerasHub nest these numbers.
SECTIONS = ("pretrained_cfg", "image_processor", "image_converter")


def section_of(values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Returns the part of a configuration that has the numbers; without sections, all of it.

    A `config.json` of timm has a section with the numbers, and so has a `processor_config.json` of
    Hugging Face. Keras stores an object as its `class_name` and its `config`.
    """
    inner = values.get("config") if "class_name" in values else None
    for section in (inner, *(values.get(name) for name in SECTIONS)):
        if isinstance(section, Mapping):
            return section_of(section)
    return values


def is_one_convention(values: Mapping[Any, Any]) -> bool:
    """Whether a mapping has numbers of one convention, and is not a dict by input."""
    return OF_CONVERTER <= values.keys() or any(key in values for key in (*NUMBERS, *SWITCHES))


def of_mapping(values: Mapping[str, Any]) -> InputConvention:
    """Returns the convention of a mapping as timm, torchvision, Hugging Face or Keras write it.

    The mapping has no sections, see `section_of`.
    """
    if OF_CONVERTER <= values.keys():
        return of_converter(SimpleNamespace(scale=values["scale"], offset=values["offset"]))
    mean = _numbers(values, "mean", "image_mean")
    std = _numbers(values, "std", "image_std")
    rescales, normalises = (_switch(values, name) for name in ("do_rescale", "do_normalize"))
    factor, shift = _rescaling(values)
    if normalises is False:
        mean = std = None
    if mean is None and std is None:
        stated = (rescales, normalises, values.get("rescale_factor"), values.get(SWITCHES[2]))
        if normalises or all(each is None for each in stated):
            raise BadInputError(
                "`expects` must hold the mean and std that images are normalised with, or "
                f"do_normalize=False. Received: {dict(values)!r}"
            )
        numbers = [1.0], [0.0]
        if rescales is not False:
            numbers = [factor], [shift]
    else:
        mean = np.zeros_like(std) if mean is None else mean
        std = np.ones_like(mean) if std is None else std
        _check_scale(mean, std)
        mean, std = np.broadcast_arrays(mean, std)
        # A mean above 1 belongs to pixels in 0..255, and so does a deviation above 1 if all means
        # are 0. Other numbers belong to pixels in [0, 1]. With `do_rescale=False`, the pixels
        # are in [0, 1] from the beginning.
        if mean.max() > 1 or (not mean.any() and std.max() > 1):
            factor, shift = 1.0, 0.0
        elif rescales is False:
            factor, shift = 1 / 255, 0.0
        numbers = (factor / std).tolist(), ((shift - mean) / std).tolist()
    found, reversed_order = (named(*numbers, order) for order in ("rgb", "bgr"))
    if _switch(values, "do_flip_channel_order"):
        return reversed_order
    # Projects that read images with OpenCV write the numbers in B, G, R order.
    return found if reversed_order.mode == "custom" or found.mode != "custom" else reversed_order


def _switch(values: Mapping[str, Any], name: str) -> bool | None:
    """Returns the value of a switch; None if it is not stated."""
    value = values.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise BadInputError(f"`{name}` in `expects` must be True or False. Received: {value!r}")


def _rescaling(values: Mapping[str, Any]) -> tuple[float, float]:
    """Returns the factor of the raw pixels, and the number that is then added to the product."""
    numbers = _numbers(values, "rescale_factor")
    factor = 1 / 255 if numbers is None else float(numbers[0])
    if factor <= 0:
        raise BadInputError(
            f"`rescale_factor` in `expects` must be above 0. Received: {values['rescale_factor']!r}"
        )
    return factor, -1.0 if any(values.get(name) is True for name in OFFSETS) else 0.0


def _numbers(values: Mapping[str, Any], *names: str) -> np.ndarray | None:
    """Returns the numbers under the first of `names` that is stated; None if none is."""
    name = next((each for each in names if values.get(each) is not None), None)
    if name is None:
        return None
    try:
        numbers = np.atleast_1d(np.asarray(values[name], "float64"))
    except (TypeError, ValueError):
        numbers = np.zeros((0,))
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise BadInputError(
            f"`{name}` in `expects` must be one number for each channel. Received: {values[name]!r}"
        )
    return numbers


def _check_scale(mean: np.ndarray, std: np.ndarray) -> None:
    """Checks that mean and std have fitting lengths and the same scale, and that std is above 0."""
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
    if std.max() > 1 > std.min() or (mean.max() > 1 > std.max()):
        raise BadInputError(
            "`mean` and `std` in `expects` must be on one scale: both of pixels in 0..255, or both "
            f"of pixels in [0, 1]. {received}"
        )
    if mean.any() and mean.max() <= 1 and std.max() > 1:
        raise BadInputError(
            "`mean` in `expects` is that of pixels in [0, 1], and `std` that of pixels in 0..255. "
            f"{received}"
        )


def of_converter(converter: Any) -> InputConvention:
    """Returns the convention of a KerasHub image converter: `raw * scale + offset`."""
    numbers = (
        tuple(np.ravel(neutral if value is None else value))
        for value, neutral in ((converter.scale, 1.0), (converter.offset, 0.0))
    )
    checked = InputConvention("custom", "rgb", *numbers)
    # For a single number, `for_channels` sets the order when the number of channels is known.
    return named(checked.scale or (), checked.offset or (), "rgb")

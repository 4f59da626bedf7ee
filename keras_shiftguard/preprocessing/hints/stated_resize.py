"""Stated resizing: the size, filter and crop that `expects` states, and where the images differ.

KerasHub converters and the configuration files of timm and Hugging Face state the resizing together
with mean and deviation.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from keras_shiftguard.preprocessing.expected.stated_numbers import OF_CONVERTER, section_of
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.profiles import InputSummary

# Numbers of filters in a `preprocessor_config.json`. Given by Pillow.
PILLOW_FILTERS = ("nearest", "lanczos3", "bilinear", "bicubic", "box", "hamming")
# Filters of `keras.ops.image.resize`.
KERAS_FILTERS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
# Hints of `resampling.py` that contradict a smooth or antialiased filter.
UNFILTERED = ("nearest_enlarged", "no_antialiasing")


@dataclass(frozen=True)
class StatedResize:
    """The stated way of resizing images."""

    size: tuple[int, int]  # height and width in pixels
    interpolation: str = ""  # name of the filter, such as "bilinear"; "" if not stated
    antialias: bool | None = None  # whether it averages when it makes images smaller, if stated
    aspect: str = ""  # how the aspect ratio is kept, if it is: "crop" or "pad"

    @property
    def code(self) -> str:
        """A line of Python that resizes in this way, or bilinearly if Keras lacks the filter."""
        arguments = [f"x, {self.size}"]
        if self.interpolation in KERAS_FILTERS and self.interpolation != "bilinear":
            arguments.append(f"interpolation={self.interpolation!r}")
        if self.antialias:
            arguments.append("antialias=True")
        if self.aspect:
            arguments.append(f"{self.aspect}_to_aspect_ratio=True")
        return f"x = keras.ops.image.resize({', '.join(arguments)})"


def stated_resize(expects: Any) -> StatedResize | None:
    """Returns the resizing that `expects` states; None if it states none.

    For `expects` see `stated.stated_conventions`. The result is also None for a file that cannot be
    read.
    """
    if isinstance(expects, (str, PathLike)) and Path(expects).suffix == ".json":
        try:
            expects = json.loads(Path(expects).read_text())
        except (OSError, ValueError):
            return None
    if isinstance(expects, Mapping):
        expects = section_of(expects)
        if not OF_CONVERTER <= expects.keys():
            return _of_mapping(expects)
        expects = SimpleNamespace(**{str(name): value for name, value in expects.items()})
    converter = getattr(expects, "image_converter", expects)
    if not hasattr(converter, "scale") or not hasattr(converter, "offset"):
        return None
    size = _size(getattr(converter, "image_size", None))
    if size is None:
        return None
    kept = (n for n in ("crop", "pad") if getattr(converter, f"{n}_to_aspect_ratio", False))
    interpolation = str(getattr(converter, "interpolation", None) or "")
    return StatedResize(size, interpolation, getattr(converter, "antialias", None), next(kept, ""))


def _of_mapping(values: Mapping[str, Any]) -> StatedResize | None:
    """Returns the resizing that a mapping of timm or Hugging Face states; None if there is none."""
    if not values.get("do_resize", True) and not values.get("do_center_crop"):
        return None
    pillow = "resample" in values or "crop_pct" in values
    size = _size(values.get("crop_size") if values.get("do_center_crop", True) else None)
    size = size or _size(values.get("size")) or _size(values.get("input_size"))
    if size is None:
        return None
    number = values.get("resample")
    interpolation = values.get("interpolation")
    if not interpolation and isinstance(number, int) and 0 <= number < len(PILLOW_FILTERS):
        interpolation = PILLOW_FILTERS[number]
    # timm and Hugging Face resize with Pillow, whose filters always average, except "nearest".
    antialias = True if pillow and interpolation != "nearest" else None
    crops = values.get("crop_pct") and values.get("crop_mode") in (None, "center")
    aspect = "crop" if crops or values.get("do_center_crop") else ""
    return StatedResize(size, str(interpolation or ""), antialias, aspect)


def _size(value: Any) -> tuple[int, int] | None:
    """Returns height and width; None unless both are stated."""
    if isinstance(value, Mapping):
        value = (value.get("height"), value.get("width"))
    if isinstance(value, int) and not isinstance(value, bool):
        value = (value, value)
    if not isinstance(value, (list, tuple)) or len(value) not in (2, 3):
        return None
    height, width = value[-2:]  # timm's `input_size` is (channels, height, width)
    if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0:
        return height, width
    return None


def resize_hints(
    stated: StatedResize | None, summary: InputSummary, seen: Iterable[Hint]
) -> tuple[Hint, ...]:
    """Returns the hints, with those on differences to the stated resizing.

    Hints against a filter that is stated are left out.
    """
    seen = tuple(seen)
    if stated is None or not summary.is_image or not summary.num_samples:
        return seen
    if stated.interpolation == "nearest":
        seen = tuple(hint for hint in seen if hint.name not in UNFILTERED)
    elif stated.antialias is False:
        seen = tuple(hint for hint in seen if hint.name != "no_antialiasing")
    found = []
    want = f"{stated.size[0]} by {stated.size[1]}"
    if not summary.smallest_size == summary.largest_size == stated.size:
        have = " up to ".join(
            dict.fromkeys(f"{h} by {w}" for h, w in (summary.smallest_size, summary.largest_size))
        )
        text = f"`expects` states images of {want} pixels; these are {have}. Try `{stated.code}`."
        found.append(Hint("stated_size", text, 0.9))
    contrary = [hint for hint in seen if hint.name in UNFILTERED]
    smooth = stated.interpolation not in ("", "nearest")
    if contrary and smooth and (contrary[0].name == "nearest_enlarged" or stated.antialias):
        how = f"{stated.interpolation}{' with antialiasing' if stated.antialias else ''}"
        text = f"`expects` states {how}, and these images show another filter. Try `{stated.code}`."
        found.append(Hint("stated_filter", text, contrary[0].certainty))
    return (*seen, *found)

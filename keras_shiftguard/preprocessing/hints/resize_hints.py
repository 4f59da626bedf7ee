"""Hints on resizing: where the images as fed differ from the stated resizing."""

from collections.abc import Iterable

from keras_shiftguard.preprocessing.expected.stated_resize import StatedResize
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.profiles import InputSummary

CERTAINTY_OF_SIZE = 0.9
# Hints of `resampling.py` that contradict a smooth or antialiased filter.
UNFILTERED = ("nearest_enlarged", "no_antialiasing")


def resize_hints(
    stated: StatedResize | None, summary: InputSummary, seen: Iterable[Hint]
) -> tuple[Hint, ...]:
    """Returns the hints, with those on differences to the stated resizing.

    Hints against a filter that is stated are left out.

    Args:
        stated: The stated resizing, or None.
        summary: Profile of the images.
        seen: The hints from the images themselves.
    """
    seen = tuple(seen)
    if stated is None or stated.size is None or not summary.is_image or not summary.num_samples:
        return seen
    if stated.interpolation == "nearest":
        seen = tuple(hint for hint in seen if hint.name not in UNFILTERED)
    elif stated.antialias is False:
        seen = tuple(hint for hint in seen if hint.name != "no_antialiasing")
    found = []
    names = {hint.name: hint for hint in seen}
    want = f"{stated.size[0]} by {stated.size[1]}"
    if not summary.smallest_size == summary.largest_size == stated.size:
        have = " up to ".join(
            dict.fromkeys(f"{h} by {w}" for h, w in (summary.smallest_size, summary.largest_size))
        )
        text = f"`expects` states images of {want} pixels; these are {have}. Try `{stated.code}`."
        found.append(Hint("stated_size", text, CERTAINTY_OF_SIZE))
    contrary = [names[name] for name in UNFILTERED if name in names]
    smooth = stated.interpolation not in ("", "nearest")
    if contrary and smooth and (contrary[0].name == "nearest_enlarged" or stated.antialias):
        how = f"{stated.interpolation}{' with antialiasing' if stated.antialias else ''}"
        text = f"`expects` states {how}, and these images show another filter. Try `{stated.code}`."
        found.append(Hint("stated_filter", text, contrary[0].certainty))
    if "squashed" in names and stated.aspect:
        text = (
            "`expects` keeps the aspect ratio, and these images seem to be squashed. Try "
            f"`{stated.code}`."
        )
        found.append(Hint("stated_crop", text, names["squashed"].certainty))
    return (*seen, *found)

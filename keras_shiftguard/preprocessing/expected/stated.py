"""Stated conventions: reads the argument `expects` in the formats of several projects.

The formats are Keras's modes, the mean and deviation of timm, torchvision and Hugging Face,
KerasHub's image converters, and profiles of earlier data. None of these projects is imported.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.conventions import MODES, MODES_WITH_ORDER, MODES_WITHOUT_ORDER
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.stated_numbers import (
    NUMBERS,
    SWITCHES,
    is_one_convention,
    of_converter,
    of_mapping,
    section_of,
)
from keras_shiftguard.preprocessing.limits import MIN_MISMATCH, MIN_OK
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.preprocessing.observed.observe import observe
from keras_shiftguard.preprocessing.witnesses.feed import are_near, shows_its_convention
from keras_shiftguard.profiles import InputProfile, InputSummary
from keras_shiftguard.profiles.attached import has_profile, is_model
from keras_shiftguard.terminal import shown

FORMS = (
    "a mode ('tf', 'torch', 'caffe', 'unit' or 'raw'), an InputConvention, a KerasHub image "
    "converter or preprocessor, a mapping with mean and std (or image_mean and image_std), the "
    "path of a configuration of timm, Hugging Face or KerasHub (.json), an InputProfile, the path "
    "of one, or a dict of these by input"
)


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
    if isinstance(expects, Mapping):
        expects = section_of(expects)
    if isinstance(expects, Mapping) and not is_one_convention(expects):
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


def attached_conventions(
    path: str | PathLike[str], model: Any
) -> tuple[dict[str | None, InputConvention], str]:
    """Returns the conventions by input that the profile attached to a saved model shows, if any.

    Statements on inputs that the model lacks are left out. The second result is a sentence that
    says why the profile shows nothing; "" if it shows something, or if there is no profile. A
    damaged profile raises `BadInputError`.
    """
    if not has_profile(path):
        return {}, ""
    profile = InputProfile.load(path)
    shapes = input_shapes(model)
    images = [spec for spec in specs_of(shapes, model) if spec.layout != "features"]
    try:
        stated = for_model(_of_profile(profile), model)
        found = {name: each for name, each in stated.items() if name in {None, *shapes}}
        check_inputs(found, {spec.name: spec.channels for spec in images})
    except BadInputError as error:
        # The profile is of tables or of images with other channels, or shows no convention.
        start, _, cause = str(error).partition("The profile in `expects`")
        text = (
            f"The profile attached to {Path(path).name} does not tell what the model expects, but "
            f"`keras_shiftguard.compare({str(path)!r}, data)` compares the data with it."
        )
        return {}, text if start else f"{text} It{cause}"
    return found, ""


def for_model(
    stated: Mapping[str | None, InputConvention], model: Any
) -> dict[str | None, InputConvention]:
    """Returns the statements with the key None in place of the name of a model's only input.

    This package calls such an input "input", whatever its name in the model is.
    """
    tensors = getattr(model, "inputs", None)
    names = [getattr(t, "name", None) for t in tensors] if isinstance(tensors, list) else []
    if len(names) == 1 and list(stated) == names:
        return {None: stated[names[0]]}
    return dict(stated)


def speaker_of(expects: Any) -> str:
    """Returns the source of `expects`, as the beginning of a sentence."""
    if isinstance(expects, (str, PathLike)) and expects not in MODES and is_model(expects):
        return f"The profile attached to {shown(Path(expects).name)} says"
    return "You said (`expects`)"


def check_inputs(stated: Mapping[str | None, InputConvention], channels: Mapping[str, int]) -> None:
    """Raises `BadInputError` if the stated conventions do not fit the image inputs of a model.

    `channels` has the number of channels of each image input, by its name; it is empty if unknown.
    """
    if not channels:
        return
    unknown = [name for name in stated if name is not None and name not in channels]
    if unknown:
        raise BadInputError(
            f"`expects` names the input {unknown[0]!r}. The image inputs of the model are "
            f"{sorted(channels)}."
        )
    for name, convention in by_input(stated, channels).items():
        for_channels(convention, channels[name])


def by_input(
    stated: Mapping[str | None, InputConvention], channels: Mapping[str, int]
) -> dict[str, InputConvention]:
    """Returns the statement on each image input that has one.

    A statement on no particular input (key None) applies to the inputs with three channels, since a
    mask or a map of depths beside them is in another convention. Without three channels in any
    input, it applies to all.
    """
    colored = [name for name, number in channels.items() if number == 3] or list(channels)
    found = {name: stated[None] for name in colored if None in stated}
    return found | {name: stated[name] for name in channels if name in stated}


def for_channels(convention: InputConvention, channels: int) -> InputConvention:
    """Returns a stated convention for an input with the given number of channels.

    A single number for all channels is repeated for each of them. Several numbers that are not one
    for each channel raise `BadInputError`.
    """
    numbers = len(convention.scale or ())
    if convention.mode in MODES and channels in (1, 3):
        order = convention.channel_order
        return InputConvention(convention.mode, "gray" if channels == 1 else order)
    if convention.mode in MODES and convention.mode not in MODES_WITH_ORDER:
        return InputConvention(convention.mode, "unknown")
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
        return of_mapping(value)
    converter = getattr(value, "image_converter", value)
    if hasattr(converter, "scale") and hasattr(converter, "offset"):
        return of_converter(converter)
    raise _unreadable(value)


def _of_file(path: Path) -> dict[str | None, InputConvention]:
    """Returns the conventions that a JSON file or a profile states."""
    try:
        exists = path.is_file() or is_model(path)
    except (OSError, ValueError):  # a text that cannot be a path, such as the content of a file
        exists = False
    if not exists:
        raise BadInputError(f"`expects` must be {FORMS}. Received: {str(path)!r}, which is no file")
    if path.suffix != ".json":
        return _of_profile(InputProfile.load(path))
    try:
        content = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise BadInputError(f"{path} cannot be read as JSON: {error}") from error
    section = section_of(content) if isinstance(content, dict) else {}
    if not is_one_convention(section):
        raise BadInputError(
            f"{path} does not say how images are normalised: it has none of "
            f"{', '.join((*NUMBERS, *SWITCHES))}, and no scale and offset."
        )
    return {None: of_mapping(section)}


def _of_profile(profile: InputProfile) -> dict[str | None, InputConvention]:
    """Returns the conventions of the images in a profile, by input."""
    found: dict[str | None, InputConvention] = {}
    for name, summary in profile.inputs.items():
        observed = observe(summary)
        if not summary.is_image:
            continue
        text = (
            f"The profile in `expects` does not show how its images ({name!r}) were preprocessed."
        )
        if not observed.convention.is_known:
            raise BadInputError(f"{text} {observed.evidence[0]}")
        if _may_be_another(observed, summary):
            raise BadInputError(
                f"{text} They seem to be {observed.convention}, but may as well be pale, dark or "
                f"augmented images in another convention. {observed.evidence[0]}"
            )
        # If no means were subtracted, nothing shows whether red or blue came first.
        found[name] = observed.convention
    if not found:
        raise BadInputError("The profile in `expects` holds no images.")
    return {None: next(iter(found.values()))} if len(found) == 1 else found


def _may_be_another(observed: Observation, summary: InputSummary) -> bool:
    """Whether the images may be augmented, pale or dark ones in a near named convention.

    A scale and an offset can be fitted to the extremes of any images, and dark images may look
    scaled twice. Values from 0.06 to 1 may be ordinary images in [0, 1], or pale images in [-1, 1].
    """
    fed, mode = observed.convention, observed.convention.mode
    others = (InputConvention(each, "unknown") for each in MODES_WITHOUT_ORDER if each != mode)
    near = [other for other in others if are_near(fed, other)]
    if mode == "custom":
        needed = MIN_MISMATCH if observed.kind == "scaled_twice" else MIN_OK
        return observed.certainty < needed and bool(near)
    if observed.by_grid or mode not in MODES_WITHOUT_ORDER:
        return False
    return any(not shows_its_convention(summary, fed, other, observed.is_fitted) for other in near)


def _unreadable(value: Any) -> BadInputError:
    return BadInputError(f"`expects` must be {FORMS}. Received: {value!r}")

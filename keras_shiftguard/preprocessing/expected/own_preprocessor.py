"""The own preprocessor of a model: it states what the network after the preprocessor expects.

KerasHub tasks have a preprocessor, which converts the data passed to `fit`, `evaluate` and
`predict`. Models of kimm convert by layers of their own, and name the mode of these layers; without
such layers they name none. Models of keras-cv-attention-models only name a mode, and the user must
preprocess. All these models are recognized by their attributes; none of these packages is imported.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.graph import nested_models
from keras_shiftguard.instrument.model_inputs import input_shapes
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.expected.stated import stated_conventions
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation

IMAGES = "images"  # KerasHub's name of the input that a converter prepares, if there are several
SPEAKER = "The model's own preprocessor says"
# Mean and deviation of pixels in [0, 1]. Given by CLIP (Radford et al., 2021).
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
# What `rescale_mode` of keras-cv-attention-models means. Given by its source.
RESCALE_MODES: dict[str, Any] = {
    "tf": "tf",
    "torch": "torch",
    "raw": "raw",
    "raw01": "unit",
    "clip": CLIP,
    "tf128": {"mean": (128.0,) * 3, "std": (128.0,) * 3},
}
# What `preprocessing_mode` of kimm can be if the layers of a model convert 0..255 by themselves.
# Without such layers it is False. Source: `build_preprocessing` in kimm's `base_model.py`.
KIMM_MODES = ("imagenet", "0_1", "-1_1")
# The conventions of kimm's weights by the class or its base class; all others are "torch".
KIMM_FAMILIES: dict[str, Any] = {
    "MobileNetV3": None,  # some are "torch", others "unit"
    "MobileViT": "unit",
    "MobileViTV2": "unit",
    "VisionTransformer": "tf",
    "Xception": "tf",
}
# Packages whose networks have structures of `keras.applications`, but weights of their own.
PACKAGES = {"keras_hub": "KerasHub", "kimm": "kimm"}
# KerasHub's families whose presets all share one convention (`ImageConverter` of each preset).
# KerasHub's VGG has the structure of the VGG of keras.applications, but other weights.
KERAS_HUB_FAMILIES: dict[str, Any] = {
    "VGGBackbone": "torch",
    "ViTBackbone": "tf",
    "SigLIPVisionEncoder": "tf",
    "CLIPVisionEncoder": CLIP,
}


def converts_by_itself(model: Any) -> bool:
    """Whether `predict` and `fit` of the model preprocess their input."""
    return _converter(model) is not None


def rescales_by_itself(model: Any) -> bool:
    """Whether `predict` and `fit` of the model rescale their input, and not only resize it."""
    return converts_by_itself(model) and after_preprocessor(model) is not None


def after_preprocessor(model: Any) -> InputConvention | None:
    """Returns the convention that the model's own preprocessor states; None without one."""
    converter = _converter(model)
    if converter is not None:
        if converter.scale is None and converter.offset is None:
            return None  # it only resizes
        try:
            return stated_conventions(converter)[None]
        except BadInputError:  # another kind of converter, which states no numbers for channels
            return None
    if getattr(model, "preprocessing_mode", None) in KIMM_MODES:
        return InputConvention("raw", "rgb")
    return _stated_by(getattr(model, "rescale_mode", None))


def word_of(model: Any) -> dict[str | None, InputConvention]:
    """Returns what the model's own preprocessor states, by input; {} without one.

    In a model with several inputs, KerasHub's preprocessors convert only the images. Its other
    inputs, such as masks, may look like images.
    """
    own = after_preprocessor(model)
    if own is None:
        return {}
    shapes = input_shapes(model) if converts_by_itself(model) else {}
    return {IMAGES if len(shapes) > 1 and IMAGES in shapes else None: own}


def published_elsewhere(model: Any) -> InputConvention | None:
    """Returns the convention of the weights that KerasHub or kimm publish for the model's family.

    The model is of one of the two packages, or contains such a model. The result is None if the
    family has several conventions, or if its convention is not known.
    """
    for each in (model, getattr(model, "backbone", None), *nested_models(model)):
        package, names = package_of(each), [cls.__name__ for cls in type(each).__mro__]
        if package == "keras_hub":
            family = KERAS_HUB_FAMILIES.get(names[0])
        elif package == "kimm":
            family = next((KIMM_FAMILIES[name] for name in names if name in KIMM_FAMILIES), "torch")
        else:
            continue
        if family is not None:
            return stated_conventions(family)[None]
    return None


def with_weights_of_others(
    model: Any, structures: Sequence[StructuralExpectation]
) -> list[StructuralExpectation]:
    """Returns the expectations, with the conventions of KerasHub's or kimm's weights.

    Without this function they would be those of the weights of `keras.applications`. If the model
    is not of such a package but contains one that is, only the expectations of recognized
    networks are changed. Such an expectation becomes unknown if layers in front of the network
    change the convention, or if the convention of the weights is not known.
    """
    package, is_whole = package_of(model), True
    if package is None and PACKAGES.keys() & sys.modules.keys():
        package, is_whole = next(filter(None, map(package_of, nested_models(model))), None), False
    if package is None:
        return list(structures)
    published = published_elsewhere(model)
    converts = getattr(model, "preprocessing_mode", None) in KIMM_MODES
    found = []
    for structure in structures:
        is_recognised = structure.inner.is_known
        if not is_recognised and (structure.speaks or not is_whole):
            found.append(structure)
            continue
        text = f"{PACKAGES[package]} has several conventions for this structure."
        convention = UNKNOWN
        if published is not None and (is_whole or structure.convention == structure.inner):
            text = f"{PACKAGES[package]}'s weights of this family want {published}."
            convention = published
        found.append(
            replace(
                structure,
                convention=InputConvention("raw", "rgb") if converts else convention,
                inner=convention,
                speaks=structure.speaks and is_whole,
                evidence=(text,),
            )
        )
    return found


def package_of(model: Any) -> str | None:
    """Returns which of `PACKAGES` defines the class of the model, or one of its base classes."""
    packages = (cls.__module__.split(".")[0] for cls in type(model).__mro__)
    return next((package for package in packages if package in PACKAGES), None)


def _converter(model: Any) -> Any | None:
    """Returns the image converter of a KerasHub task; None without one."""
    converter = getattr(getattr(model, "preprocessor", None), "image_converter", None)
    return converter if hasattr(converter, "scale") and hasattr(converter, "offset") else None


def _stated_by(mode: Any) -> InputConvention | None:
    """Returns the convention of a mode by name, or of a pair of mean and deviation; else None."""
    try:
        stated = RESCALE_MODES.get(mode) if isinstance(mode, str) else None
        if isinstance(mode, (list, tuple)) and len(mode) == 2:
            numbers = (np.ravel(np.asarray(v, "float64")).tolist() for v in mode)
            stated = dict(zip(("mean", "std"), numbers, strict=True))
        return stated_conventions(stated).get(None)
    except (BadInputError, TypeError, ValueError):
        return None

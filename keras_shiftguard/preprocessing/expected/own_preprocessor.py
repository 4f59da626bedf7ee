"""The own preprocessor of a model: it states what the network after the preprocessor expects.

KerasHub tasks have a preprocessor, which converts the data passed to `fit`, `evaluate` and
`predict`. Models of kimm and keras-cv-attention-models only name a mode, and the user must
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
# What `preprocessing_mode` (kimm) and `rescale_mode` (keras-cv-attention-models) mean.
MODES_OF_OTHERS = {
    "imagenet": "torch",
    "0_1": "unit",
    "-1_1": "tf",
    "tf": "tf",
    "torch": "torch",
    "raw": "raw",
    "raw01": "unit",
}
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
TF128 = {"mean": (128.0,) * 3, "std": (128.0,) * 3}
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
    mode = getattr(model, "rescale_mode", None)
    if mode is None and not getattr(model, "include_preprocessing", True):
        mode = getattr(model, "preprocessing_mode", None)
    return _named(mode)


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


def published_by_keras_hub(model: Any) -> InputConvention | None:
    """Returns the convention of KerasHub's weights for the model's family; None if not known.

    The model is a KerasHub model, or contains one.
    """
    for each in (model, getattr(model, "backbone", None), *nested_models(model)):
        if is_of_keras_hub(each):
            family = KERAS_HUB_FAMILIES.get(type(each).__name__)
            if family is not None:
                return stated_conventions(family)[None]
    return None


def with_weights_of_keras_hub(
    model: Any, structures: Sequence[StructuralExpectation]
) -> list[StructuralExpectation]:
    """Returns the expectations, with the conventions of KerasHub's weights instead of Keras's.

    If the model is not a KerasHub model but contains one, only the expectations of recognized
    networks are changed. Such an expectation becomes unknown if layers in front of the network
    change the convention, or if the convention of KerasHub's weights is not known.
    """
    is_whole = is_of_keras_hub(model)
    if not is_whole and not contains_keras_hub(model):
        return list(structures)
    published = published_by_keras_hub(model)
    found = []
    for structure in structures:
        is_recognised = structure.inner.is_known
        if not is_recognised and (structure.speaks or not is_whole):
            found.append(structure)
            continue
        text = "KerasHub has several conventions for this structure."
        convention = UNKNOWN
        if published is not None and (is_whole or structure.convention == structure.inner):
            text, convention = f"KerasHub's weights of this family want {published}.", published
        found.append(
            replace(
                structure,
                convention=convention,
                inner=convention,
                speaks=structure.speaks and is_whole,
                evidence=(text,),
            )
        )
    return found


def contains_keras_hub(model: Any) -> bool:
    """Whether the model contains a model of KerasHub, such as a backbone under a new classifier."""
    return "keras_hub" in sys.modules and any(map(is_of_keras_hub, nested_models(model)))


def is_of_keras_hub(model: Any) -> bool:
    """Whether KerasHub defines the class of the model or one of its base classes."""
    return any(cls.__module__.split(".")[0] == "keras_hub" for cls in type(model).__mro__)


def _converter(model: Any) -> Any | None:
    """Returns the image converter of a KerasHub task; None without one."""
    converter = getattr(getattr(model, "preprocessor", None), "image_converter", None)
    return converter if hasattr(converter, "scale") and hasattr(converter, "offset") else None


def _named(mode: Any) -> InputConvention | None:
    """Returns the convention of a mode by name, or of a pair of mean and deviation; else None."""
    try:
        if isinstance(mode, (list, tuple)) and len(mode) == 2:
            mean, std = (np.ravel(np.asarray(v, "float64")).tolist() for v in mode)
            return stated_conventions({"mean": mean, "std": std})[None]
        if mode == "clip":
            return stated_conventions(CLIP)[None]
        if mode == "tf128":
            return stated_conventions(TF128)[None]
    except (BadInputError, TypeError, ValueError):
        return None
    name = MODES_OF_OTHERS.get(mode) if isinstance(mode, str) else None
    return None if name is None else InputConvention(name, "rgb")

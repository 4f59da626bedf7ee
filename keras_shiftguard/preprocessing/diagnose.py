"""`diagnose`: checks a model and its input once, without training."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.instrument.model_inputs import image_data_format, input_shapes
from keras_shiftguard.io.batches import BATCH_SIZE
from keras_shiftguard.io.source import open_source
from keras_shiftguard.preprocessing.correction.advice import for_tensors
from keras_shiftguard.preprocessing.correction.convention import RAW, InputConvention
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.own_preprocessor import (
    IMAGES,
    SPEAKER,
    converts_by_itself,
    rescales_by_itself,
    word_of,
)
from keras_shiftguard.preprocessing.expected.stated import (
    attached_conventions,
    check_inputs,
    for_model,
    speaker_of,
    stated_conventions,
)
from keras_shiftguard.preprocessing.verdict import judge
from keras_shiftguard.statistics.classes import warn_of_text


def diagnose(model: Any, data: Any, expects: Any = None, max_samples: int = 256) -> Diagnosis:
    """Checks whether `model` is fed what it was trained on.

    The check needs no labels and no reference data. It finds the expected preprocessing in the
    structure of the model, in its batch-norm statistics and in the model's features of the
    images. It finds the actual preprocessing in the pixel values. If `data` has labels, they are
    checked as well.

    Args:
        model: A built `keras.Model`, a KerasHub task or backbone, or the path of a saved model. If
            a profile is attached to the file (`InputProfile.attach`), the profile states what the
            model expects. For a task with a preprocessor, `data` is the input of its `predict`.
        data: Images exactly as they would be fed to the model, in any form that
            `fit` accepts (arrays, tensors, `tf.data.Dataset`, `PyDataset`, torch
            `DataLoader`, generator; a tuple is `(x, y)` or `(x, y, w)`).
        expects: The preprocessing that the model expects, if you know it. The check then does not
            guess. Pass a mode (`"tf"`, `"torch"`, `"caffe"`, `"unit"`, `"raw"`), an
            `InputConvention`, a KerasHub image converter or preprocessor, a mapping with mean and
            std in the format of timm, torchvision or Hugging Face, the path of a configuration file
            (`preprocessor_config.json` of Hugging Face, `config.json` of timm,
            `image_converter.json` of KerasHub), an `InputProfile` or its path, or a dict that maps
            the names of inputs to such values.
        max_samples: Largest number of samples to use.

    Returns:
        A `Diagnosis`; `print` it.

    Raises:
        BadInputError: If `model` is neither a Keras model nor the path of one, if `data` is
            empty or does not fit the model, if `expects` cannot be read, or if `max_samples` is
            not a positive integer.

    Example:

    >>> model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3))
    >>> photos = np.random.default_rng(0).uniform(0, 255, (8, 96, 96, 3))
    >>> print(diagnose(model, photos).expected)
    tf ([-1, 1]), RGB
    """
    path = model if isinstance(model, (str, PathLike)) else None
    loaded = model if path is None else _load(path)
    return diagnose_loaded(loaded, data, expects, max_samples, path)


def diagnose_loaded(
    model: Any,
    data: Any,
    expects: Any = None,
    max_samples: int = 256,
    path: str | PathLike[str] | None = None,
) -> Diagnosis:
    """Does the same as `diagnose` for a model in memory; `path` is its saved file, if any."""
    if not isinstance(model, keras.Model):
        raise BadInputError(
            "`model` must be a keras.Model, or the path of a saved one. Received: "
            f"{type(model).__name__}"
        )
    is_number = isinstance(max_samples, (int, np.integer)) and not isinstance(max_samples, bool)
    if not is_number or max_samples < 1:
        raise BadInputError(
            f"`max_samples` must be a positive integer. Received: max_samples={max_samples!r}"
        )
    converts = converts_by_itself(model)
    stated, speaker, silent = _word(model, expects, path, converts)
    shapes = input_shapes(model)
    samples, labels = open_source(data, shapes=shapes).first_samples(max_samples)
    warn_of_text(labels)
    if len(shapes) == 1 and len(samples) == 1:
        samples = dict(zip(shapes, samples.values(), strict=True))
    if converts and len(shapes) > 1 and IMAGES in shapes:
        # The preprocessor converts only the images, and makes other inputs that `data` may lack.
        images_only = samples.get(IMAGES, samples.get("input"))
        if images_only is not None:
            shapes, samples = {IMAGES: shapes[IMAGES]}, {IMAGES: images_only}
    for name, shape in shapes.items():
        # The preprocessor of the model, if any, resizes the images itself.
        _check_fits(name, (None,) * len(shape) if converts else shape, samples)
    size = len(next(iter(samples.values())))
    chunks = (
        ({name: value[start : start + BATCH_SIZE] for name, value in samples.items()}, None)
        for start in range(0, size, BATCH_SIZE)
    )
    measured = profile_of(chunks, details=False, data_format=image_data_format(model))
    images = {name: s.num_channels for name, s in measured.inputs.items() if s.is_image}
    check_inputs(stated, images)
    found = judge(
        model,
        samples,
        measured,
        labels,
        stated=stated,
        speaker=speaker,
        runs=not converts,
    )
    is_whole = any(x.dtype.kind in "iu" for x in samples.values())
    found = _each(found, lambda d: replace(d, advice=for_tensors(d.advice, data, is_whole)))
    if silent and found.status == "unknown":
        found = replace(found, evidence=(silent, *found.evidence))
    only_resizes = expects is None and converts and not rescales_by_itself(model)
    return _each(found, _without_accusation) if only_resizes else found


def _each(diagnosis: Diagnosis, change: Callable[[Diagnosis], Diagnosis]) -> Diagnosis:
    """Returns the diagnosis after a change, of each input if there are several."""
    if diagnosis.by_input:
        return Diagnosis.worst({name: change(d) for name, d in diagnosis.by_input.items()})
    return change(diagnosis)


def _without_accusation(diagnosis: Diagnosis) -> Diagnosis:
    """Returns "unknown" in place of a mismatch, for a model whose preprocessor only resizes.

    Such a preprocessor is made for raw images, but the model may have been trained on others.
    """
    if diagnosis.status != "mismatch" or not diagnosis.observed.is_known:
        return diagnosis
    text = "The model's own preprocessor only resizes, so it does not show what the model expects."
    evidence = (text, *diagnosis.evidence[1:])
    return replace(diagnosis, status="unknown", fix=None, advice="", evidence=evidence)


def _word(
    model: keras.Model, expects: Any, path: str | PathLike[str] | None, converts: bool
) -> tuple[dict[str | None, InputConvention], str, str]:
    """Returns the stated conventions of the inputs, and a phrase for their source.

    The third result is a sentence on an attached profile that does not show a convention, else "".
    `converts` is whether the model's own preprocessor converts the data.
    """
    if expects is not None:
        return for_model(stated_conventions(expects), model), speaker_of(expects), ""
    if converts:  # an attached profile may describe the preprocessor's output
        return {None: RAW}, SPEAKER, ""
    attached, silent = ({}, "") if path is None else attached_conventions(path, model)
    if path is not None and attached:
        return attached, speaker_of(path), ""
    return word_of(model), SPEAKER, silent


def _load(path: str | PathLike[str]) -> keras.Model:
    """Loads a saved model; raises `BadInputError` if Keras cannot do so."""
    if not Path(path).exists():
        raise BadInputError(f"There is no saved model at {str(path)!r}.")
    try:
        return keras.saving.load_model(path)
    except Exception:  # perhaps because of a custom loss or metric, which is not needed
        try:
            return keras.saving.load_model(path, compile=False)
        except Exception as error:
            raise BadInputError(f"Keras cannot load {str(path)!r}: {error}") from error


def _check_fits(name: str, shape: tuple[int | None, ...], samples: dict[str, Any]) -> None:
    """Raises `BadInputError` if the samples for one input are missing or have a wrong shape."""
    if name not in samples:
        hint = ""
        if list(samples) == ["input"]:
            hint = " A tuple is (x, y), with labels; pass several inputs as a list or a dict."
        elif all(key.startswith("input_") for key in samples):
            hint = " A list is taken for several inputs; stack images with np.stack(images)."
        raise BadInputError(
            f"The model has an input {name!r}, which `data` lacks. "
            f"Received: {sorted(samples)[:4]}.{hint}"
        )
    fed = samples[name].shape
    if _fits(fed, shape):
        return
    hint = ""
    if len(fed) == len(shape) - 1:
        hint = " Add the batch dimension: x[None], or dataset.batch(32) for a dataset."
    elif len(fed) == 4 and _fits((fed[0], *fed[2:], fed[1]), shape):
        hint = " Move the channels to the end: np.moveaxis(x, 1, -1)."
    raise BadInputError(
        f"Input {name!r} of the model takes shape {_shape(shape)}. Received: {_shape(fed)}.{hint}"
    )


def _fits(fed: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    """Whether an array of the shape `fed` fits the declared shape of an input."""
    return len(fed) == len(shape) and all(
        declared in (None, side) for declared, side in zip(shape[1:], fed[1:], strict=True)
    )


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"

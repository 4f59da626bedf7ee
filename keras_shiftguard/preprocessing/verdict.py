"""Diagnosis of a model: what it expects, what it was fed, and whether the two agree.

What a model expects is read from a statement, its structure, its batch norm and a trial of the
fix. What the model was fed is read from the profile of its input. `decision.py` compares the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np

from keras_shiftguard.instrument.network_features import FeatureReader
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.own_preprocessor import with_weights_of_others
from keras_shiftguard.preprocessing.expected.stated import by_input, for_channels
from keras_shiftguard.preprocessing.expected.structure import (
    StructuralExpectation,
    expect_from_structure,
)
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.input_verdict import Given, judge_input
from keras_shiftguard.profiles import InputProfile


def judge(
    model: keras.Model,
    samples: Mapping[str, np.ndarray],
    profile: InputProfile,
    labels: np.ndarray | None = None,
    *,
    training: bool = False,
    validates: bool = False,
    evidence: BatchNormEvidence | None = None,
    structures: Sequence[StructuralExpectation] | None = None,
    stated: Mapping[str | None, InputConvention] | None = None,
    speaker: str = "You said (`expects`)",
    runs: bool = True,
) -> Diagnosis:
    """Returns the diagnosis of a model and its input.

    Args:
        model: A built model. It is not changed.
        samples: Some images exactly as fed, by input name.
        profile: The profile of all images, with the same input names.
        labels: Labels of the samples, if any.
        training: Whether this is the start of a fit. A fresh, trainable
            network then learns the convention that it is fed.
        validates: Whether the samples are validation samples of a fit, from which the network
            learns nothing.
        evidence: The batch norm of the model as it was before training; None
            to read it from the model now.
        structures: What the structure of the model showed before training; None to read
            it from the model now. After a single step, fresh weights already look trained.
        stated: What the inputs must receive, see `stated_conventions`; it is then not guessed. A
            statement that does not fit an input raises `BadInputError`.
        speaker: The source of the statement, as the beginning of a sentence.
        runs: Whether the network may be run on the samples. False if its own preprocessor would
            have to convert the samples first.
    """
    stated = stated or {}
    if not runs:
        evidence = None
    elif evidence is None:
        evidence = BatchNormEvidence(model)
    if structures is None:
        structures = expect_from_structure(model)
    by_name = {s.name: s for s in with_weights_of_others(model, structures)}
    network, read = model if runs else None, FeatureReader(model)
    facts = labels, training, validates, evidence
    found: dict[str, Diagnosis] = {}
    images = {n: s for n, s in profile.inputs.items() if s.is_image and n in samples}
    by_statement = by_input(stated, {name: s.num_channels for name, s in images.items()})
    for name, summary in images.items():
        structure = by_name.get(name) or StructuralExpectation(name)
        expects = by_statement.get(name)
        if expects is not None:
            expects = for_channels(expects, summary.num_channels)
            structure = _as_stated(structure, expects, speaker)
        is_stated = expects is not None
        each = judge_input(
            Given(network, read, samples, name, summary, structure, *facts, stated=is_stated)
        )
        if expects is None and None in stated:
            each = replace(each, hints=(*each.hints, _not_stated(name)))
        found[name] = each
    return _together(found)


def _together(found: Mapping[str, Diagnosis]) -> Diagnosis:
    """Returns the diagnosis of a model, of those of its image inputs."""
    if not found:
        text = (
            "images of shape (batch, height, width, channels); none of the inputs is of that "
            "kind, so no pixel convention applies."
        )
        return Diagnosis("unknown", UNKNOWN, UNKNOWN, advice=text)
    if len(found) == 1:
        return next(iter(found.values()))
    return Diagnosis.worst({name: _for_input(name, each) for name, each in found.items()})


def _not_stated(name: str) -> Hint:
    """Returns the hint that the only statement is not taken for one of several inputs."""
    sentence = (
        f"The stated convention is taken for the inputs with three channels, and not for {name!r}. "
        "To state what this input expects, pass `expects` as a dict with an entry for each input."
    )
    return Hint("stated_inputs", sentence, 0.5)


def _for_input(name: str, diagnosis: Diagnosis) -> Diagnosis:
    """Returns the diagnosis of one of several inputs; its `advice` says which input `x` is."""
    if not diagnosis.advice:
        return diagnosis
    comment = f" of the input {name!r}" if "#" in diagnosis.advice else f"  # x: the input {name!r}"
    return replace(diagnosis, advice=diagnosis.advice + comment)


def _as_stated(
    structure: StructuralExpectation, convention: InputConvention, speaker: str
) -> StructuralExpectation:
    """Returns the expectation with the stated convention in place of the structure's convention."""
    sentence = f"{speaker} that the model expects {convention}."
    published = structure.convention
    others: tuple[str, ...] = ()
    if published.is_known and published != convention:
        name, way = structure.architecture or "Its structure", "is published for"
        if structure.architecture is None and structure.speaks:
            name, way = "The model's own layers", "are made for"
        others = (f"{name} {way} {published}, which does not count here.",)
    return replace(structure, convention=convention, fresh=False, evidence=(sentence, *others))

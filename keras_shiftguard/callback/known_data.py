"""`KnownData`: the reference and the target, with their profiles, in all runs of one guard."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.callback.independence import Independence
from keras_shiftguard.callback.optional_data import OptionalData
from keras_shiftguard.comparison import as_profile
from keras_shiftguard.instrument.model_inputs import input_shapes
from keras_shiftguard.instrument.model_outputs import predicts_numbers
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.own_preprocessor import SPEAKER as OWN_PREPROCESSOR
from keras_shiftguard.preprocessing.expected.own_preprocessor import rescales_by_itself, word_of
from keras_shiftguard.preprocessing.expected.stated import (
    attached_conventions,
    for_model,
    speaker_of,
    stated_conventions,
)
from keras_shiftguard.profiles import InputProfile


class KnownData:
    """The data given to the guard. What cannot be read is left out with a warning.

    Attributes:
        target: The data of the target.
        profiles: The profiles of `"reference"` and `"target"`, if they are given.
    """

    def __init__(
        self, reference: Any, target_data: Any, distinct: Mapping[str, int | float], expects: Any
    ) -> None:
        self._stated, self._speaker = stated_conventions(expects), speaker_of(expects)
        self._reference = OptionalData("reference", reference)
        self.target = OptionalData("target_data", target_data)
        self._distinct = distinct
        self.profiles: dict[str, InputProfile] = {}

    def measure(self, model: keras.Model) -> None:
        """Profiles the reference and the target, unless an earlier run did so already."""
        for name, optional in (("reference", self._reference), ("target", self.target)):
            optional.lost = False
            if optional.is_there and name not in self.profiles:
                with optional.reading():
                    shapes = input_shapes(model)
                    data = optional.whole() if name == "target" else optional.data
                    profile = as_profile(data, optional.name, shapes)
                    if predicts_numbers(model):
                        profile = replace(profile, labels=profile.labels.as_numbers())
                    self.profiles[name] = Independence(self._distinct).of(name, profile)

    def word(self, model: keras.Model) -> tuple[dict[str | None, InputConvention], str]:
        """Returns the stated conventions of the inputs, and a phrase for their source."""
        if self._stated:
            return for_model(self._stated, model), self._speaker
        if attached := self._attached(model):
            return attached, speaker_of(self._reference.data)
        return word_of(model), OWN_PREPROCESSOR

    def _attached(self, model: keras.Model) -> dict[str | None, InputConvention]:
        """Returns the conventions that the profile attached to the reference states, by input.

        If the model rescales its images, the attached profile may describe unscaled images, and the
        result is empty.
        """
        reference = self._reference
        is_path = isinstance(reference.data, (str, PathLike))
        attached: dict[str | None, InputConvention] = {}
        if is_path and reference.is_there and not rescales_by_itself(model):
            with reference.reading():
                attached, _ = attached_conventions(reference.data, model)
        return attached

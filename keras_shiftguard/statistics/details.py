"""What each sample of one input is reduced to: features, and an embedding."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_shiftguard.statistics import attributes
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.features import FeatureSketch
from keras_shiftguard.statistics.mean_embedding import EmbeddingSketch
from keras_shiftguard.statistics.state import State
from keras_shiftguard.statistics.tokens import TokenSketch, are_tokens
from keras_shiftguard.statistics.vectors import columns, dimension_of, picture, vectors


class Details:
    """The statistics that cost more than a pass over the pixels.

    They work on whole samples, so a few of them are enough: `Stream` feeds
    them some rows of some batches.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.spec = spec
        image = spec.layout != "features"
        names = attributes.names(spec) if image else tuple(map(str, range(spec.channels)))
        # Images of a few pixels have no attributes, only an embedding.
        measured = bool(names) and not spec.tokens
        self.features = FeatureSketch(names, state) if measured else None
        # Where the dtype is not known ahead, the first batch decides.
        self.tokens = None if spec.tokens is False else TokenSketch(spec, state)
        self.embedding = EmbeddingSketch(dimension_of(spec), state)

    def update(self, x: Any) -> tuple[Any, Any]:
        """Adds samples; returns what `EmbeddingSketch.update` returns."""
        if self.tokens is not None and are_tokens(x):
            self.tokens.update(x)
        elif self.features is not None and self.spec.layout == "features":
            self.features.update(columns(x, self.spec))
        elif self.features is not None:
            self.features.update(attributes.attributes(picture(x, self.spec), self.spec))
        return self.embedding.update(vectors(x, self.spec))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        fields: dict[str, Any] = {"embedding": self.embedding.read(values)}
        if self.features is not None:
            fields["features"] = self.features.read(values)
        return {**fields, **(self.tokens.read(values) if self.tokens is not None else {})}

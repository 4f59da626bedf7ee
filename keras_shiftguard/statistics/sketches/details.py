"""Per-sample statistics of one input: features, tokens and the mean embedding."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches import attributes
from keras_shiftguard.statistics.sketches.features import FeatureSketch
from keras_shiftguard.statistics.sketches.mean_embedding import EmbeddingSketch
from keras_shiftguard.statistics.sketches.tokens import TokenSketch, are_tokens
from keras_shiftguard.statistics.sketches.vectors import (
    column_names,
    columns,
    dimension_of,
    padded_frame,
    vectors,
)
from keras_shiftguard.statistics.state import State


class Details:
    """Features, token counts and the mean embedding of whole samples.

    These statistics cost more than a pass over the pixels, and a part of the samples is enough for
    them. So `Stream` adds only some samples of some batches.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.spec = spec
        image = spec.layout != "features"
        names = attributes.names(spec) if image else column_names(spec)
        # Images of a few pixels have no attributes, only an embedding.
        measured = bool(names) and not spec.tokens
        self.features = FeatureSketch(names, state) if measured else None
        # If the dtype is unknown, both features and tokens get variables, and each batch updates
        # one of the two.
        self.tokens = None if spec.tokens is False else TokenSketch(spec, state)
        self.embedding = EmbeddingSketch(dimension_of(spec), state)

    def update(self, x: Any, rows: Any = None, thumbnails: Any = None) -> tuple[Any, Any]:
        """Adds samples; returns the result of `EmbeddingSketch.update`.

        `thumbnails` are those of the samples, if they were made already.
        """
        if self.tokens is not None and are_tokens(x):
            self.tokens.update(x, rows)
        elif self.features is not None and self.spec.layout == "features":
            self.features.update(columns(x, self.spec), rows)
        elif self.features is not None:
            measured = attributes.attributes(padded_frame(x, self.spec), self.spec)
            self.features.update(measured, rows)
        short = vectors(x, self.spec) if thumbnails is None else thumbnails
        return self.embedding.update(short, rows)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        fields: dict[str, Any] = {"embedding": self.embedding.read(values)}
        if self.features is not None:
            fields["features"] = self.features.read(values)
        return {**fields, **(self.tokens.read(values) if self.tokens is not None else {})}

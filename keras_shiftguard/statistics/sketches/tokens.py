"""Statistics of inputs that hold integer ids: the tokens of a text, or categories."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.profiles.token_groups import NUM_GROUPS, TOKEN_BUCKETS, group_of
from keras_shiftguard.statistics.batch import InputSpec, row_mask
from keras_shiftguard.statistics.sketches.features import FeatureSketch
from keras_shiftguard.statistics.state import State

MAX_COLUMNS = 64  # if there are more, the columns are not measured as features. A convention.


def are_tokens(x: Any) -> bool:
    """Whether a batch holds ids: it has two dimensions and dtype int32 or int64."""
    kind = keras.backend.standardize_dtype(x.dtype)
    return len(x.shape) == 2 and kind in ("int32", "int64")


class TokenSketch:
    """Counts how often each id occurs, and measures features of each sample.

    Ids are counted modulo `TOKEN_BUCKETS`. The features are the columns (if there are
    at most `MAX_COLUMNS`), the `"length"` (number of entries other than 0, the id of
    padding), and the share of these entries in each of 16 hashed groups of ids,
    `"group/0"` to `"group/15"`. Features have one value for each sample, so they can
    be tested although the ids of one text are not independent.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        columns = spec.channels if spec.channels <= MAX_COLUMNS else 0
        self.with_columns = columns > 0
        groups = [f"group/{i}" for i in range(NUM_GROUPS)]
        names = [*map(str, range(columns)), "length", *groups]
        self.features = FeatureSketch(names, state, prefix="token_features")
        self.counts = state.add("tokens", (TOKEN_BUCKETS,))

    def update(self, x: Any, rows: Any = None) -> None:
        """Adds the ids `(samples, columns)` of the first `rows` samples; None adds all samples."""
        bucket = ops.cast(ops.mod(x, TOKEN_BUCKETS), "int32")
        flat = ops.reshape(bucket, (-1,))
        ones = ops.ones_like(bucket, dtype="float32")
        ones = ops.reshape(ones if rows is None else ones * row_mask(x, rows), (-1,))
        self.counts.assign(self.counts + ops.segment_sum(ones, flat, num_segments=TOKEN_BUCKETS))

        group = group_of(bucket)
        not_padding = ops.cast(ops.not_equal(x, 0), "float32")
        length = ops.sum(not_padding, axis=1, keepdims=True)
        member = ops.one_hot(group, NUM_GROUPS, dtype="float32") * ops.expand_dims(not_padding, 2)
        share = ops.where(length > 0, ops.sum(member, axis=1) / length, float("nan"))
        parts = [ops.cast(x, "float32")] if self.with_columns else []
        self.features.update(ops.concatenate([*parts, length, share], axis=1), rows)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Returns fields of an `InputSummary`; an empty dict if no ids were added."""
        table = self.features.read(values)
        if not table.num_samples:
            return {}
        return {"features": table, "tokens": values["tokens"].astype("int64")}

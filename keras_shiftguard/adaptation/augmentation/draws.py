"""`Draws`: the random numbers of the augmentation.

The seeds come from a `SeedGenerator` that only the augmentation uses, so the
dropout of the model draws the same numbers with and without augmentation.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.operations.random_numbers import GivenSeed

# Share of samples left unchanged, so that the model learns plain images too. A convention, checked
# in docs/benchmarks/augmentation.md.
CLEAN_SHARE = 0.5
# Smallest share of the full strength for an augmented sample. A convention, checked in
# docs/benchmarks/augmentation.md.
MIN_PROGRESS = 0.3


class Draws:
    """Uniform random numbers in [0, 1): a row for each sample, a column for each purpose.

    `draws["x"]` is the column `"x"`, `(samples,)`. There are the columns `EXTRA`, and a column
    for the sign of each operation of `names`.
    """

    # `"progress"` selects the share of the full strength, `"pick"` the image of the target. Two
    # operations may use the same column.
    EXTRA = ("progress", "x", "y", "side", "pick", "gain_0", "gain_1", "gain_2", "gain_3")

    def __init__(self, rows: Any, names: tuple[str, ...], seed: GivenSeed) -> None:
        self.names = names
        columns = (*self.EXTRA, *(f"{name}/sign" for name in names))
        self._column = {name: i for i, name in enumerate(columns)}
        self._values = keras.random.uniform((rows, len(columns)), seed=seed, dtype="float32")

    def __getitem__(self, name: str) -> Any:
        return self._values[:, self._column[name]]

    def levels(self, strengths: Any, whole: bool = False) -> Any:
        """Returns the relative level of each operation for each sample.

        The level is relative to the operation's `limit`. A share `CLEAN_SHARE` of the
        samples gets the level 0. Each of the others gets a random share of the full
        strength, the same share for all operations: if the target is dark and noisy,
        strongly augmented samples are dark and noisy, too. Of two opposite operations a sample
        gets one, with probabilities in proportion to their strengths.

        Args:
            strengths: `(operations,)` or `(samples, operations)`, in [0, 1].
            whole: Whether all samples get the full strength.

        Returns:
            `(samples, operations)`, in [0, 1]; in [-1, 1] for signed operations.
        """
        sign = self._values[:, len(self.EXTRA) :]
        strengths = levels = ops.ones_like(sign) * strengths
        if not whole:
            # `u` is below 0 for the samples that stay unchanged.
            u = (self["progress"] - CLEAN_SHARE) / (1.0 - CLEAN_SHARE)
            progress = ops.where(u < 0, 0.0, ops.minimum(MIN_PROGRESS + u, 1.0))
            levels = levels * progress[:, None]
        # Everything below is calculated for all operations at once, so that augmentation adds only
        # a few small calculations to a training step.
        table = [OPERATIONS[name] for name in self.names]
        place = {name: i for i, name in enumerate(self.names)}
        partner = np.array([place.get(o.opposite, i) for i, o in enumerate(table)], "int32")
        own = np.arange(len(table), dtype="int32")
        # For each operation, the lower and the higher index of the operation and its opposite.
        former, latter = np.minimum(own, partner), np.maximum(own, partner)
        # The same random number decides for both operations of a pair.
        a, b = (ops.take(strengths, ops.convert_to_tensor(i), axis=1) for i in (former, latter))
        u = ops.take(sign, ops.convert_to_tensor(former), axis=1)
        former_wins = ops.less(u * (a + b), a)
        is_former = ops.convert_to_tensor(former == own)
        has_no_opposite = ops.convert_to_tensor(former == latter)
        is_chosen = ops.logical_or(ops.equal(former_wins, is_former), has_no_opposite)
        signed = ops.convert_to_tensor(np.asarray([o.signed for o in table]))
        # The level of a signed operation is uniform between -level and level.
        levels = ops.where(signed, levels * (2.0 * sign - 1.0), levels)
        return ops.where(is_chosen, levels, 0.0)

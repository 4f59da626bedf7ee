"""The randomness of the bank: its own, in step with a variable counter.

Seeds come from a `SeedGenerator` of the augmentation alone, so the model's
dropout draws what it would have drawn without us.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS

CLEAN = 0.5  # of the samples pass unchanged: what was learnt on them stays
NEAREST_TO_CLEAN = 0.3  # how little of the way to the target the others go
HILLS = 6  # of a smooth random field, along a side
JITTER = 0.25  # of an operation, around its strength


class GivenSeed(keras.random.SeedGenerator):
    """A seed that was drawn before: for draws inside a conditional branch."""

    def __init__(self, seed: Any) -> None:
        self.seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self.seed


def fixed_seed(number: int) -> GivenSeed:
    """The same draws at every call."""
    return GivenSeed(ops.convert_to_tensor(np.array([number, 1]), _seed_dtype()))


def _seed_dtype() -> str:
    return "int32" if keras.backend.backend() == "torch" else "uint32"


def drawn_seed(generator: keras.random.SeedGenerator) -> GivenSeed:
    """The next seed, another one on every replica of a distributed step."""
    seed = generator.next()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            replica = ops.cast(context.replica_id_in_sync_group, seed.dtype)
            seed = seed + ops.stack([replica * 7919, ops.zeros_like(replica)])
    return GivenSeed(seed)


def smooth_field(x: Any, channels: int, seed: GivenSeed) -> Any:
    """Random hills in [0, 1], `(samples, height, width, channels)`, for images `x`."""
    shape = ops.shape(x)
    hills = keras.random.uniform((shape[0], HILLS * HILLS * channels), seed=seed, dtype="float32")
    rows, columns = _between_hills(shape[1]), _between_hills(shape[2])
    field = ops.reshape(hills, (shape[0], HILLS, HILLS * channels))
    field = ops.reshape(ops.matmul(rows, field), (shape[0], shape[1], HILLS, channels))
    return ops.matmul(columns, field)


def _between_hills(length: Any) -> Any:
    """Weights that interpolate linearly, `(length, HILLS)`."""
    at = ops.cast(ops.arange(length), "float32") / ops.cast(length, "float32") * (HILLS - 1)
    number = ops.cast(ops.arange(HILLS), "float32")
    return ops.maximum(1.0 - ops.abs(at[:, None] - number[None, :]), 0.0)


class Draws:
    """Uniform numbers in [0, 1), a column for each purpose.

    Args:
        rows: Number of samples.
        names: Of the operations, in the order of their strengths.
        seed: Where the numbers come from.
    """

    EXTRA = ("progress", "x", "y", "side", "pick", "gain_0", "gain_1", "gain_2", "gain_3")

    def __init__(self, rows: Any, names: tuple[str, ...], seed: GivenSeed) -> None:
        self.names = names
        columns = (*self.EXTRA, *names, *(f"{name}/sign" for name in names))
        self._column = {name: i for i, name in enumerate(columns)}
        self._values = keras.random.uniform((rows, len(columns)), seed=seed, dtype="float32")

    def __getitem__(self, name: str) -> Any:
        return self._values[:, self._column[name]]

    def levels(self, strengths: Any, whole: bool = False) -> Any:
        """How far each operation goes on each sample, `(samples, operations)`.

        A sample goes some way from clean to target, all operations together:
        what is dark and noisy in the target is dark and noisy in training. Of
        two opposites it draws one, in proportion to their strengths.

        Args:
            strengths: `(operations,)` or `(samples, operations)`, in [0, 1].
            whole: All samples go the whole way, as the target has.
        """
        k = len(self.names)
        first = len(self.EXTRA)
        jitter = 1.0 + JITTER * (2.0 * self._values[:, first : first + k] - 1.0)
        sign = self._values[:, first + k :]
        strengths = ops.ones_like(jitter) * strengths
        levels = ops.minimum(strengths * jitter, 1.0)
        if not whole:
            u = (self["progress"] - CLEAN) / (1.0 - CLEAN)
            way = ops.where(u < 0, 0.0, ops.minimum(NEAREST_TO_CLEAN + u, 1.0))
            levels = levels * way[:, None]
        # Tables over the operations, so that this is a handful of small steps.
        table = [OPERATIONS[name] for name in self.names]
        partner = [
            self.names.index(o.opposite) if o.opposite in self.names else i
            for i, o in enumerate(table)
        ]
        both = np.stack([np.arange(k), np.asarray(partner, "int64")]).astype("int32")
        former, latter = both.min(axis=0), both.max(axis=0)
        # The same draw decides for both of a pair.
        a, b = (ops.take(strengths, ops.convert_to_tensor(i), axis=1) for i in (former, latter))
        u = ops.take(sign, ops.convert_to_tensor(former), axis=1)
        former_wins = ops.less(u * (a + b), a)
        is_former = ops.convert_to_tensor(former == np.arange(k))
        alone = ops.convert_to_tensor(former == latter)
        mine = ops.logical_or(ops.equal(former_wins, is_former), alone)
        signed = ops.convert_to_tensor(np.asarray([o.signed for o in table]))
        # From -level to level.
        levels = ops.where(signed, levels * (2.0 * sign - 1.0), levels)
        return ops.where(mine, levels, 0.0)

"""`Rehearsal`: measures the image attributes that candidate strengths of augmentation produce.

The effect of an operation depends on the images: noise changes flat drawings much more
than photos of grass. So the effect is measured on the first training images, with the
same operations that augment training. The strengths are an input of the compiled function, one
vector for each image, so many candidates are measured in one call.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws
from keras_shiftguard.operations.random_numbers import fixed_seed
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import attributes
from keras_shiftguard.statistics.state import untrained

SEED = 20  # fixed, so that measurements of different epochs can be compared. A convention.
# Images on which each candidate is measured; at least 8, if they are large. A convention.
MAX_IMAGES = 96
# Values (pixels times channels) in one call; a quarter for a candidate. A convention.
MAX_VALUES = 128 * 128 * 96


class Rehearsal(keras.Model):
    """Model from images and strengths to the attributes of the augmented images.

    Args:
        bank: The operations.
        spec: The image input.
        images: Images of training as the model gets them, 4D.
        pool: Images of the target as the model gets them, 4D; or None.
    """

    def __init__(
        self, bank: Bank, spec: InputSpec, images: np.ndarray, pool: np.ndarray | None = None
    ) -> None:
        super().__init__(dtype="float32", name="tried")
        self.bank, self.spec, self.pool = bank, spec, pool
        count = int(np.clip(MAX_VALUES // 4 // images[0].size, 8, MAX_IMAGES))
        self.images = np.asarray(images[:count], "float32")
        # The range is stored in variables, so that a new range does not require a new compilation.
        black = np.zeros(spec.channels)
        self.low, self.high = (untrained(self, name, black) for name in ("low", "high"))

    def set_range(self, low: Any, high: Any) -> None:
        """Sets the values of black and white in each channel, `(channels,)`."""
        self.low.assign(np.asarray(low, "float32"))
        self.high.assign(np.asarray(high, "float32"))

    def call(self, inputs: Any) -> Any:
        x, strengths = inputs
        # Every call uses the same random numbers, so that measurements can be repeated. Within a
        # call, each candidate has its own numbers.
        seed = fixed_seed(SEED)
        draws = Draws(ops.shape(x)[0], self.bank.names, seed)
        levels = draws.levels(strengths, whole=True)
        pool = None if self.pool is None else ops.convert_to_tensor(self.pool)
        y = self.bank.apply_levels(x, levels, draws, self.low, self.high, seed, pool)
        return attributes(y, self.spec)

    def measure(self, candidates: np.ndarray) -> np.ndarray:
        """Augments the images with each candidate, `(candidates, operations)`, and measures them.

        Every image gets the full strength, unlike in training. Returns the mean of each attribute
        over the images, `(candidates, attributes)`; NaN if no image has the attribute.
        """
        count = len(self.images)
        per_call = max(1, MAX_VALUES // self.images.size)
        x = np.tile(self.images, (per_call,) + (1,) * (self.images.ndim - 1))
        means = []
        for start in range(0, len(candidates), per_call):
            part = candidates[start : start + per_call]
            # The last part is padded, so that all calls have the same shape.
            padded = np.concatenate([part, np.zeros((per_call - len(part), part.shape[1]))])
            strengths = np.repeat(padded, count, axis=0).astype("float32")
            values = np.asarray(self.predict_on_batch((x, strengths)), "float64")
            # Under tf.distribute every replica returns the whole batch, one after another.
            values = values[: len(x)].reshape(per_call, count, -1)[: len(part)]
            known = np.abs(values) < 1e18  # False for NaN and infinity
            number = np.where(known.any(1), known.sum(1), np.nan)
            means.append(np.where(known, values, 0).sum(1) / number)
        return np.concatenate(means)

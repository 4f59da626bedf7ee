"""`Rehearsal`: measures the image attributes that candidate strengths of augmentation produce.

The effect of an operation depends on the images: noise changes flat drawings much more
than photos of grass. So the effect is measured on the first training images, with the
same operations that augment training. The strengths are an input of the compiled function, one
vector for each image, so many candidates are measured in one call.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws
from keras_shiftguard.operations.random_numbers import fixed_seed
from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec

ROWS_PER_CALL = 512  # augmented images in one call; fewer if they are large
SEED = 20  # fixed, so that measurements of different epochs can be compared
MAX_IMAGES = 96  # images on which each candidate is measured; fewer if they are large
# Largest number of values (pixels times channels) in all measured images together. At least 8
# images are used, even if they have more values.
MAX_PIXELS = 128 * 128 * 24


class _AttributesModel(keras.Model):
    """A model from images and strengths to the attributes of the augmented images."""

    def __init__(self, bank: Bank, spec: InputSpec, pool: np.ndarray | None) -> None:
        super().__init__(dtype="float32", name="tried")
        self.bank, self.spec = bank, spec
        # The range is stored in variables, so that a new range does not require a new compilation.
        self.low, self.high = (
            self.add_weight(name=n, shape=(spec.channels,), initializer="zeros", trainable=False)
            for n in ("low", "high")
        )
        self.images = None if pool is None else np.asarray(pool, "float32")

    def call(self, inputs: Any) -> Any:
        x, strengths = inputs
        # Every call uses the same random numbers, so that measurements can be repeated. Within a
        # call, each candidate has its own numbers.
        seed = fixed_seed(SEED)
        draws = Draws(ops.shape(x)[0], self.bank.names, seed)
        levels = draws.levels(strengths, whole=True)
        pool = None if self.images is None else ops.convert_to_tensor(self.images)
        y = self.bank.apply_levels(x, levels, draws, self.low, self.high, seed, pool)
        return attributes(y, self.spec)


@lru_cache(maxsize=8)
def _shared_model(
    names: tuple[str, ...], fill_mode: str, fill_value: float, spec: InputSpec
) -> _AttributesModel:
    """Returns the model of a bank without target images, from a cache after the first call."""
    return _AttributesModel(Bank(names, spec.layout, fill_mode, fill_value), spec, None)


class Rehearsal:
    """Function that measures the attributes of images augmented with candidate strengths.

    Args:
        bank: The operations.
        spec: The image input.
        images: Images of training as the model gets them, 4D.
        pool: Images of the target as the model gets them, 4D, for the operations that copy
            properties of target images; or None.
    """

    def __init__(
        self,
        bank: Bank,
        spec: InputSpec,
        images: np.ndarray,
        pool: np.ndarray | None = None,
    ) -> None:
        self.names = names(spec)
        self.bank = bank
        values_per_image = int(np.prod(images.shape[1:]))
        count = int(np.clip(MAX_PIXELS // values_per_image, 8, MAX_IMAGES))
        self.images = np.asarray(images[:count], "float32")
        if pool is None:
            fill = bank.fill_mode, float(bank.fill_value)
            self._model = _shared_model(tuple(bank.names), *fill, replace(spec, name=""))
        else:
            self._model = _AttributesModel(bank, spec, pool)
        self._range = np.zeros(spec.channels, "float32"), np.zeros(spec.channels, "float32")

    def set_range(self, low: Any, high: Any) -> None:
        """Sets the values of black and white in each channel, `(channels,)`."""
        self._range = np.asarray(low, "float32"), np.asarray(high, "float32")

    def __call__(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Augments the images with each candidate, and measures their attributes.

        Every image gets the full strength, unlike in training.

        Args:
            candidates: Strengths, `(candidates, operations)`, in [0, 1].

        Returns:
            Mean and standard deviation of the attributes over the images,
            `(candidates, attributes)` each; NaN if no image has the attribute.
        """
        for variable, value in zip((self._model.low, self._model.high), self._range, strict=True):
            variable.assign(value)
        count = len(self.images)
        rows = min(ROWS_PER_CALL, MAX_PIXELS * 4 // self.images[0].size)
        per_call = max(1, rows // count)
        means, stds = [], []
        for start in range(0, len(candidates), per_call):
            part = candidates[start : start + per_call]
            # The last part is padded, so that all calls have the same shape.
            padded = np.concatenate([part, np.zeros((per_call - len(part), part.shape[1]))])
            x = np.tile(self.images, (per_call,) + (1,) * (self.images.ndim - 1))
            strengths = np.repeat(padded, count, axis=0).astype("float32")
            values = np.asarray(self._model.predict_on_batch((x, strengths)), "float64")
            # Under tf.distribute every replica returns the whole batch, one after another.
            values = values[: len(x)].reshape(per_call, count, -1)[: len(part)]
            known = np.abs(values) < 1e18  # False for NaN and infinity
            number = np.maximum(known.sum(1), 1)
            mean = np.where(known, values, 0).sum(1) / number
            variance = np.where(known, (values - mean[:, None]) ** 2, 0).sum(1) / number
            is_missing = known.sum(1) == 0
            means.append(np.where(is_missing, np.nan, mean))
            stds.append(np.where(is_missing, np.nan, np.sqrt(variance)))
        return np.concatenate(means), np.concatenate(stds)

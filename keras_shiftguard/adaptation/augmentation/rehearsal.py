"""What strengths would do to the attributes: tried on images, not guessed.

The response of the attributes to an operation depends on the images: noise is
far on flat drawings and near on photos of grass. So it is measured on the
user's own first images, with the very operations that augment. Strengths are
an input of the compiled function, one vector an image: many are tried at once.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws, fixed_seed
from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec

ROWS = 512  # images in one call
SEED = 20
MOST_ROWS = 96  # images that a candidate is tried on
MOST_PIXELS = 128 * 128 * 24  # and pixels of them


class _Tried(keras.Model):
    def __init__(self, bank: Bank, spec: InputSpec, pool: np.ndarray | None) -> None:
        super().__init__(dtype="float32", name="tried")
        self.bank, self.spec = bank, spec
        # Variables: another range is no reason to compile again.
        self.low, self.high = (
            self.add_weight(name=n, shape=(spec.channels,), initializer="zeros", trainable=False)
            for n in ("low", "high")
        )
        self.images = None if pool is None else np.asarray(pool, "float32")

    def call(self, inputs: Any) -> Any:
        x, strengths = inputs
        # The same draws for all candidates: they differ by what they do only.
        seed = fixed_seed(SEED)
        draws = Draws(ops.shape(x)[0], self.bank.names, seed)
        levels = draws.levels(strengths, whole=True)
        pool = None if self.images is None else ops.convert_to_tensor(self.images)
        y = self.bank.at_levels(x, levels, draws, self.low, self.high, seed, pool)
        return attributes(y, self.spec)


class Rehearsal:
    """Measures attributes of images under candidate strengths. Runs on the host.

    Args:
        bank: The operations.
        spec: Of the images.
        images: `(images, ...)` in the layout and values of the stream.
        pool: Images of the target, or None.
    """

    def __init__(
        self,
        bank: Bank,
        spec: InputSpec,
        images: np.ndarray,
        pool: np.ndarray | None = None,
    ) -> None:
        self.names = names(spec)
        pixels = int(np.prod(images.shape[1:]))
        most = int(np.clip(MOST_PIXELS // pixels, 8, MOST_ROWS))
        self.images = np.asarray(images[:most], "float32")
        self._model = _Tried(bank, spec, pool)

    def set_range(self, low: Any, high: Any) -> None:
        """Black and white of each channel, `(channels,)`, in the values of the images."""
        self._model.low.assign(np.asarray(low, "float32"))
        self._model.high.assign(np.asarray(high, "float32"))

    def __call__(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The attributes of fully augmented images.

        Args:
            candidates: `(candidates, operations)`, in [0, 1].

        Returns:
            Mean and standard deviation over the images, `(candidates,
            attributes)`; NaN where no image has the attribute.
        """
        count = len(self.images)
        per_call = max(1, min(ROWS, MOST_PIXELS * 4 // self.images[0].size) // count)
        means, stds = [], []
        for start in range(0, len(candidates), per_call):
            part = candidates[start : start + per_call]
            full = np.concatenate([part, np.zeros((per_call - len(part), part.shape[1]))])
            x = np.tile(self.images, (per_call,) + (1,) * (self.images.ndim - 1))
            strengths = np.repeat(full, count, axis=0).astype("float32")
            values = np.asarray(self._model.predict_on_batch((x, strengths)), "float64")
            # Under tf.distribute every replica computes the whole, and all come back.
            values = values[: len(x)].reshape(per_call, count, -1)[: len(part)]
            known = np.abs(values) < 1e18
            number = np.maximum(known.sum(1), 1)
            mean = np.where(known, values, 0).sum(1) / number
            square = np.where(known, (values - mean[:, None]) ** 2, 0).sum(1) / number
            gone = known.sum(1) == 0
            means.append(np.where(gone, np.nan, mean))
            stds.append(np.where(gone, np.nan, np.sqrt(square)))
        return np.concatenate(means), np.concatenate(stds)

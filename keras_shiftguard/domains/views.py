"""`Views`: a weakly and a strongly augmented view of each sample, for consistency training."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.operations.random_numbers import GivenSeed, drawn_seed
from keras_shiftguard.statistics.state import untrained

# Strengths of the operations on images, in [0, 1], as in `AdaptiveAugmentation`. The weak view is
# shifted by a few pixels. Each operation is applied to the strong view with the probability
# `STRONG_CHANCE`, at a uniform level up to its strength. Conventions, checked in
# docs/benchmarks/adaptation.md.
WEAK_IMAGE = {name: 0.2 for name in ("shift_left", "shift_right", "shift_up", "shift_down")}
STRONG_IMAGE = WEAK_IMAGE | {
    **dict.fromkeys(("rotation", "shear", "zoom_in", "zoom_out"), 0.5),
    **dict.fromkeys(("darker", "brighter", "less_contrast", "more_contrast"), 0.4),
    **dict.fromkeys(("gamma_up", "gamma_down", "channel_gain", "hue"), 0.5),
    "noise": 0.4,
    "erasing": 0.7,
}
STRONG_CHANCE = 0.5
# Calls of the user's layer, and samples in each, see `check_layer`. A convention.
CALLS, CHECKED = 20, 32
# The strong view of vectors and of signals. Noise and drift are in standard deviations of the
# values; a gain is `exp(GAIN * normal)`. Conventions, checked in docs/benchmarks/adaptation.md.
GAIN, NOISE, SWAPPED = 0.3, 0.2, 0.2  # `SWAPPED`: share of the values taken from another sample
DRIFT, SHIFT = 0.3, 0.1  # a linear drift over a signal; a shift in time, as a share of its length


class Views(keras.layers.Layer):
    """Layer that returns a weak and a strong view of the inputs of a model.

    - Images (4D): the weak view has small shifts. The strong view also has random rotation,
      shear, zoom, light, contrast, color, noise and one erased rectangle.
    - Vectors (2D): the strong view has one gain for all values, noise, and values of another
      sample of the same domain.
    - Signals (3D, `(samples, time, channels)`): the strong view has a gain, a drift, noise and
      a shift in time.

    The paper of AdaMatch mirrors images in the weak view, and learns the strengths of the strong
    view (CTAugment). Here images are not mirrored, because mirrored digits or text may have another
    class, and the strengths are fixed.

    For vectors and signals, the weak view is the sample itself. If the user gives a layer, it
    makes the strong view of every input, and the weak view is the sample itself.

    Black and white, and the mean and deviation of each feature, are those of the source: otherwise
    a target in other units would decide how the source is augmented.

    Args:
        layer: The user's own augmentation, called on the inputs with `training=True`; or None.

    Reference: Berthelot et al. (2022); Bahri et al., "SCARF", ICLR 2022, for vectors; Um et
    al., "Data Augmentation of Wearable Sensor Data", ICMI 2017, for signals.
    """

    def __init__(self, layer: Any = None, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.layer = layer
        self.generator = keras.random.SeedGenerator(0)
        self.scales: list[Any] = []  # `[low, high]` for images, else `[mean, deviation]`

    def build(self, shapes: Any) -> None:
        """Makes the weights; `shapes` is a list with the shape of each input."""
        for i, shape in enumerate(shapes):
            wide = (int(shape[_channel_axis(shape)] or 1),) if len(shape) > 2 else shape[1:]
            values = {"low": np.zeros(wide), "high": np.ones(wide)}
            self.scales.append([untrained(self, f"{k}_{i}", v) for k, v in values.items()])
        self.built = True

    def seed(self, seed: int) -> None:
        """Sets the seed of the random numbers."""
        self.generator.state.assign([seed, 0])

    def check_layer(self, x: Any) -> None:
        """Raises a BadInputError if the user's layer changes none of these samples, NumPy arrays.

        A new `AdaptiveAugmentation` does so: all its strengths are 0.
        """
        if self.layer is None:
            return
        few = keras.tree.map_structure(lambda a: ops.convert_to_tensor(a[:CHECKED]), x)
        before = [ops.convert_to_numpy(a) for a in keras.tree.flatten(few)]
        for _ in range(CALLS):  # a layer may change only some of the batches
            with no_gradients():
                strong = self.layer(few, training=True)
            after = map(ops.convert_to_numpy, keras.tree.flatten(strong))
            pairs = zip(before, after, strict=True)
            if not all(np.array_equal(a.astype(b.dtype), b) for a, b in pairs):
                return
        raise BadInputError(
            f"`augmentation` changes no sample: the {type(self.layer).__name__} returned its "
            "input, so there is no strong view. The strengths of a new AdaptiveAugmentation "
            "are 0: call it on a batch, and then `set_strengths`."
        )

    def fit_scales(self, x: Any) -> None:
        """Sets the scales from samples of the source, given as NumPy arrays."""
        for value, (first, second) in zip(keras.tree.flatten(x), self.scales, strict=True):
            if not _has_views(value):
                continue
            value = np.asarray(value, "float32")
            kept = {value.ndim + _channel_axis(value.shape)} if value.ndim > 2 else {1}
            axes = tuple(i for i in range(value.ndim) if i not in kept)
            if value.ndim == 4:
                first.assign(value.min(axis=axes))
                second.assign(value.max(axis=axes))
            else:
                first.assign(value.mean(axis=axes))
                second.assign(value.std(axis=axes))

    def call(self, x: Any, source_rows: Any = None) -> tuple[Any, Any]:
        """Returns the weak and the strong view of a batch, both structured like `x`.

        `x` holds samples of the source, then samples of the target. `source_rows` is the number of
        the former; None if all are of one domain.
        """
        if self.layer is not None:
            return x, self.layer(x, training=True)
        leaves = keras.tree.flatten(x)
        views = [
            self._views(v, scale, source_rows) if _has_views(v) else (v, v)
            for v, scale in zip(leaves, self.scales, strict=True)
        ]
        weak, strong = zip(*views, strict=True)
        return keras.tree.pack_sequence_as(x, weak), keras.tree.pack_sequence_as(x, strong)

    def _views(self, x: Any, scale: Any, source_rows: Any) -> tuple[Any, Any]:
        first, second = scale
        if len(x.shape) == 4:
            seeds = drawn_seed(self.generator), drawn_seed(self.generator)
            return image_views(x, first, second, *seeds)
        if len(x.shape) == 3:
            return x, perturbed_signal(x, first, second, self.generator)
        return x, perturbed_vector(x, first, second, self.generator, source_rows)


def check_views(inputs: Any, method: Any) -> None:
    """Raises a BadInputError if no input can be augmented."""
    if not any(_has_views(x) for x in inputs):
        received = [(tuple(x.shape), keras.backend.standardize_dtype(x.dtype)) for x in inputs]
        raise BadInputError(
            f"method={method!r} needs a strong augmentation, and there is none of ours for these "
            "inputs: pass `augmentation=` a layer that takes them. "
            f"Received: {received}"
        )


def image_views(x: Any, low: Any, high: Any, seed: GivenSeed, choice: GivenSeed) -> tuple[Any, Any]:
    """Returns the weak and the strong view of images, from one call of the augmentation.

    `low` and `high` are black and white in each channel, `(channels,)`. `choice` is the seed of the
    choice of operations and levels, and `seed` that of the operations.
    """
    names = tuple(STRONG_IMAGE)
    bank = Bank(names, keras.config.image_data_format(), "nearest")
    rows = ops.shape(x)[0]
    u = keras.random.uniform((rows, 2 * len(names)), seed=choice, dtype="float32")
    chosen = ops.cast(u[:, : len(names)] < STRONG_CHANCE, "float32")
    weak, strong = (
        u[:, len(names) :] * ops.convert_to_tensor([table.get(n, 0.0) for n in names], "float32")
        for table in (WEAK_IMAGE, STRONG_IMAGE)
    )
    draws = Draws(2 * rows, names, seed)
    levels = draws.levels(ops.concatenate([weak, chosen * strong], axis=0), whole=True)
    both = ops.cast(ops.concatenate([x, x], axis=0), "float32")
    both = _like(bank.apply_levels(both, levels, draws, low, high, seed), x)
    return both[:rows], both[rows:]


def perturbed_vector(
    x: Any, mean: Any, deviation: Any, generator: Any, source_rows: Any = None
) -> Any:
    """Returns vectors with a random gain around the mean, noise, and values of other samples.

    For `source_rows` see `Views.call`.
    """
    rows = ops.shape(x)[0]
    z = ops.cast(x, "float32")
    # A random other sample of the same domain, if the batch is shuffled.
    domains = [z] if source_rows is None else [z[:source_rows], z[source_rows:]]
    other = ops.concatenate([ops.roll(domain, 1, axis=0) for domain in domains], axis=0)
    u = keras.random.uniform(ops.shape(z), seed=generator, dtype="float32")
    z = ops.where(u < SWAPPED, other, z)
    gain = ops.exp(GAIN * keras.random.normal((rows, 1), seed=generator, dtype="float32"))
    noise = keras.random.normal(ops.shape(z), seed=generator, dtype="float32")
    z = mean + (z - mean) * gain + NOISE * deviation * noise
    return _like(z, x)


def perturbed_signal(x: Any, mean: Any, deviation: Any, generator: Any) -> Any:
    """Returns signals with a random gain around the mean, a drift, noise, and a time shift."""
    rows, length, channels = ops.shape(x)
    z = ops.cast(x, "float32")
    u = keras.random.uniform((rows, 1), seed=generator, dtype="float32")
    shift = ops.round((2.0 * u - 1.0) * SHIFT * ops.cast(length, "float32"))
    at = ops.cast(ops.arange(length), "float32")
    place = ops.clip(at[None] + shift, 0.0, ops.cast(length - 1, "float32"))
    z = ops.take_along_axis(z, ops.cast(place, "int32")[:, :, None], axis=1)
    normal = keras.random.normal((rows, 2, channels), seed=generator, dtype="float32")
    time = (at / ops.cast(length, "float32") - 0.5)[None, :, None]
    noise = keras.random.normal(ops.shape(z), seed=generator, dtype="float32")
    z = mean + (z - mean) * ops.exp(GAIN * normal[:, :1])
    z = z + deviation * (DRIFT * normal[:, 1:] * time + NOISE * noise)
    return _like(z, x)


def _like(values: Any, x: Any) -> Any:
    """Returns values in the dtype of `x`. Whole numbers are rounded: a cast makes images darker."""
    is_whole = "int" in keras.backend.standardize_dtype(x.dtype)
    return ops.cast(ops.round(values) if is_whole else values, x.dtype)


def _has_views(x: Any) -> bool:
    """Whether an input can be augmented: floats of rank 2 to 4, or integers of rank 4."""
    kind, rank = keras.backend.standardize_dtype(x.dtype), len(x.shape)
    return (2 <= rank <= 4 and kind.startswith(("float", "bfloat"))) or (
        rank == 4 and "int" in kind
    )


def _channel_axis(shape: Any) -> int:
    """Returns the axis of the channels, counted from the end."""
    first = len(shape) == 4 and keras.config.image_data_format() == "channels_first"
    return -3 if first else -1

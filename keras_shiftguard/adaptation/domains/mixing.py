"""`DomainMixing`: a layer that blends target images into source images."""

from typing import Any

import keras
from keras import ops

IMAGE_RANK = 4  # (samples, height, width, channels), or channels first


class DomainMixing(keras.layers.Layer):
    """Blends a target image into each source image; the labels stay the same.

    The result is `(1 - share) * source + share * target`. Each image has a random
    share of its own, uniform between 0 and `max_share`. So the labelled objects
    appear with the backgrounds, the light and the noise of the target. The classes
    of the target need not be known, so blending helps from the first step on.
    Inputs that are not images (vectors, tokens, sequences) stay unchanged: a mean of
    two vectors may look like one of another class.

    Args:
        max_share: Largest share of the target image, from 0 to 0.5.

    Call arguments:
        source: Source inputs, a tensor or a structure of tensors, of any numeric
            dtype.
        target: Target inputs of the same structure; the number of samples may differ.
        strength: Factor of `max_share`, a scalar, clipped to [0, 1].

    Reference: Xu et al., "Adversarial Domain Adaptation with Domain Mixup", AAAI
    2020, section 3.2, without the mixed labels; Zhang et al., "mixup: Beyond
    Empirical Risk Minimization", ICLR 2018.
    """

    def __init__(self, max_share: float, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs, autocast=False)
        self.max_share = float(max_share)
        self.seed_generator = keras.random.SeedGenerator(0)
        self.built = True

    def seed(self, seed: int) -> None:
        """Sets the seed of the random numbers."""
        self.seed_generator.state.assign([seed, 0])

    def call(self, source: Any, target: Any, strength: Any) -> Any:
        if not self.max_share or not any(is_image(leaf) for leaf in keras.tree.flatten(source)):
            return source
        size = ops.shape(keras.tree.flatten(source)[0])[0]
        target_size = ops.shape(keras.tree.flatten(target)[0])[0]
        draws = keras.random.uniform((size, 1, 1, 1), seed=self.seed_generator)
        factor = ops.clip(ops.convert_to_tensor(strength, "float32"), 0.0, 1.0)
        share = draws * self.max_share * factor
        rows = ops.mod(ops.arange(size), target_size)  # repeats target images if they are fewer

        def mixed(a: Any, b: Any) -> Any:
            if not is_image(a):
                return a
            b = ops.cast(ops.take(b, rows, axis=0), "float32")
            a_float = ops.cast(a, "float32")
            return ops.cast(a_float + share * (b - a_float), a.dtype)

        return keras.tree.map_structure(mixed, source, target)


def is_image(x: Any) -> bool:
    """Whether a tensor is a batch of images: it has rank 4 and a numeric dtype."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return len(x.shape) == IMAGE_RANK and (dtype.startswith(("float", "bfloat")) or "int" in dtype)

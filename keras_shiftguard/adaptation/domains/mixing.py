"""`DomainMixing`: source images with a little of a target image in each."""

from typing import Any

import keras
from keras import ops

IMAGE_RANK = 4  # (samples, height, width, channels), or channels first


class DomainMixing(keras.layers.Layer):
    """Blends a target image into each source image, which keeps its label.

    `(1 - share) * source + share * target`, with a share of its own for each
    image, uniform from 0 to `most`. What is in the picture is still what the label
    says, on the backgrounds, in the light and with the noise of the target. Nothing
    has to be known of the target's classes, so it helps from the first step on.
    Inputs that are no images (vectors, tokens, sequences) stay as they are: half way
    between two points there may be another class.

    Args:
        most: Largest share, 0 to 0.5.

    Call arguments:
        source: Inputs, a tensor or a structure of tensors, of any number type.
        target: The same of the target; another number of samples is fine.
        strength: What `most` is multiplied with, a scalar from 0 to 1.

    Reference: Xu et al., "Adversarial Domain Adaptation with Domain Mixup", AAAI
    2020, section 3.2, without the mixed labels; Zhang et al., "mixup: Beyond
    Empirical Risk Minimization", ICLR 2018.
    """

    def __init__(self, most: float, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs, autocast=False)
        self.most = float(most)
        self.seed_generator = keras.random.SeedGenerator(0)
        self.built = True

    def seed(self, seed: int) -> None:
        """Begins the random numbers anew."""
        self.seed_generator.state.assign([seed, 0])

    def call(self, source: Any, target: Any, strength: Any) -> Any:
        if not self.most or not any(is_image(leaf) for leaf in keras.tree.flatten(source)):
            return source
        size = ops.shape(keras.tree.flatten(source)[0])[0]
        other = ops.shape(keras.tree.flatten(target)[0])[0]
        draws = keras.random.uniform((size, 1, 1, 1), seed=self.seed_generator)
        share = draws * self.most * ops.clip(ops.convert_to_tensor(strength, "float32"), 0.0, 1.0)
        rows = ops.mod(ops.arange(size), other)

        def mixed(a: Any, b: Any) -> Any:
            if not is_image(a):
                return a
            b = ops.cast(ops.take(b, rows, axis=0), "float32")
            a_float = ops.cast(a, "float32")
            return ops.cast(a_float + share * (b - a_float), a.dtype)

        return keras.tree.map_structure(mixed, source, target)


def is_image(x: Any) -> bool:
    """Whether a batch can be blended: it has the rank of images, and numbers in it."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return len(x.shape) == IMAGE_RANK and (dtype.startswith(("float", "bfloat")) or "int" in dtype)

"""`DomainHead`: the classifier of the adversarial methods that tells target from source."""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.adaptation.domains.reversal import GradientReversal, reverse

FEATURE_LENGTH = 4.0  # Euclidean length to which the head scales each feature vector
# An outer product of features and class probabilities that is wider than this is replaced by a
# random projection to this width. Long et al. (2018) use 1,024, which made a step a third slower
# and gained nothing on the tasks of docs/benchmarks/domain-adaptation.md.
MAX_WIDTH = 256


def scale_to_length(features: Any) -> Any:
    """Scales each feature vector to the Euclidean length `FEATURE_LENGTH`, in float32.

    The reversed cross-entropy has no lower bound. If the vectors could have any
    length, the model could reduce its loss forever by making them longer.
    """
    x = ops.cast(features, "float32")
    return FEATURE_LENGTH * x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class DomainHead(keras.layers.Layer):
    """A classifier of the domain, behind a gradient reversal.

    It computes in float32, even in a model with another dtype policy.

    Args:
        units: Numbers of units of the hidden layers.
        num_classes: Number of classes, if the head also gets the class probabilities:
            its input is their outer product with the features (CDAN). 0 for a head
            that gets the features alone (DANN).

    Call arguments:
        features: `(batch, features)`.
        probabilities: Class probabilities, `(batch, num_classes)`, or None.
        strength: Factor of the reversed gradient, a scalar; None for 1.

    Output shape:
        `(batch, 1)`: the logit of the probability that a sample is from the target.

    Reference: Long et al., "Conditional Adversarial Domain Adaptation",
    NeurIPS 2018, eq. 5 and 6.
    """

    def __init__(
        self, units: tuple[int, ...] = (128, 128), num_classes: int = 0, **kwargs: Any
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.units = tuple(int(width) for width in units)
        self.num_classes = int(num_classes)
        self.reversal = GradientReversal(1.0, dtype="float32", name="reversal")
        self.hidden = [
            keras.layers.Dense(width, activation="relu", dtype="float32", name=f"hidden_{i}")
            for i, width in enumerate(self.units)
        ]
        self.logit = keras.layers.Dense(1, dtype="float32", name="logit")
        self.maps: list[Any] = []  # the random projections, if there are any

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = int(input_shape[-1] or 0)
        if self.num_classes:
            product_width = width * self.num_classes
            if product_width > MAX_WIDTH:
                # The features and the probabilities are each projected at random, and the
                # projections are multiplied elementwise. On average, the inner product of two
                # samples is then the same as with outer products.
                for rows in (width, self.num_classes):
                    random = keras.initializers.RandomNormal(stddev=1.0, seed=rows)
                    self.maps.append(
                        self.add_weight(
                            shape=(rows, MAX_WIDTH), initializer=random, trainable=False, name="map"
                        )
                    )
            width = min(product_width, MAX_WIDTH)
        for layer in self.hidden:
            layer.build((None, width))
            width = layer.units
        self.logit.build((None, width))
        self.built = True

    def call(self, features: Any, probabilities: Any = None, strength: Any = None) -> Any:
        x = scale_to_length(features)
        if self.num_classes:
            p = ops.cast(probabilities, "float32")
            if self.maps:
                x = ops.matmul(x, self.maps[0]) * ops.matmul(p, self.maps[1]) / MAX_WIDTH**0.5
            else:
                x = ops.reshape(p[:, :, None] * x[:, None, :], (ops.shape(x)[0], -1))
        x = self.reversal(x) if strength is None else reverse(x, strength)
        for layer in self.hidden:
            x = layer(x)
        return self.logit(x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "num_classes": self.num_classes,
        }

"""`DomainAdversarial`: the adversarial methods, DANN and CDAN.

A domain head learns to tell the target from the source by their features. The gradient that
it sends back to the features is reversed, so the features become alike in both domains.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.domains.alignment.reversal import reverse
from keras_shiftguard.domains.pair import EPSILON, Pair

# Steepness of the sigmoid by which the reversed gradient rises: Ganin et al., 2016.
RAMP_STEEPNESS = 10.0
# An outer product of features and class probabilities wider than `MAX_PRODUCT` is replaced by a
# random projection of width `PROJECTION`: Long et al. (2018), section 3.2.
MAX_PRODUCT, PROJECTION = 4096, 1024


class DomainAdversarial(keras.layers.Layer):
    """A domain head behind a gradient reversal, and its loss.

    The gradient of the head itself is not scaled. The reversed gradient is multiplied by
    `strength * (2 / (1 + exp(-10 p)) - 1)`, where `p` is the share of the training that is
    over. The losses of the two domains are added, as in the equations of both papers. The authors'
    code of CDAN takes their mean, so its reversed gradient is half as strong.

    In these points, CDAN follows the authors' code. The class probabilities in the product with the
    features get no gradient. The weights of CDAN+E are divided by their sum in each domain, so they
    do not change the scale of the loss. A reversed gradient flows through the entropy, so the
    network also learns to be sure of the class of samples whose domain the head gets wrong. The
    head of the paper has two hidden layers of 1024 units with dropout; here it has one of 100, see
    `units`.

    Args:
        num_classes: Number of classes for CDAN, whose head gets the outer product of
            features and class probabilities. 0 for DANN, whose head gets the features.
        units: Numbers of units of the hidden layers of the head.
        entropy: Whether to weight each sample by `1 + exp(-H)` (CDAN+E), where `H` is the
            entropy of its class probabilities. Samples with a clear class then count more.

    Reference: Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17 (2016),
    eq. 9 and section 5.2.2; Long et al., "Conditional Adversarial Domain Adaptation", NeurIPS
    2018, eq. 5 to 8.
    """

    def __init__(
        self,
        num_classes: int = 0,
        units: tuple[int, ...] = (100,),
        entropy: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.num_classes, self.entropy = num_classes, entropy
        self.hidden = [
            keras.layers.Dense(width, activation="relu", dtype="float32", name=f"hidden_{i}")
            for i, width in enumerate(units)
        ]
        self.logit = keras.layers.Dense(1, dtype="float32", name="logit")
        self.projections: list[Any] = []
        self.accuracy_tracker = keras.metrics.Mean(name="domain_accuracy")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = int(input_shape[-1] or 0)
        if width * self.num_classes > MAX_PRODUCT:
            for seed, rows in enumerate((width, self.num_classes)):
                # The two matrices must be independent, also if they have the same shape.
                random = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
                self.projections.append(
                    self.add_weight(shape=(rows, PROJECTION), initializer=random, trainable=False)
                )
            width = PROJECTION
        elif self.num_classes:
            width *= self.num_classes
        for layer in self.hidden:
            layer.build((None, width))
            width = layer.units
        self.logit.build((None, width))
        self.built = True

    def call(self, features: Any, probabilities: Any, reversal: Any) -> Any:
        """Returns the logit that a sample is from the target, `(samples,)`."""
        x = features
        if self.num_classes:
            p = ops.stop_gradient(probabilities)
            if self.projections:
                x = ops.matmul(x, self.projections[0]) * ops.matmul(p, self.projections[1])
                x = x / PROJECTION**0.5
            else:
                x = ops.reshape(p[:, :, None] * x[:, None, :], (ops.shape(x)[0], -1))
        x = reverse(x, reversal)
        for layer in self.hidden:
            x = layer(x)
        return self.logit(x)[:, 0]

    def loss(self, pair: Pair, progress: Any, strength: Any) -> Any:
        """Returns the cross-entropy of the head: its mean on the source plus that on the target."""
        reversal = strength * (2.0 / (1.0 + ops.exp(-RAMP_STEEPNESS * progress)) - 1.0)
        source = self(pair.features, pair.probabilities, reversal)
        target = self(pair.target_features, pair.target_probabilities, reversal)
        right = (ops.mean(ops.cast(a, "float32")) for a in (source < 0, target > 0))
        self.accuracy_tracker.update_state(sum(right) / 2)
        return self._mean(ops.softplus(source), pair.probabilities, reversal) + self._mean(
            ops.softplus(-target), pair.target_probabilities, reversal
        )

    def _mean(self, values: Any, p: Any, reversal: Any) -> Any:
        """Returns the mean of `values`; if `entropy` is set, weighted as in CDAN+E."""
        if not self.entropy:
            return ops.mean(values)
        entropy = -ops.sum(p * ops.log(p + EPSILON), axis=-1)
        weights = 1.0 + ops.exp(-reverse(entropy, reversal))
        return ops.sum(weights * values) / ops.stop_gradient(ops.sum(weights))

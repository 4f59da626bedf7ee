"""`Alignment`: the loss that makes the features of source and target alike.

Its strength and its other settings are variables, so they can be changed while a
compiled `fit` runs, and are saved in checkpoints.
"""

import math
from typing import Any

import keras
from keras import ops

from keras_shiftguard.adaptation.domains.adversarial import (
    certainty,
    domain_accuracy,
    domain_loss,
    mean_entropy,
)
from keras_shiftguard.adaptation.domains.distances import EPSILON, conditional_mmd, coral, mmd
from keras_shiftguard.adaptation.domains.domain_head import DomainHead
from keras_shiftguard.statistics.classes import class_ids, probabilities

METHODS = ("dann", "cdan", "mmd", "coral", "auto")
ADVERSARIAL = ("dann", "cdan")
# Factor of the reversed gradient at strength 1: adversarial training is more stable below 1.
ADVERSARIAL_FACTOR = 0.3
ENTROPY_WEIGHT = 0.1  # weight of the entropy of target predictions, as in VADA and RTN
RAMP_STEEPNESS = 10.0  # of the sigmoid by which the strength rises: Ganin et al., section 5.2.2


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class Alignment(keras.layers.Layer):
    """The alignment loss of a source batch and a target batch.

    Args:
        method: One of `METHODS`.
        num_classes: Number of classes of the model; 0 for regression.
        units: Widths of the hidden layers of the domain head.

    Attributes:
        strength: Weight of the loss at the end of the ramp, float32 scalar.
        started: 0 while the source is learned alone, then 1.
        step: Number of training steps since alignment started.
        ramp_steps: Number of steps over which the weight rises from 0; 0 for no ramp.
        conditional: Weight of the class-by-class distance, 0 to 1; the distance of the
            whole domains has the rest (`"auto"` only).
        rule_kernel: The two linear rules from features to classes, `(2, features,
            num_classes)`; see `TargetClasses` (`"auto"` only).
        rule_bias: The biases of these rules, `(2, num_classes)` (`"auto"` only).
        class_weights: Weight of each source class, `(num_classes,)`.
    """

    def __init__(
        self,
        method: str,
        num_classes: int,
        units: tuple[int, ...] = (128, 128),
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.method = method
        self.num_classes = num_classes
        self.units = tuple(units)
        self.head: Any = None
        if method in ADVERSARIAL:
            conditional = num_classes if method == "cdan" else 0
            self.head = DomainHead(self.units, conditional, name="domain_head")
        self.strength = self._variable("strength", 1.0)
        self.started = self._variable("started", 1.0)
        self.step = self._variable("step", 0.0)
        self.ramp_steps = self._variable("ramp_steps", 0.0)
        self.conditional = self._variable("conditional", 0.0)
        self.class_weights = self._variable("class_weights", 1.0, (max(num_classes, 1),))
        self.rule_kernel: Any = None
        self.rule_bias: Any = None
        self.loss_tracker = keras.metrics.Mean(name="alignment_loss")
        self.accuracy_tracker: Any = None
        if method in ADVERSARIAL:
            self.accuracy_tracker = keras.metrics.Mean(name="domain_accuracy")

    def _variable(self, name: str, value: float, shape: tuple[int, ...] = ()) -> Any:
        """Adds a float32 variable that is not trained and has the same value on all replicas."""
        return self.add_weight(
            shape=shape,
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name=name,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.head is not None:
            self.head.build(input_shape)
        if self.method == "auto":
            width = int(input_shape[-1] or 0)
            self.rule_kernel = self._variable("rule_kernel", 0.0, (2, width, self.num_classes))
            self.rule_bias = self._variable("rule_bias", 0.0, (2, self.num_classes))
        self.built = True

    def ramp(self) -> Any:
        """Returns the factor of the strength: it rises from 0 to 1 over `ramp_steps`.

        Reference: Ganin et al., JMLR 17 (2016), section 5.2.2.
        """
        progress = ops.minimum(ops.divide_no_nan(self.step, self.ramp_steps), 1.0)
        progress = ops.where(self.ramp_steps > 0, progress, ops.ones_like(progress))
        return 2.0 / (1.0 + ops.exp(-RAMP_STEEPNESS * progress)) - 1.0

    def weights_of(self, y: Any) -> Any:
        """Returns the class weight of each source sample, `(samples,)`."""
        return ops.matmul(self.one_hot(y), self.class_weights[:, None])[:, 0]

    def one_hot(self, y: Any) -> Any:
        """Returns the labels as one-hot vectors, `(samples, num_classes)`, float32.

        Labels with a column for each class are returned as they are.
        """
        y = ops.convert_to_tensor(y)
        if len(y.shape) == 2 and y.shape[1] == self.num_classes:
            return ops.cast(y, "float32")
        ids, _ = class_ids(y, 1)
        return ops.one_hot(ids, self.num_classes, dtype="float32")

    def probabilities(self, outputs: Any) -> Any:
        """Returns class probabilities, float32, from outputs that are logits or probabilities."""
        return probabilities(ops.cast(outputs, "float32"))

    def loss(self, source: Any, target: Any, y: Any, outputs: Any, target_outputs: Any) -> Any:
        """Returns the alignment loss times its current weight, a float32 scalar.

        Each call after the start of alignment also counts one step of the ramp.

        Args:
            source: Features of the source, `(samples, ...)`.
            target: Features of the target, `(other samples, ...)`.
            y: Labels of the source.
            outputs: Outputs of the model for the source, `(samples, outputs)`.
            target_outputs: Outputs for the target, `(other samples, outputs)`.
        """
        width = math.prod(int(n) for n in source.shape[1:])
        source = ops.reshape(ops.cast(source, "float32"), (ops.shape(source)[0], width))
        target = ops.reshape(ops.cast(target, "float32"), (ops.shape(target)[0], width))
        weights = self.weights_of(y) if self.num_classes else ops.ones_like(source[:, 0])
        strength = self.strength * self.ramp() * self.started
        self.step.assign_add(self.started)
        if self.head is not None:
            value = self._adversarial(source, target, weights, outputs, target_outputs, strength)
        else:
            distance = self._distance(source, target, weights, y)
            value = distance * strength
            self.loss_tracker.update_state(distance)
        return value

    def _distance(self, source: Any, target: Any, weights: Any, y: Any) -> Any:
        """Returns the distance of `method` between the features of both domains."""
        if self.method == "coral":
            return coral(source, target, weights)
        distance = mmd(source, target, weights)
        if self.method == "auto" and self.num_classes:
            by_class = conditional_mmd(source, target, self.one_hot(y), self._classes_of(target))
            distance = (1.0 - self.conditional) * distance + self.conditional * by_class
        return distance

    def _classes_of(self, target: Any) -> Any:
        """Returns class probabilities of target samples: the mean of both linear rules."""
        length = ops.sqrt(ops.sum(ops.square(target), axis=1, keepdims=True) + EPSILON)
        logits = ops.matmul(target / length, self.rule_kernel) + self.rule_bias[:, None]
        return ops.stop_gradient(ops.mean(ops.softmax(logits), axis=0))

    def _adversarial(
        self,
        source: Any,
        target: Any,
        weights: Any,
        outputs: Any,
        target_outputs: Any,
        strength: Any,
    ) -> Any:
        """Returns the loss of the domain head, which gets the features by gradient reversal."""
        p = target_p = target_weights = None
        if self.method == "cdan":
            # Without a gradient through the probabilities, the model can mislead the head
            # only by its features, not by its predictions.
            p = ops.stop_gradient(self.probabilities(outputs))
            target_p = ops.stop_gradient(self.probabilities(target_outputs))
            weights = weights * certainty(p)
            target_weights = certainty(target_p)
        strength = strength * ADVERSARIAL_FACTOR
        # Only the reversed gradient is scaled: the head itself learns at full speed.
        logits = self.head(source, p, strength)
        target_logits = self.head(target, target_p, strength)
        value = domain_loss(logits, target_logits, weights, target_weights)
        if self.num_classes:
            # Low entropy keeps decision boundaries in the gaps between target samples.
            # Adversarial training could otherwise move them anywhere at no cost.
            target_p = self.probabilities(target_outputs)
            value = value + ENTROPY_WEIGHT * strength * mean_entropy(target_p)
        self.loss_tracker.update_state(value)
        self.accuracy_tracker.update_state(domain_accuracy(logits, target_logits))
        return value

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "method": self.method,
            "num_classes": self.num_classes,
            "units": self.units,
        }

"""`Alignment`: the loss that draws source and target together, and its dials.

Every dial is a variable: a schedule or a watch turns it while a compiled step
runs, and a checkpoint keeps it.
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
# What strength 1 means for a reversed gradient: the game is calmer below 1.
GENTLE = 0.3
CERTAINTY = 0.1  # weight of the target's entropy, as in VADA and RTN
STEEPNESS = 10.0  # of the ramp, Ganin et al. section 5.2.2


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class Alignment(keras.layers.Layer):
    """Alignment loss of a batch of source and one of target.

    Args:
        method: One of `METHODS`.
        num_classes: Classes of the model; 0 for regression.
        units: Hidden layers of the domain head.

    Attributes:
        strength: What the alignment weighs after the ramp, float32 scalar.
        started: 0 while the source is learned first, 1 from then on.
        step: Training steps since then.
        ramp_steps: Steps that the ramp takes; 0 for none.
        conditional: Share of the class-by-class part (`"auto"` only), 0 to 1.
        rule_kernel, rule_bias: Both readings of `TargetClasses` (`"auto"` only).
        class_weights: Importance of each source class, `(num_classes,)`.
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
        self.strength = self._dial("strength", 1.0)
        self.started = self._dial("started", 1.0)
        self.step = self._dial("step", 0.0)
        self.ramp_steps = self._dial("ramp_steps", 0.0)
        self.conditional = self._dial("conditional", 0.0)
        self.class_weights = self._dial("class_weights", 1.0, (max(num_classes, 1),))
        self.rule_kernel: Any = None
        self.rule_bias: Any = None
        self.loss_tracker = keras.metrics.Mean(name="alignment_loss")
        self.accuracy_tracker: Any = None
        if method in ADVERSARIAL:
            self.accuracy_tracker = keras.metrics.Mean(name="domain_accuracy")

    def _dial(self, name: str, value: float, shape: tuple[int, ...] = ()) -> Any:
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
            self.rule_kernel = self._dial("rule_kernel", 0.0, (2, width, self.num_classes))
            self.rule_bias = self._dial("rule_bias", 0.0, (2, self.num_classes))
        self.built = True

    def ramp(self) -> Any:
        """From 0 at the first step to 1, Ganin et al. section 5.2.2."""
        progress = ops.minimum(ops.divide_no_nan(self.step, self.ramp_steps), 1.0)
        progress = ops.where(self.ramp_steps > 0, progress, ops.ones_like(progress))
        return 2.0 / (1.0 + ops.exp(-STEEPNESS * progress)) - 1.0

    def weights_of(self, y: Any) -> Any:
        """The importance of each source sample, `(samples,)`, from its label."""
        return ops.matmul(self.one_hot(y), self.class_weights[:, None])[:, 0]

    def one_hot(self, y: Any) -> Any:
        """Classes of the labels, `(samples, num_classes)`, float32."""
        y = ops.convert_to_tensor(y)
        if len(y.shape) == 2 and y.shape[1] == self.num_classes:
            return ops.cast(y, "float32")
        ids, _ = class_ids(y, 1)
        return ops.one_hot(ids, self.num_classes, dtype="float32")

    def probabilities(self, outputs: Any) -> Any:
        """Class probabilities from the outputs, be they logits or not."""
        return probabilities(ops.cast(outputs, "float32"))

    def loss(self, source: Any, target: Any, y: Any, outputs: Any, target_outputs: Any) -> Any:
        """What is added to the loss of the model, a float32 scalar.

        Args:
            source: Features, `(samples, ...)`.
            target: Features, `(other samples, ...)`.
            y: Labels of the source.
            outputs: Of the model, on the source.
            target_outputs: On the target.
        """
        size = ops.shape(source)[0], ops.shape(target)[0]
        width = math.prod(int(n) for n in source.shape[1:])
        source = ops.reshape(ops.cast(source, "float32"), (size[0], width))
        target = ops.reshape(ops.cast(target, "float32"), (size[1], width))
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
        if self.method == "coral":
            return coral(source, target, weights)
        distance = mmd(source, target, weights)
        if self.method == "auto" and self.num_classes:
            by_class = conditional_mmd(source, target, self.one_hot(y), self._classes_of(target))
            distance = (1.0 - self.conditional) * distance + self.conditional * by_class
        return distance

    def _classes_of(self, target: Any) -> Any:
        """Class probabilities of the target's samples, from where its classes lie."""
        length = ops.sqrt(ops.sum(ops.square(target), axis=1, keepdims=True) + EPSILON)
        readings = ops.matmul(target / length, self.rule_kernel) + self.rule_bias[:, None]
        return ops.stop_gradient(ops.mean(ops.softmax(readings), axis=0))

    def _adversarial(
        self,
        source: Any,
        target: Any,
        weights: Any,
        outputs: Any,
        target_outputs: Any,
        strength: Any,
    ) -> Any:
        p = target_p = target_weights = None
        if self.method == "cdan":
            # No gradient through the probabilities: the head would otherwise
            # be fooled by what the classifier says instead of by the features.
            p = ops.stop_gradient(self.probabilities(outputs))
            target_p = ops.stop_gradient(self.probabilities(target_outputs))
            weights = weights * certainty(p)
            target_weights = certainty(target_p)
        strength = strength * GENTLE
        # The head itself learns at full speed; only what goes back is scaled.
        logits = self.head(source, p, strength)
        target_logits = self.head(target, target_p, strength)
        value = domain_loss(logits, target_logits, weights, target_weights)
        if self.num_classes:
            # A boundary that runs through the middle of the target's samples
            # can be moved about by the game at no cost; this holds it in gaps.
            sure = self.probabilities(target_outputs)
            value = value + CERTAINTY * strength * mean_entropy(sure)
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

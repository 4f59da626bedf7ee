"""`PairModel`: a Keras model whose training step takes a source and a target batch at once.

`call` runs the network on both domains, and `compute_loss` adds the losses of the methods. The
training step is that of Keras.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.domains.alignment.adamatch import AdaMatch
from keras_shiftguard.domains.evidence import Evidence
from keras_shiftguard.domains.feature_split import Split
from keras_shiftguard.domains.outcome import Outcome
from keras_shiftguard.domains.pair import Pair, flat, joined, num_rows, repeated
from keras_shiftguard.domains.report import Action
from keras_shiftguard.domains.views import Views
from keras_shiftguard.instrument.steps.processes import is_first_process
from keras_shiftguard.io.batches import SOURCE, TARGET, is_pair
from keras_shiftguard.statistics.classes import (
    SMALLEST_PROBABILITY,
    are_probabilities,
    log_probabilities,
    probabilities,
)
from keras_shiftguard.statistics.state import on_host


class PairModel(keras.Model):
    """A model that is trained on batches `({SOURCE: x, TARGET: x_target}, y, sample_weight)`.

    All other batches, and all inference, use the wrapped model without changes.
    `DomainAdaptationModel` sets the attributes.
    """

    base: keras.Model  # the wrapped model
    split: Split  # computes its features and outputs
    methods: list[Any]  # layers with a `loss(pair, progress, strength)`; their losses are added
    views: Views | None  # makes a weak and a strong view of a batch
    strength: Any  # variable, the weight of the methods
    steps_done: Any  # variable, the number of training steps on pairs so far
    steps: Any  # variable, their number in the whole training
    num_classes: int  # 0 for regression, and for several labels a sample
    are_logits: bool | None = None  # whether the outputs are; None to read it off their values
    method: str | tuple[str, ...]  # the argument
    looks: list[Evidence]  # the measurements of both domains so far
    actions: list[Action]  # the changes during training so far
    judging: Outcome | None  # during a fit that estimates the accuracy on the target
    verbose: int
    alignment_tracker: keras.metrics.Mean

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not (training and is_pair(inputs)):
            # Keras builds the model with a pair; only the training step uses the target.
            return self.base(inputs[SOURCE] if is_pair(inputs) else inputs, training=training)
        n = num_rows(inputs[SOURCE])
        # Without a loss on the target, the target must not even change batch norm.
        x = joined([inputs[SOURCE], inputs[TARGET]] if self.methods else [inputs[SOURCE]])
        total, views = num_rows(x), (x,)
        if self.views:
            views = self.views(x, source_rows=n if self.methods else None)
        # Everything goes through the network in one batch, so batch norm sees both domains.
        features, outputs = self.split.features_and_outputs(joined(views), training=True)
        answers = joined([outputs[view * total :][:n] for view in range(len(views))])
        if not self.methods:
            return Pair(answers=answers)
        if self.views and self.split.memory and any(isinstance(m, AdaMatch) for m in self.methods):
            alone = keras.tree.map_structure(lambda part: part[:n], list(views))
            answers = self.interpolated(answers, joined(alone), self.views.generator)
        strong = outputs[total + n :]
        return Pair(
            flat(features[:n]),
            flat(features[n:total]),
            self.probabilities(answers[:n]),
            self.probabilities(outputs[n:total]),
            self.probabilities(strong, log_probabilities) if self.views else None,
            answers,
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of the task; in a training step on a pair, also that of the methods."""
        if not isinstance(y_pred, Pair):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        times = 2 if self.views else 1
        y, sample_weight = repeated(y, times), repeated(sample_weight, times)
        loss = super().compute_loss(x[SOURCE], y, y_pred.answers, sample_weight, training)
        if self.methods:
            progress = ops.minimum(self.steps_done / ops.maximum(self.steps, 1.0), 1.0)
            alignment = sum(each.loss(y_pred, progress, self.strength) for each in self.methods)
            self.alignment_tracker.update_state(alignment)
            loss = loss + ops.cast(alignment, loss.dtype) / self.num_replicas()
        self.steps_done.assign_add(1.0)
        return loss

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        if isinstance(y_pred, Pair):
            answers = y_pred.answers[: num_rows(x[SOURCE])]
            return super().compute_metrics(x, y, answers, sample_weight)
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        # Without a target, the methods are not used, so their metrics are left out.
        own = [self.alignment_tracker, *(m for method in self.methods for m in method.metrics)]
        return {k: value for k, value in logs.items() if k not in [metric.name for metric in own]}

    def interpolated(self, outputs: Any, x: Any, seed: Any) -> Any:
        """Returns a random mixture of the source outputs with and without the target in the batch.

        In `outputs`, batch norm normalized source and target together. Here the network runs on
        the source `x` alone, and then the moving averages of batch norm are restored. Each logit
        has its own mixing share, uniform in [0, 1]. For a model that ends in a softmax, logarithms
        of the probabilities take the place of the logits, which are not known. Reference:
        Berthelot et al. (2022), section 3.1.
        """
        variables = self.split.memory
        before = [ops.copy(v.value) for v in variables]
        _, alone = self.split.features_and_outputs(x, training=True)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        share = keras.random.uniform(ops.shape(outputs), seed=seed, dtype="float32")

        def mixed(a: Any, b: Any) -> Any:
            return share * ops.cast(a, "float32") + (1 - share) * ops.cast(b, "float32")

        answers = mixed(outputs, alone)
        if self.num_classes:
            # Probabilities, each mixed with a share of its own, would no longer sum to 1.
            p = _from_logits(mixed(_logits(outputs), _logits(alone)))
            is_p = are_probabilities(ops.cast(outputs, "float32"), self.are_logits)
            answers = ops.where(is_p, p, answers)
        return ops.cast(answers, outputs.dtype)

    def probabilities(self, outputs: Any, function: Any = probabilities) -> Any:
        """Returns class probabilities of outputs (or their logarithms), float32, or None.

        `function` is `probabilities` or `log_probabilities`. None is for a task without classes.
        """
        if not self.num_classes:
            return None
        return function(ops.cast(outputs, "float32"), self.are_logits)

    @property
    def current_strength(self) -> float:
        """Weight of the methods: the argument `strength`, unless it was changed in training."""
        return float(on_host(self.strength))

    def say(self, message: str) -> None:
        """Prints a message if `verbose` is set, in the first of several processes only."""
        if self.verbose and is_first_process():
            print(message)

    def record_action(self, epoch: int, what: str, reason: str) -> None:
        """Adds an `Action` to `actions`, and prints it."""
        self.actions.append(Action(epoch, what, reason))
        self.say(str(self.actions[-1]))

    def num_replicas(self) -> int:
        """Returns the number of replicas, over which `tf.distribute` sums the loss."""
        if keras.backend.backend() != "tensorflow":
            return 1
        return int(self.distribute_strategy.num_replicas_in_sync)


def _logits(p: Any) -> Any:
    """Returns logits of class probabilities; a single column is the probability of one class."""
    p = ops.cast(p, "float32")
    log_p = ops.log(ops.maximum(p, SMALLEST_PROBABILITY))
    if p.shape[1] > 1:
        return log_p
    return log_p - ops.log(ops.maximum(1 - p, SMALLEST_PROBABILITY))


def _from_logits(logits: Any) -> Any:
    """Returns the probabilities that have these logits."""
    return ops.softmax(logits, axis=1) if logits.shape[1] > 1 else ops.sigmoid(logits)

"""`PairModel`: a Keras model whose training step takes a source and a target batch at once.

`loss_of` computes the loss, in the same way on all backends. Each backend has a training step of
its own; the three steps differ only in how they compute the gradient.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.domains.alignment.adamatch import AdaMatch
from keras_shiftguard.domains.evidence import Evidence
from keras_shiftguard.domains.feature_split import Split
from keras_shiftguard.domains.pair import Pair, flat, joined, repeated
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
    verbose: int
    alignment_tracker: keras.metrics.Mean

    def loss_of(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Returns the loss of a batch of both domains, and the outputs for the source samples."""
        if not self.methods:
            return self.loss_of_source(x[SOURCE], y, sample_weight)
        n, m = (ops.shape(keras.tree.flatten(x[domain])[0])[0] for domain in (SOURCE, TARGET))
        both = joined([x[SOURCE], x[TARGET]])
        views = self.views(both, source_rows=n) if self.views else (both,)
        # Everything goes through the network in one batch, so batch norm sees both domains.
        features, outputs = self.split.features_and_outputs(joined(views), training=True)
        starts = [view * (n + m) for view in range(len(views))]
        answers = joined([outputs[at : at + n] for at in starts])  # source outputs, view by view
        if self.views and self.split.memory and any(isinstance(m, AdaMatch) for m in self.methods):
            alone = keras.tree.map_structure(lambda part: part[:n], list(views))
            answers = self.interpolated(answers, joined(alone), self.views.generator)
        task_loss = self.compute_loss(
            x[SOURCE], repeated(y, len(views)), answers, repeated(sample_weight, len(views))
        )
        pair = Pair(
            flat(features[:n]),
            flat(features[n : n + m]),
            self.probabilities(answers[:n]),
            self.probabilities(outputs[n : n + m]),
            self.log_probabilities(outputs[2 * n + m :]) if self.views else None,
        )
        progress = ops.minimum(self.steps_done / ops.maximum(self.steps, 1.0), 1.0)
        alignment = sum(method.loss(pair, progress, self.strength) for method in self.methods)
        self.steps_done.assign_add(1.0)
        self.alignment_tracker.update_state(alignment)
        alignment = ops.cast(alignment, task_loss.dtype) / self.num_replicas()
        return task_loss + alignment, answers[:n]

    def loss_of_source(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Returns the loss of the views of the source, and the outputs, without the target.

        The target must not even change the moving averages of batch norm.
        """
        assert self.views is not None  # "augmentation" is the only method without a loss
        n, views = ops.shape(keras.tree.flatten(x)[0])[0], self.views(x)
        _, outputs = self.split.features_and_outputs(joined(views), training=True)
        y, sample_weight = repeated(y, len(views)), repeated(sample_weight, len(views))
        loss = self.compute_loss(x, y, outputs, sample_weight)
        self.steps_done.assign_add(1.0)
        return loss, outputs[:n]

    def train_step(self, *arguments: Any) -> Any:
        """Trains on a batch: the last argument. On JAX, the first argument is the state."""
        data = keras.utils.unpack_x_y_sample_weight(arguments[-1])
        if not is_pair(data[0]):
            return super().train_step(*arguments)
        step = getattr(self, f"{keras.backend.backend()}_step")
        return step(*arguments[:-1], *data)

    def tensorflow_step(self, x: Any, y: Any, sample_weight: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, outputs = self.loss_of(x, y, sample_weight)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.logs(loss, x, y, outputs, sample_weight)

    def torch_step(self, x: Any, y: Any, sample_weight: Any) -> Any:
        import torch

        self.zero_grad()
        loss, outputs = self.loss_of(x, y, sample_weight)
        self.optimizer.scale_loss(loss).backward()
        gradients = [v.value.grad for v in self.trainable_variables]
        with torch.no_grad():
            self.optimizer.apply(gradients, self.trainable_variables)
        return self.logs(loss, x, y, outputs, sample_weight)

    def jax_step(self, state: Any, x: Any, y: Any, sample_weight: Any) -> Any:
        import jax

        trainable, others, optimizer, metrics = state
        kept = [*self.non_trainable_variables, *self.metrics_variables]

        def stateless(values: Any) -> Any:
            variables = [*self.trainable_variables, *kept, *self.optimizer.variables]
            values = [*values, *others, *metrics, *optimizer]
            with keras.StatelessScope(
                list(zip(variables, values, strict=True)), collect_losses=True
            ) as scope:
                loss, outputs = self.loss_of(x, y, sample_weight)
                scaled = self.optimizer.scale_loss(loss)
            return scaled, (loss, outputs, [scope.get_current_value(v) for v in kept])

        gradients, (loss, outputs, values) = jax.grad(stateless, has_aux=True)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        with keras.StatelessScope(list(zip(kept, values, strict=True))) as scope:
            logs = self.logs(loss, x, y, outputs, sample_weight)
        values = [scope.get_current_value(v) for v in kept]
        return logs, (trainable, values[: len(others)], optimizer, values[len(others) :])

    def logs(self, loss: Any, x: Any, y: Any, outputs: Any, sample_weight: Any) -> Any:
        """Updates the metrics after a step, and returns their values."""
        loss_tracker = next(metric for metric in self.metrics if metric.name == "loss")
        loss_tracker.update_state(loss * self.num_replicas(), ops.shape(outputs)[0])
        return self.compute_metrics(x, y, outputs, sample_weight)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        if is_pair(x):
            return logs
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

    def log_probabilities(self, outputs: Any) -> Any:
        """Returns the logarithms of `probabilities`, float32; None without classes."""
        if not self.num_classes:
            return None
        return log_probabilities(ops.cast(outputs, "float32"), self.are_logits)

    def probabilities(self, outputs: Any) -> Any:
        """Returns class probabilities, float32, of logits or probabilities; None without them."""
        if not self.num_classes:
            return None
        return probabilities(ops.cast(outputs, "float32"), self.are_logits)

    @property
    def current_strength(self) -> float:
        """Weight of the methods: the argument `strength`, unless it was changed in training."""
        return float(on_host(self.strength))

    def set_strength(self, strength: float) -> None:
        """Sets `current_strength`, also during training."""
        self.strength.assign(float(strength))

    def say(self, message: str) -> None:
        """Prints a message if `verbose` is set, in the first of several processes only."""
        if self.verbose and is_first_process():
            print(message)

    def record_action(self, epoch: int, what: str, reason: str) -> None:
        """Adds an `Action` to `actions`, and prints it."""
        self.actions.append(Action(epoch, what, reason))
        self.say(str(self.actions[-1]))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        # Keras builds the model with a pair; only the training step uses the target.
        return self.base(inputs[SOURCE] if is_pair(inputs) else inputs, training=training)

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

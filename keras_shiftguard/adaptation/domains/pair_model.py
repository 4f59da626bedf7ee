"""One training step on a batch of two domains.

The reversed gradient needs no second backward pass, and the batch carries both
domains, so the step of each backend does the rest as it is: what is special is in
these three methods, alike on TensorFlow, JAX and PyTorch.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.adaptation.domains.alignment import Alignment
from keras_shiftguard.adaptation.domains.feature_split import Split
from keras_shiftguard.adaptation.domains.mixing import DomainMixing
from keras_shiftguard.io.batches import SOURCE, TARGET, is_pair


class PairModel(keras.Model):
    """Answers, loss and metrics of pairs; a plain batch goes through the wrapped model.

    Attributes:
        base: The wrapped model.
        split: The same, as features and head.
        alignment_layer: Makes the features of both domains alike.
        mixing_layer: Blends the source with the target.
        num_classes: 0 for regression.
    """

    base: keras.Model
    split: Split
    alignment_layer: Alignment
    mixing_layer: DomainMixing
    num_classes: int

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not is_pair(inputs):
            return self.base(inputs, training=training)
        source, target = inputs[SOURCE], inputs[TARGET]
        size = ops.shape(keras.tree.flatten(source)[0])[0]
        if training and self.num_classes:
            source = self.mixing_layer(source, target, strength=self.alignment_layer.strength)
        # One pass over both: batch normalisation sees the two domains mixed.
        joined = keras.tree.map_structure(
            lambda a, b: ops.concatenate([a, ops.cast(b, a.dtype)], axis=0), source, target
        )
        features, outputs = self.split.both(joined, training=training)
        return {
            "outputs": outputs[:size],
            "target_outputs": outputs[size:],
            "features": features[:size],
            "target_features": features[size:],
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if not is_pair(x):
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)
        layer = self.alignment_layer
        if self.num_classes:
            weights = layer.weights_of(y)
            if sample_weight is not None:
                weights = weights * ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
            sample_weight = weights
        loss = super().compute_loss(x, y, y_pred["outputs"], sample_weight, training=training)
        extra = layer.loss(
            y_pred["features"],
            y_pred["target_features"],
            y,
            y_pred["outputs"],
            y_pred["target_outputs"],
        )
        return loss + ops.cast(extra / self._replicas(), loss.dtype)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        if is_pair(x):
            return super().compute_metrics(x, y, y_pred["outputs"], sample_weight)
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        ours = [metric.name for metric in self.alignment_layer.metrics]
        return {name: value for name, value in logs.items() if name not in ours}

    def _replicas(self) -> int:
        if keras.backend.backend() != "tensorflow":
            return 1
        return int(self.distribute_strategy.num_replicas_in_sync)

"""`PairModel`: a Keras model whose training batches hold samples of two domains.

Only the three methods `call`, `compute_loss` and `compute_metrics` are overridden,
with the same code on TensorFlow, JAX and PyTorch. The training step of each
backend stays as it is, since gradient reversal needs no second backward pass.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.adaptation.domains.alignment import Alignment
from keras_shiftguard.adaptation.domains.feature_split import Split
from keras_shiftguard.adaptation.domains.mixing import DomainMixing
from keras_shiftguard.io.batches import SOURCE, TARGET, is_pair


class PairModel(keras.Model):
    """A model whose loss and metrics use batches with a source part and a target part.

    A batch without a target part, for inference, goes through the wrapped model.

    Attributes:
        base: The wrapped model.
        split: The wrapped model, divided into a feature extractor and a head.
        alignment_layer: Layer with the loss that makes both domains alike.
        mixing_layer: Layer that blends target images into source images.
        num_classes: Number of classes; 0 for regression.
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
        # Both domains go through the network in one batch, so batch normalisation sees both.
        joined = keras.tree.map_structure(
            lambda a, b: ops.concatenate([a, ops.cast(b, a.dtype)], axis=0), source, target
        )
        features, outputs = self.split.features_and_outputs(joined, training=training)
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
        alignment_loss = layer.loss(
            y_pred["features"],
            y_pred["target_features"],
            y,
            y_pred["outputs"],
            y_pred["target_outputs"],
        )
        return loss + ops.cast(alignment_loss / self._num_replicas(), loss.dtype)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        if is_pair(x):
            return super().compute_metrics(x, y, y_pred["outputs"], sample_weight)
        # Without a target part there is no alignment loss, so its metrics are left out.
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        alignment_names = [metric.name for metric in self.alignment_layer.metrics]
        return {name: value for name, value in logs.items() if name not in alignment_names}

    def _num_replicas(self) -> int:
        """Returns the number of replicas, over which `tf.distribute` sums the loss."""
        if keras.backend.backend() != "tensorflow":
            return 1
        return int(self.distribute_strategy.num_replicas_in_sync)

"""`AdaMatch`: a consistency loss on augmented target samples, with aligned class shares."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.domains.pair import EPSILON, Pair
from keras_shiftguard.statistics.state import untrained

# Threshold of target samples, in units of the mean confidence on the source. Berthelot et al.,
# 2022.
CONFIDENCE = 0.9


class AdaMatch(keras.layers.Layer):
    """Loss of AdaMatch: cross-entropy of strong views of the target, labelled by the weak views.

    The strong and the weak view of a sample are two augmentations of it, see `Views`. The class
    probabilities of the weak view are rescaled so that their mean over the batch is that of the
    source (distribution alignment). A sample counts only if its largest rescaled probability is
    at least `CONFIDENCE` times the mean confidence on the source. The loss is multiplied by
    `1/2 - cos(min(pi, 2 pi p)) / 2`, where `p` is the elapsed share of the training after `start`.

    `PairModel` computes the source part of AdaMatch: the loss of the weak and strong views of the
    source, and the random interpolation between two kinds of source logits: those of a batch with
    the target, and those of a batch without it. The paper adds the losses of the two views;
    `PairModel` averages them. So the loss of this layer is halved too, and only the scale of the
    total differs from the paper.

    The formulas are those of the paper. The authors' code differs from them: it takes the class
    with the largest rescaled probability as the label, uses moving averages instead of means over
    the batch, and gives the target loss twice the weight that it has here. The user sets the
    learning rate, the weight decay, the batch (in the paper, three target samples for each source
    sample) and the moving average of the weights (`use_ema=True` of the optimizer). The docstring
    of `Views` lists how the augmentation differs. Without batch norm, interpolation has no effect,
    because the logits are the same with and without the target (except for dropout).

    Args:
        num_classes: Number of classes.
        start: Share of the training before the loss begins to rise; 0 in the paper.
        momentum: Factor of the moving averages of the class shares in both domains. With 0, as in
            the paper, the shares are those of the batch: mostly chance if there are about as many
            classes as samples. The authors' code uses moving averages.

    Attributes:
        alignment: Variable, the exponent of the ratio of the class shares by which predictions are
            rescaled. With 1, as in the paper, the mean prediction for the target becomes that of
            the source. With less, only a part of the way, so a class that the target lacks is not
            predicted as often as in the source (as in CReST, Wei et al., CVPR 2021).

    Reference: Berthelot et al., "AdaMatch: A Unified Approach to Semi-Supervised Learning and
    Domain Adaptation", ICLR 2022, section 3.
    """

    def __init__(
        self, num_classes: int, start: float = 0.0, momentum: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.start = start
        self.momentum = momentum
        if momentum:
            # The class shares of the source and of the target, and the weight of both.
            zeros = np.zeros((3, num_classes))
            self.averages = untrained(self, "class_shares", zeros, aggregation="mean")
        self.alignment = untrained(self, "alignment", 1.0)
        self.share_tracker = keras.metrics.Mean(name="pseudo_labelled")

    def loss(self, pair: Pair, progress: Any, strength: Any) -> Any:
        """Returns the loss; `pair` must have a strong view."""
        labels = self.labels(pair)
        confidence = ops.mean(ops.max(pair.probabilities, axis=1))
        is_sure = ops.cast(ops.max(labels, axis=1) >= CONFIDENCE * confidence, "float32")
        is_sure = ops.stop_gradient(is_sure)
        self.share_tracker.update_state(is_sure)
        cross_entropy = -ops.sum(labels * pair.strong_log_probabilities, axis=1)
        p = ops.maximum(progress - self.start, 0.0) / (1.0 - self.start)
        rise = 0.5 - 0.5 * ops.cos(ops.minimum(np.pi, 2.0 * np.pi * p))
        return 0.5 * strength * rise * ops.mean(is_sure * cross_entropy)

    def labels(self, pair: Pair) -> Any:
        """Returns the labels of the target: aligned class probabilities, `(samples, classes)`."""
        mean, target_mean = (
            ops.mean(p, axis=0) for p in (pair.probabilities, pair.target_probabilities)
        )
        if self.momentum:
            mean, target_mean = self.averaged(mean, target_mean)
        ratio = mean / (target_mean + EPSILON)
        aligned = pair.target_probabilities * ops.power(ratio, self.alignment)
        return ops.stop_gradient(aligned / (ops.sum(aligned, axis=1, keepdims=True) + EPSILON))

    def averaged(self, mean: Any, target_mean: Any) -> tuple[Any, Any]:
        """Returns the moving averages of the class shares of both domains, with those of a batch.

        The averages are divided by the sum of their weights, so that the first ones are not small.
        A batch with values that are not finite is left out: it would stay in the averages for ever.
        """
        now = ops.stop_gradient(ops.stack([mean, target_mean, ops.ones_like(mean)]))
        before = self.averages.value
        averages = self.momentum * before + (1 - self.momentum) * now
        averages = ops.where(ops.all(ops.isfinite(now)), averages, before)
        self.averages.assign(averages)
        source, target, weight = ops.unstack(averages, axis=0)
        weight = ops.maximum(weight, EPSILON)
        return source / weight, target / weight

    def restart(self) -> None:
        """Forgets the class shares of an earlier training."""
        self.alignment.assign(1.0)
        if self.momentum:
            self.averages.assign(ops.zeros_like(self.averages.value))

    def load_own_variables(self, store: Any) -> None:
        """Loads the variables by their rank: earlier releases saved fewer, or one more."""
        saved = {len(store[key].shape): store[key] for key in store.keys()}
        for variable in self.non_trainable_variables:
            if len(variable.shape) in saved:
                variable.assign(saved[len(variable.shape)])

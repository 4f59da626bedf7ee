"""`AlignmentSchedule`: starts an alignment, updates its settings, and stops it if it does harm.

The model first learns the source alone. At the end of that time its predictions
on the target are as good as they get without alignment, and alignment has not
changed the features yet. So the classes in the target and their frequencies are
estimated then, and the estimate is the reference for the rest of the training.
"""

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence
from keras_shiftguard.adaptation.domains.protocol import AdaptationModel

# Accuracy on labelled source. Below, predictions on the target are mere guesses, and
# nothing is concluded from them.
MIN_SOURCE_ACCURACY = 0.8
# Agreement between the two estimates of the classes in the target. Below, the model
# has not learned the source well enough yet.
MIN_AGREEMENT = 0.9
# Agreement of the model's predictions with the estimated classes. If the target is far
# from the source, both estimates may find clusters that are not the classes; few
# predictions agree with them then.
MIN_MODEL_AGREEMENT = 0.6
MIN_CLEAR_MEASUREMENTS = 2  # measurements in a row with both agreements
MARGINAL_SHARE = 1 / 3  # of the alignment with `"auto"`, before it aligns class by class
CONDITIONAL_STRENGTH = 5.0  # the distance of one class is a small part of the whole distance
MAX_CLASS_WEIGHT = 5.0
# Class probability from which a target sample is a reference sample.
MIN_CERTAINTY = 0.9
MIN_REFERENCE_SAMPLES = 30
MIN_AGREEMENT_LOSS = 0.03  # smallest loss of agreement with the reference that counts
PATIENCE = 3  # measurements in a row, since a single one may be unlucky


class AlignmentSchedule:
    """Starts an alignment, updates its settings, and stops it if it does harm.

    Args:
        model: The `DomainAdaptationModel`.
        labels: Class ids of the source samples that are measured, `(samples,)`.
        epochs: Number of epochs on the source alone, and of all epochs.
        record_action: A function of an epoch, an action and its reason, which
            records the action.
    """

    def __init__(
        self,
        model: AdaptationModel,
        labels: np.ndarray,
        epochs: tuple[int, int],
        record_action: Callable[[int, str, str], None],
    ) -> None:
        self.model = model
        self.layer = model.alignment_layer
        self.first, self.last = epochs
        self._start_epoch = 0
        self.record_action = record_action
        counts = np.bincount(labels, minlength=model.num_classes)
        self.source_shares = counts / counts.sum()
        self._reference: Evidence | None = None
        self._weights_before: list[np.ndarray] = []
        self._agreement_before = 0.0
        self._num_bad = 0
        self._num_clear = 0

    @property
    def has_started(self) -> bool:
        return float(ops.convert_to_numpy(self.layer.started)) > 0

    @property
    def groups(self) -> np.ndarray | None:
        """Class ids of separate groups in the target, found before alignment, or None."""
        if self._reference is None or self._reference.classes is None:
            return None
        return self._reference.classes.groups

    def can_start(self, evidence: Evidence) -> bool:
        """Whether alignment may start: the classes in the target must be clear.

        Call it once for each measurement, since it counts the clear ones.
        """
        unclear = evidence.classes is not None and (
            evidence.classes.agreement < MIN_AGREEMENT or evidence.agreement < MIN_MODEL_AGREEMENT
        )
        self._num_clear = 0 if unclear else self._num_clear + 1
        if evidence.epoch < self.first:
            return False
        # With a source that is hard to learn, the classes never become clear. Alignment
        # then starts without a reference.
        is_hard = evidence.source_accuracy < MIN_SOURCE_ACCURACY
        return is_hard or self._num_clear >= min(MIN_CLEAR_MEASUREMENTS, self.first)

    def start(self, evidence: Evidence) -> None:
        """Starts alignment, with this measurement as the reference for later ones."""
        self.layer.started.assign(1.0)
        self._start_epoch = evidence.epoch
        if evidence.source_accuracy < MIN_SOURCE_ACCURACY or evidence.classes is None:
            return
        certainty = evidence.classes.probabilities.max(axis=1)
        if (certainty > MIN_CERTAINTY).sum() < MIN_REFERENCE_SAMPLES:
            return
        self._reference = evidence
        self._agreement_before = self._agreement_with_reference(evidence)
        self._weights_before = [ops.convert_to_numpy(v) for v in self.model.base.variables]

    def update(self, evidence: Evidence) -> None:
        """Updates the settings of a started alignment after a measurement, or stops it."""
        if evidence.classes is None or self._stop_if_harmful(evidence):
            return
        if evidence.source_accuracy < MIN_SOURCE_ACCURACY:
            return
        if self.model.label_shift:
            self._update_class_weights(evidence)
        if self.model.method == "auto":
            self.layer.rule_kernel.assign(evidence.classes.kernel.astype("float32"))
            self.layer.rule_bias.assign(evidence.classes.bias.astype("float32"))
            self._align_by_class_if_clear(evidence)

    def _agreement_with_reference(self, evidence: Evidence) -> float:
        """Share of the reference samples for which the model predicts the reference class."""
        assert self._reference is not None and self._reference.classes is not None
        p = self._reference.classes.probabilities
        certain = p.max(axis=1) > MIN_CERTAINTY
        return float((evidence.predicted[certain] == p.argmax(axis=1)[certain]).mean())

    def _stop_if_harmful(self, evidence: Evidence) -> bool:
        """Stops alignment if predictions agree less with the reference than at its start.

        The loss must exceed chance, in `PATIENCE` measurements in a row. The weights
        from before alignment are restored.
        """
        if self._reference is None:
            return False
        before, now = self._agreement_before, self._agreement_with_reference(evidence)
        chance = 2 * np.sqrt(max(before * (1 - before), 1e-4) / len(evidence.predicted))
        is_bad = now < before - max(MIN_AGREEMENT_LOSS, chance)
        self._num_bad = self._num_bad + 1 if is_bad else 0
        if self._num_bad < PATIENCE:
            return False
        for variable, value in zip(self.model.base.variables, self._weights_before, strict=True):
            variable.assign(value)
        self.model.switch_off(
            "the model's predictions agreed with the estimated classes of the target in "
            f"{before:.0%} of cases before alignment, and agree in {now:.0%} now; the weights "
            "from before alignment were restored",
            epoch=evidence.epoch,
        )
        return True

    def _update_class_weights(self, evidence: Evidence) -> None:
        """Weights the source classes whose frequency in the target is surely different."""
        assert evidence.classes is not None
        classes, shares = evidence.classes, self.source_shares
        differs = (classes.lower > shares) | (classes.upper < shares)
        weights = np.where(differs, classes.frequencies, shares) / np.maximum(shares, 1e-9)
        weights = np.clip(weights, 1 / MAX_CLASS_WEIGHT, MAX_CLASS_WEIGHT)
        weights = np.where(shares > 0, weights, 1.0)
        weights = weights / (shares * weights).sum()
        old = ops.convert_to_numpy(self.layer.class_weights)
        if evidence is not self._reference:
            # Alignment changes the features, so a single measurement does not decide.
            weights = 0.5 * old + 0.5 * weights
        self.layer.class_weights.assign(weights.astype("float32"))
        if np.abs(weights - old).max() > 0.3:
            worst = int(np.abs(np.log(np.maximum(weights, 1e-3))).argmax())
            self.record_action(
                evidence.epoch,
                f"classes weighted from {weights.min():.2f} to {weights.max():.2f}",
                f"class {worst} is estimated at {classes.frequencies[worst]:.1%} of the target "
                f"({classes.lower[worst]:.1%} to {classes.upper[worst]:.1%}) and is "
                f"{shares[worst]:.1%} of the source",
            )

    def _align_by_class_if_clear(self, evidence: Evidence) -> None:
        """Switches `"auto"` from the marginal distance to the one of each class.

        This happens after `MARGINAL_SHARE` of the alignment, if both estimates of the
        classes agree. Separate groups in the target allow it at once.
        """
        classes = evidence.classes
        assert classes is not None
        is_on = float(ops.convert_to_numpy(self.layer.conditional)) > 0
        first = self._start_epoch + (self.last - self._start_epoch) * MARGINAL_SHARE
        is_early = evidence.epoch < first and classes.groups is None
        if is_on or is_early or classes.agreement < MIN_AGREEMENT:
            return
        reason = f"both estimates of the classes agree in {classes.agreement:.0%} of the target"
        if classes.groups is not None:
            reason = "the target falls into as many separate groups as there are classes"
        self.layer.conditional.assign(1.0)
        self.model.set_strength(self.model.current_strength * CONDITIONAL_STRENGTH)
        self.record_action(
            evidence.epoch,
            "aligned class by class from here on",
            f"accuracy on labelled source is {evidence.source_accuracy:.1%}, and {reason}",
        )

"""`AlignmentSchedule`: starts an alignment, updates its settings, and stops it if it does harm.

The model first learns the source alone. At the end of that time its predictions
on the target are as good as they get without alignment, and alignment has not
changed the features yet. So the classes of the target samples are estimated then,
and the estimate is the reference for the rest of the training.
"""

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence
from keras_shiftguard.adaptation.domains.protocol import AdaptationModel

# With a lower accuracy on labelled source, predictions on the target are mere guesses, and
# nothing is concluded from them.
MIN_SOURCE_ACCURACY = 0.8
# Share of the target samples for which both estimates name the same class. If it is lower,
# the model has not learned the source well enough yet.
MIN_AGREEMENT = 0.9
# Share of the target samples for which the model predicts the estimated class. If the target is
# far from the source, both estimates may find clusters that are not the classes; few predictions
# agree with them then.
MIN_MODEL_AGREEMENT = 0.6
MIN_CLEAR_MEASUREMENTS = 2  # measurements in a row that must reach both agreements
MARGINAL_SHARE = 1 / 3  # share of the aligned epochs before `"auto"` aligns class by class
# Factor of the strength from then on, because the distance of one class is much smaller than
# the distance of the whole domains.
CONDITIONAL_STRENGTH = 5.0
MAX_CLASS_WEIGHT = 5.0  # class weights are limited to 1 / 5 .. 5, since they are estimates
# Class probability above which a target sample is a reference sample.
MIN_CERTAINTY = 0.9
MIN_REFERENCE_SAMPLES = 30  # with fewer, there is no reference
MIN_AGREEMENT_LOSS = 0.03  # a smaller loss of agreement with the reference is ignored
PATIENCE = 3  # bad measurements in a row before alignment is stopped
MIN_REPORTED_WEIGHT_CHANGE = 0.3  # smaller changes of the class weights are not reported


class AlignmentSchedule:
    """Starts an alignment, updates its settings, and stops it if it does harm.

    Args:
        model: The `DomainAdaptationModel`.
        labels: Class ids of the source samples that are measured, `(samples,)`.
        epochs: Number of epochs on the source alone, and of all epochs.
        record_action: A function that records an action; its arguments are the number
            of finished epochs, the action and its reason.
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
        self._start_epoch = 0  # number of finished epochs when alignment started
        self.record_action = record_action
        counts = np.bincount(labels, minlength=model.num_classes)
        self.source_shares = counts / counts.sum()
        self._reference: Evidence | None = None
        # Both as they were when alignment started.
        self._weights_before: list[np.ndarray] = []
        self._agreement_before = 0.0
        self._num_bad = 0  # measurements in a row that agree less with the reference
        self._num_clear = 0  # measurements in a row with clear classes in the target

    @property
    def has_started(self) -> bool:
        return float(ops.convert_to_numpy(self.layer.started)) > 0

    @property
    def groups(self) -> np.ndarray | None:
        """Class ids of the target samples by the groups found before alignment, or None."""
        if self._reference is None or self._reference.classes is None:
            return None
        return self._reference.classes.groups

    def can_start(self, evidence: Evidence) -> bool:
        """Returns whether alignment may start: the classes in the target must be clear.

        Call it once for each measurement, since it counts those with clear classes.
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
        # Without epochs on the source alone, alignment starts at once.
        return is_hard or self._num_clear >= min(MIN_CLEAR_MEASUREMENTS, self.first)

    def start(self, evidence: Evidence) -> None:
        """Starts alignment. This measurement is the reference for later ones, if it is sure.

        It is sure if the source accuracy is high, and the classes of at least
        `MIN_REFERENCE_SAMPLES` target samples are certain.
        """
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
        """Returns the share of reference samples whose predicted class is the reference class."""
        assert self._reference is not None and self._reference.classes is not None
        p = self._reference.classes.probabilities
        certain = p.max(axis=1) > MIN_CERTAINTY
        return float((evidence.predicted[certain] == p.argmax(axis=1)[certain]).mean())

    def _stop_if_harmful(self, evidence: Evidence) -> bool:
        """Stops alignment if predictions agree less with the reference than at its start.

        The agreement must be significantly lower, in `PATIENCE` measurements in a row.
        The weights from before alignment are restored. Returns whether it was stopped.
        """
        if self._reference is None:
            return False
        before, now = self._agreement_before, self._agreement_with_reference(evidence)
        error = np.sqrt(max(before * (1 - before), 1e-4) / len(evidence.predicted))
        is_bad = now < before - max(MIN_AGREEMENT_LOSS, 2 * error)
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
        """Weights the source classes whose frequency differs significantly in the target."""
        assert evidence.classes is not None
        classes, shares = evidence.classes, self.source_shares
        differs = (classes.lower > shares) | (classes.upper < shares)
        weights = np.where(differs, classes.frequencies, shares) / np.maximum(shares, 1e-9)
        weights = np.clip(weights, 1 / MAX_CLASS_WEIGHT, MAX_CLASS_WEIGHT)
        weights = np.where(shares > 0, weights, 1.0)
        weights = weights / (shares * weights).sum()
        old = ops.convert_to_numpy(self.layer.class_weights)
        if evidence is not self._reference:
            # Alignment changes the features, so a single measurement is not trusted: it
            # moves the weights half of the way.
            weights = 0.5 * old + 0.5 * weights
        self.layer.class_weights.assign(weights.astype("float32"))
        if np.abs(weights - old).max() > MIN_REPORTED_WEIGHT_CHANGE:
            k = int(np.abs(np.log(np.maximum(weights, 1e-3))).argmax())  # the farthest from 1
            self.record_action(
                evidence.epoch,
                f"classes weighted from {weights.min():.2f} to {weights.max():.2f}",
                f"class {k} is estimated at {classes.frequencies[k]:.1%} of the target "
                f"({classes.lower[k]:.1%} to {classes.upper[k]:.1%}) and is "
                f"{shares[k]:.1%} of the source",
            )

    def _align_by_class_if_clear(self, evidence: Evidence) -> None:
        """Switches `"auto"` from the distance of the whole domains to that of each class.

        This happens after a share `MARGINAL_SHARE` of the aligned epochs, if both
        estimates of the classes agree. If the target falls into separate groups, it
        happens at once.
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

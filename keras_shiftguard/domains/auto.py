"""`AutoGuard`: a check that restores earlier weights if the AdaMatch stage of "auto" does harm.

`method="auto"` trains in two stages. In the first, the loss is that of the augmented source alone
(batch norm, if any, gets batches of both domains). In the second, AdaMatch also trains the model on
its own predictions for the target. AdaMatch gains most if these predictions are mostly right, and
does harm if they are not. So the weights of the first stage are saved, and each measurement in the
second stage is compared with that at the end of the first. No labels of the target are used.
"""

import keras
import numpy as np

from keras_shiftguard.domains.evidence import Evidence
from keras_shiftguard.domains.outcome import assign_all
from keras_shiftguard.domains.pair_model import PairModel
from keras_shiftguard.statistics.state import on_host

# Share of the training before AdaMatch starts. A convention, checked in
# docs/benchmarks/adaptation.md.
FIRST_STAGE = 0.25
# Momentum of the averages of class shares that AdaMatch aligns. Compared with 0 in
# `examples/benchmarks/adaptation_choices.py`.
MOMENTUM = 0.9
# The predictions are aligned only half of the way to the mix of the source, because the target may
# have another one. But if the confidence on the target is below this share of that on the source,
# most predictions may be wrong, and only the whole alignment corrects them. Compared with other
# rules in `examples/benchmarks/adaptation_choices.py`.
ALIGNMENT, USABLE = 0.5, 0.7
# A smaller drop of source accuracy is ignored. A convention, checked in
# docs/benchmarks/adaptation.md.
MIN_ACCURACY_DROP = 0.02
# A collapse: the entropy of the mean prediction fell below this share of its first-stage value. A
# convention, checked in docs/benchmarks/adaptation.md.
COLLAPSE = 0.5


class AutoGuard:
    """Saves the weights of the first stage; restores them if the second stage seems to do harm."""

    def __init__(self, model: PairModel) -> None:
        self.model = model
        self.first: Evidence | None = None  # the measurement at the end of the first stage
        self.kept: list[np.ndarray] = []  # the `variables` at that time

    def check(self, evidence: Evidence, held_out: int) -> None:
        """Restores the weights of the first stage if a measurement of the second shows harm.

        `held_out` is the number of the source samples that were measured.
        """
        if self.first is None or self.model.current_strength == 0:
            return
        if reason := self.harm(self.first, evidence, held_out):
            assign_all(self.variables(), self.kept)
            self.switch_off(
                evidence.epoch,
                f"consistency switched off, and the weights from epoch {self.first.epoch} restored",
                reason,
            )

    def switch_off(self, epoch: int, what: str, reason: str) -> None:
        """Trains without AdaMatch from now on, and tells so."""
        self.model.strength.assign(0.0)
        self.model.record_action(epoch, what, reason)

    def variables(self) -> list[keras.Variable]:
        """Returns the weights of the model, and the optimizer's variables for them.

        These include the averages of the weights (`use_ema=True`), which the optimizer writes to
        the model at the end of training. Numbers of steps and learning rates are scalars.
        """
        state = [v for v in self.model.optimizer.variables if len(v.shape)]
        return [*self.model.base.variables, *state]

    def begin(self, evidence: Evidence) -> None:
        """Ends the first stage: saves weights and sets the alignment, or switches AdaMatch off.

        AdaMatch is switched off if labels are ambiguous or not learned yet.
        """
        if self.model.current_strength == 0:
            return
        if not evidence.knows_task(self.model.num_classes):
            self.switch_off(
                evidence.epoch,
                "trained on the augmented source alone",
                f"accuracy on labelled source is {evidence.source_accuracy:.1%}, so the model's "
                "own predictions are too unreliable as labels",
            )
            return
        self.first, self.kept = evidence, [on_host(v) for v in self.variables()]
        if self.model.judging is not None:
            self.model.judging.keep("after the first stage")
        if evidence.confidence >= USABLE * evidence.source_confidence:
            self.model.methods[0].alignment.assign(ALIGNMENT)

    def harm(self, first: Evidence, now: Evidence, held_out: int) -> str:
        """Returns the reason why the second stage seems to do harm; "" if it does not."""
        best = first.source_accuracy
        error = np.sqrt(max(best * (1 - best), 1e-4) / held_out)
        if now.source_accuracy < best - max(MIN_ACCURACY_DROP, 2 * error):
            return f"accuracy on labelled source fell from {best:.1%} to {now.source_accuracy:.1%}"
        if entropy(now.shares) < COLLAPSE * entropy(first.shares):
            k = int(now.shares.argmax())
            return (
                f"class {k} is predicted for {now.shares[k]:.0%} of the target, and was for "
                f"{first.shares[k]:.0%}"
            )
        return ""


def entropy(shares: np.ndarray) -> float:
    """Returns the entropy of class shares, in nats."""
    return float(-(shares * np.log(np.maximum(shares, 1e-12))).sum())

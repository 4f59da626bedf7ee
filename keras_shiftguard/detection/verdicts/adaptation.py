"""A verdict on a run in which only the adaptation has to be judged."""

from typing import Any

from keras_shiftguard.detection.verdicts.parts import ACT, FINE, LOOK, parts_of

ESTIMATE = "print(sg.estimate_accuracy(model, target, reference=(x_val, y_val)))"
LABEL = "Label some samples of the target, and evaluate on them."
ABOUT_ADAPTATION = ("adaptation", "adaptation")


def adapted(answer: str | None, saw_target: bool = False) -> dict[str, Any]:
    """Returns the parts of a verdict on a run in which only the adaptation has to be judged."""
    if answer == "yes":
        cause = "Adaptation raised the estimated accuracy on the target."
        return parts_of(FINE, cause, about=ABOUT_ADAPTATION)
    if answer == "no":
        cause = "Adaptation lowered the estimated accuracy on the target."
        return parts_of(ACT, cause, step="Fit again without adaptation.", about=ABOUT_ADAPTATION)
    cause = "What adaptation gained on the target is not known."
    if answer == "same":
        cause = "The estimate cannot tell whether adaptation helped on the target."
    step = LABEL if saw_target or answer == "same" else ESTIMATE
    return parts_of(LOOK, cause, step=step, about=ABOUT_ADAPTATION)

"""`look` finds augmentation left on in validation: its labels repeat, but not its inputs.

Different samples may have the same class counts by chance, more often if there are few classes. The
probability of such a coincidence is the p-value, and the finding is told only if it is small. A
pass with other counts shows that the passes do not repeat the same samples. If all classes have as
many samples, a sampler may have drawn them so: this is a note, not a finding.
"""

import numpy as np

from keras_shiftguard.callback.checks.check import MAX_P, Epoch, Told
from keras_shiftguard.detection.causes.same_samples import chance_of_same_labels, randomised
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.words.said import Said
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

A_SAMPLER = (
    "validation has the same number of samples of each class in every epoch, but not the same "
    "inputs: random augmentation is on in validation, or a sampler draws as many samples of each "
    "class"
)


def look(state: int | None, epoch: Epoch) -> tuple[int | None, Told]:
    """Compares a pass over validation with the first one.

    The state: number of passes with the class counts of the first one; 0 once there is no more to
    tell, or once a pass had other counts.
    """
    names = ("validation", FIRST_EPOCH)
    pair = next((p for p in epoch.pairs if (p.stream, p.against) == names), None)
    latest = epoch.passes.get("validation")
    if state == 0 or pair is None or latest is None:
        return state, Told()
    first, counts = pair.reference, latest.labels.counts
    if not np.array_equal(first.labels.counts, counts):
        return 0, Told()
    number = (state or 1) + 1
    if pair.findings or not randomised(first, latest):
        return number, Told()  # a permanent change of the inputs is told already
    if np.ptp(counts[counts > 0]) == 0:
        return 0, Told((A_SAMPLER,))
    p_value = chance_of_same_labels(latest.labels, number, latest.distinct_share)
    if p_value > MAX_P:
        return number, Told()
    finding = Finding(
        feature="augmentation",
        kind="preprocessing",
        family="augmentation",
        effect_size=1.0,  # the share of the samples that are changed
        interval=(1.0, 1.0),
        p_value=p_value,
        stream="validation",
        against=FIRST_EPOCH,
        since=epoch.number,
        fix="Build validation without random augmentation.",
        said=Said(
            "Validation has the same labels in every epoch but not the same inputs: random "
            "augmentation is on in validation"
        ),
    )
    return 0, Told(findings=(finding,))

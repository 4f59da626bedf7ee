"""`look` finds out whether samples of training are mixtures rather than labelled wrongly.

Values of other samples (CutMix, swap noise of tables) make the classes of training look more alike,
as labels do that are wrong at random.
"""

from dataclasses import replace

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.detection.labels.label_findings import RELABELLED
from keras_shiftguard.detection.labels.relabelled import find_relabelling, fit_their_samples
from keras_shiftguard.detection.monitor import Pair

WORDS = (
    "Classes of training look more alike than those of validation, but the labels fit: samples of "
    "training are mixtures, as augmentation makes them"
)


def look(state: bool | None, epoch: Epoch) -> tuple[bool, Told]:
    """Explains wrong labels of training by mixtures, if the model is right about the samples.

    Args:
        state: Whether the samples of training are known to be mixtures.
        epoch: The epoch.
    """
    pair = epoch.main
    found = None if pair is None else pair.findings.get("labels/concept")
    if pair is None or found is None or found.family != RELABELLED:
        return bool(state), Told()
    if not state and pair in schedule.due(epoch) and epoch.training.is_first_visit:
        state = _are_mixtures(pair, epoch)
    if not state:
        return False, Told()
    named = replace(
        found, kind="covariate", family="augmentation", explanation=WORDS, expected=True
    )
    return True, Told(findings=(named,))


def _are_mixtures(pair: Pair, epoch: Epoch) -> bool:
    labels = pair.reference.labels, pair.current.labels
    relabelling = find_relabelling(*labels, level=1.0)
    if relabelling is None or relabelling.looks_like or not relabelling.in_reference:
        return False
    judged = None if epoch.is_apart else epoch.judged(pair, False)
    if judged is None or not judged.are_classes or judged.training is None:
        return False
    training = judged.training
    if not len(training.labels):
        return False
    right = judged.predict(training.images).argmax(axis=1) == training.labels
    return bool(fit_their_samples(right, relabelling.wrong))

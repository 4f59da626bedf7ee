"""What else than wrong labels explains predictions that the labels of validation do not fit."""

from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.labels.wrong_labels import WrongLabels
from keras_shiftguard.experiments.told import are_texts
from keras_shiftguard.experiments.undo import MIN_WON_BACK

# A difference of the samples does not explain wrong predictions if its effect is smaller than this,
# or than the second number if undoing it gains little. Conventions.
SMALL, LARGE = 0.5, 2.0


def are_known_by_heart(found: WrongLabels, first: str | None) -> bool:
    """Whether labels seem wrong only because the model knows the labels of training by heart.

    Labels that are as uncertain in training as in validation look wrong in validation alone, once
    the model has learnt by heart those of training. After one pass it has not. So some wrong labels
    must be found from the first look on, unless most samples with a label are of another class, or
    most samples of a class have another label.
    """
    is_some = max(found.share, found.share_of_class) <= 0.5
    return is_some and not found.names and not found.is_unrelated and first == ""


def is_consequence(
    found: WrongLabels, pair: Pair, of_samples: float, large: float, is_little: bool
) -> bool:
    """Whether a difference of the samples explains the wrong predictions.

    Upside down, a 6 looks like a 9. So labels that change places must cost more than any difference
    of the samples, and labels that are wrong at random must be the only cause. From the effect
    `large` on, a difference explains wrong predictions although undoing it gains little.
    `is_little` says that the model fails, and that right labels win back less than half of that:
    labels that change places must then be the only cause as well.
    """
    if of_samples >= (1.0 if found.names else MIN_WON_BACK) * found.cost.value:
        return True
    others = [f for name, f in pair.findings.items() if not is_of_labels(name)]
    if found.names and not is_little:
        return any(f.matters and (f.cost or 0.0) > found.cost.value for f in others)
    return not all(_explains_little(finding, found.cost.value, large) for finding in others)


def has_other_words(epoch: Epoch, pair: Pair, current: Labelled) -> bool:
    """Whether samples are texts that differ: words with another meaning look like wrong labels."""
    specs = [kept.spec for kept in epoch.streams["validation"].kept_together().values()]
    differs = any(f.kind == "covariate" and not f.negligible for f in pair.findings.values())
    return differs and any(are_texts(spec, current.input(spec.name)) for spec in specs)


def is_of_labels(feature: str) -> bool:
    """Whether a feature belongs to the labels."""
    return feature.partition("/")[0] == "labels"


def _explains_little(finding: Finding, lost: float, large: float) -> bool:
    """Whether a difference of the samples explains little of what wrong labels seem to cost.

    That no repair wins anything back says nothing of a very large one: there may be none for it.
    """
    if finding.negligible or finding.expected or finding.harmless:
        return True
    if finding.matters:
        return False
    is_little = finding.cost is not None and finding.cost < MIN_WON_BACK * lost
    return abs(finding.effect_size) < (large if is_little else SMALL)

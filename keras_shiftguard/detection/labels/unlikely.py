"""Finding of a few labels that are wrong at random, by the rank that a model gives to them.

Where a model is wrong, the right class is mostly its second or third choice. A label that is wrong
at random may be its last choice as well. So if the model has not memorized its training samples,
and more labels of validation than of training are among its unlikely classes, some labels of
validation are wrong. If validation is only harder, its labels are second choices first of all.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost, gap_between
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.label_findings import RELABELLED
from keras_shiftguard.detection.labels.relabelled import labels_at_random
from keras_shiftguard.detection.sentences import percent, stream_name
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf

MIN_CLASSES = 6  # with fewer classes, a wrong label is too often the second choice
MIN_SKILL = 0.6  # of the model on training: 0 is the accuracy of the commonest class, 1 is perfect
# The same on the labels in question. A model with less skill has errors of all ranks.
MIN_CURRENT_SKILL = 0.5
MIN_SIGMAS = 4.0  # smallest excess of unlikely labels, in standard errors
# Validation must have this many times as many of them as training. If labels are wrong in both
# streams, a large network that has seen training once or twice had up to 2.4 times as many.
MIN_RATIO = 4.0
# After the first epochs, the model must make this many times as many mistakes on training as on the
# samples of validation with right labels. If it makes fewer, it may have memorized training.
MIN_MISTAKES = 0.8
# Largest excess of second choices, as a share of that of unlikely labels.
MAX_SECOND_CHOICES = 0.5


@dataclass(frozen=True)
class Ranked:
    """Labels, and the ranks that a model gives to them.

    Args:
        ranks: Number of classes that are more likely than the label, `(samples,)`.
        labels: Class ids, `(samples,)`.
        num_classes: Number of classes.
    """

    ranks: np.ndarray
    labels: np.ndarray
    num_classes: int

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> "Ranked":
        """Returns the ranks of labels in probabilities, `(samples, classes)`."""
        own = probabilities[np.arange(len(labels)), labels]
        return cls((probabilities > own[:, None]).sum(axis=1), labels, probabilities.shape[1])

    @property
    def skill(self) -> float:
        """Accuracy on a scale from 0 (always the commonest class) to 1."""
        commonest = np.bincount(self.labels).max() / len(self.labels)
        return float((np.mean(self.ranks == 0) - commonest) / max(1 - commonest, 1e-12))


def has_skill(current: Ranked, reference: Ranked) -> bool:
    """Whether the model has learned the task so well that its ranks say something about labels."""
    return reference.skill >= MIN_SKILL and current.skill >= MIN_CURRENT_SKILL


def unlikely_labels(
    current: Ranked, reference: Ranked, stream: str, against: str, is_fresh: bool
) -> tuple[Finding, Cost] | None:
    """Returns a finding and its cost if some labels of a stream are wrong at random.

    Args:
        current: The labels of the stream.
        reference: The labels of the other stream, on whose samples the model is trained.
        stream: Name of the stream.
        against: Name of the other stream.
        is_fresh: Whether the model has seen these samples so few times that it cannot have
            memorized many.
    """
    first = (current.num_classes + 1) // 2  # the first rank that is unlikely
    if current.num_classes < MIN_CLASSES or not has_skill(current, reference):
        return None

    def excess(unlikely: np.ndarray, others: np.ndarray) -> Cost:
        return gap_between(~others, ~unlikely, reference.labels, current.labels)

    found = excess(current.ranks >= first, reference.ranks >= first)
    second = excess(current.ranks == 1, reference.ranks == 1)
    share_now = float((current.ranks >= first).mean())
    if found.sigmas < MIN_SIGMAS or share_now < MIN_RATIO * (share_now - found.value):
        return None
    if second.value > MAX_SECOND_CHOICES * found.value:
        return None
    # Wrong labels have each of the other ranks as often.
    times = (current.num_classes - 1) / (current.num_classes - first)
    wrong, error = times * found.value, times * (found.value - found.interval[0]) / SIGMAS
    right = min(float((current.ranks == 0).mean()) / max(1 - wrong, 0.1), 1.0)
    mistakes = float((reference.ranks > 0).mean())
    if not is_fresh and mistakes < MIN_MISTAKES * (1 - right):
        return None
    margin = SIGMAS * error
    here, there = stream_name(stream), stream_name(against)
    finding = Finding(
        feature="labels/concept",
        kind="concept",
        family=RELABELLED,
        effect_size=wrong,
        interval=(max(wrong - margin, 0.0), min(wrong + margin, 1.0)),
        p_value=max(float(normal_sf(found.sigmas)), SMALLEST_P),
        stream=stream,
        against=against,
        since=None,
        explanation=(
            f"About {percent(wrong)} of the {labels_at_random(here)}: for the model, "
            f"{percent(share_now)} of them are among the less likely half of the classes, and "
            f"{percent(max(share_now - found.value, 0.0))} of those of {there}; effect size "
            f"{wrong:.2g} (share of the labels)"
        ),
    )
    cost = Cost(
        right * wrong, (right * (wrong - margin), right * (wrong + margin)), found.num_samples
    )
    return finding, cost

"""Finding of labels that do not belong to their samples, by the accuracy of a model.

The tests of class means (`relabelled.py`) need three classes and numbers that can be averaged, so
they miss swapped or shuffled labels of two classes and of token ids. A model that learns shows
them: it is right on training samples that it has not seen before, but not on validation samples
that look like them.

Exchanged labels make a model right on fewer samples than guessing does, which nothing else does.
Shuffled labels make it right on as many. So do training samples that belong together, such as
those of one patient: the model knows the others of the same patient, but no patient of validation.
"""

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.label_findings import RELABELLED
from keras_shiftguard.detection.sentences import percent, stream_name
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf

# Skill is accuracy on a scale from 0 (always the commonest class) to 1. The model must have learned
# this skill, and at most this share of it may show in the other stream.
MIN_SKILL, MAX_SHARE_OF_SKILL = 0.3, 0.2
MIN_SIGMAS = 5.0  # smallest difference of the accuracies, in standard errors


def unrelated_labels(
    lost: Cost, predicted: np.ndarray, labels: np.ndarray, stream: str, against: str
) -> Finding | None:
    """Returns a finding if the labels of a stream seem to have nothing to do with its samples.

    Args:
        lost: How much lower the accuracy on the stream is than on the other stream.
        predicted: Predicted classes of the stream, `(samples,)`.
        labels: Its labels, `(samples,)`.
        stream: Name of the stream.
        against: Name of the other stream, whose samples the model has not memorized.
    """
    accuracy = float((predicted == labels).mean())
    commonest = float(np.bincount(labels).max() / len(labels))
    before = min(accuracy + lost.value, 1.0)
    skill, least = before - commonest, MIN_SKILL * (1 - commonest)
    error = max((lost.value - lost.interval[0]) / SIGMAS, 1e-12)
    if skill < least or accuracy - commonest > MAX_SHARE_OF_SKILL * skill:
        return None
    if lost.value < MIN_SIGMAS * error:
        return None
    effect = 2 * float(np.arcsin(np.sqrt(before)) - np.arcsin(np.sqrt(max(accuracy, 0.0))))
    margin = SIGMAS * error * effect / lost.value
    here, there = stream_name(stream), stream_name(against)
    return Finding(
        feature="labels/concept",
        kind="concept",
        family=RELABELLED,
        effect_size=effect,
        interval=(effect - margin, effect + margin),
        p_value=max(float(normal_sf(lost.value / error)), SMALLEST_P),
        stream=stream,
        against=against,
        since=None,
        explanation=(
            f"The labels and the inputs of {here} do not seem to belong together: the model is "
            f"right on {percent(accuracy)} of {here}, but on {percent(before)} of the samples of "
            f"{there} before it was trained on them. Check the order of the labels, of the "
            f"classes and of the columns, and whether samples of {there} belong together (of one "
            f"patient, of one clip); effect size {effect:.2g} (Cohen's h)"
        ),
    )


def are_exchanged(predicted: np.ndarray, labels: np.ndarray) -> bool:
    """Whether fewer predictions are right than if they had nothing to do with the labels.

    Args:
        predicted: Predicted classes, `(samples,)`.
        labels: Labels, `(samples,)`.
    """
    number = int(max(predicted.max(), labels.max())) + 1
    shares = [np.bincount(ids, minlength=number) / len(ids) for ids in (predicted, labels)]
    by_chance = float(shares[0] @ shares[1])
    error = np.sqrt(max(by_chance * (1 - by_chance), 1e-12) / len(labels))
    return bool((predicted == labels).mean() < by_chance - MIN_SIGMAS * error)

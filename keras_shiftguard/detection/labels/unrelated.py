"""Finding of labels that have nothing to do with their samples, by the accuracy of a model.

The tests of class means (`relabelled.py`) need three classes and numbers that can be averaged, so
they miss swapped or shuffled labels of two classes and of token ids. A model that learns shows
them: it is right on training samples that it has not seen before, but not on validation samples
that look like them.
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
    lost: Cost, accuracy: float, commonest: float, stream: str, against: str
) -> Finding | None:
    """Returns a finding if the labels of a stream seem to have nothing to do with its samples.

    Args:
        lost: How much lower the accuracy on the stream is than on the other stream.
        accuracy: Accuracy on the stream.
        commonest: Share of the commonest class in the stream.
        stream: Name of the stream.
        against: Name of the other stream, whose samples the model has not memorized.
    """
    before = accuracy + lost.value
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
            f"The labels of {here} seem to belong to other samples or classes: the model is right "
            f"on {percent(accuracy)} of {here} but on {percent(before)} of the samples of {there} "
            "that it had not seen before, and the inputs look alike. Check the order of the labels "
            f"and of the classes, and whether samples of {there} depend on each other (frames of "
            f"one clip); effect size {effect:.2g} (Cohen's h)"
        ),
    )

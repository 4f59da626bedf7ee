"""Findings in one plain sentence each, for the terminal: what differs, since when, at what cost.

The numbers of the tests are in `Finding.explanation`.
"""

import re
from typing import NamedTuple

from keras_shiftguard.detection.attribute_words import ADJECTIVES, LABELS
from keras_shiftguard.detection.cost import ACCURACY, beside_in_words, unit_of
from keras_shiftguard.detection.finding import MODEL_FEATURES, Finding, when
from keras_shiftguard.detection.sentences import misplaced_how, stream_name

# By family of causes: adjectives for images whose main attribute is (lower, higher).
FAMILY_ADJECTIVES = {
    "brightness": ("darker", "brighter"),
    "contrast": ("lower in contrast", "higher in contrast"),
    "blur": ("blurrier", "sharper"),
    "noise": ("less noisy", "noisier"),
    "compression": ("less compressed", "more compressed"),
    "resolution": ("coarser", "finer"),
}
# For families without an adjective: the words after "seem", and the preposition before the images
# of the other stream.
FAMILY_DIFFERENCES = {
    "colour": ("to differ in colour", "from"),
    "weather": ("covered, as by snow, rain or dirt,", "unlike"),
    "geometry": ("moved, turned or scaled", "against"),
}
# The attributes for which the sign of the effect size gives the direction of a family.
DIRECTION = {
    "brightness": ("brightness",),
    "contrast": ("contrast",),
    "blur": ("sharpness", "band_1", "band_2"),
    "noise": ("noise", "noise_flat"),
    "compression": ("blockiness",),
    "resolution": ("sharpness", "band_1"),
}
# Verbs of differences that are over.
PAST = {"are": "were", "vary": "varied", "have": "had", "seem": "seemed"}
# The end of a first sentence: a full stop or a semicolon after a word, not after an initial.
SENTENCE_END = re.compile(r"(?<=[a-z\d)]{2})[.;] (?=[A-Z\d])")
# |Effect sizes|, in standard deviations between samples: a sentence has "slightly" below SLIGHT,
# and "much" from LARGE on. Cohen calls 0.2 small and 0.8 large.
SLIGHT, LARGE = 0.4, 1.5


def plain_sentence(finding: Finding) -> str:
    """Returns a finding as one sentence for the terminal.

    Example:

    >>> noisy = Finding("input/noise", "covariate", "noise", 2.0, (1.8, 2.2), 1e-9, "validation",
    ...     "train", 3, "Validation images are noisier: mean noise ...", cost=0.06,
    ...     cost_interval=(0.03, 0.09))
    >>> plain_sentence(noisy)
    'Validation images are much noisier than training images, since epoch 3; costs about 6 points.'
    """
    return f"{plain_difference(finding)}{when(finding)}{_cost(finding)}."


def plain_difference(finding: Finding) -> str:
    """Returns the difference in words, without epoch and cost.

    This is the explanation, unless the finding is a covariate shift of an image attribute or of a
    family that has words of its own.
    """
    parts = difference(finding) if _is_about_images(finding) else None
    return " ".join(parts) if parts else finding.explanation.rstrip(".")


class Difference(NamedTuple):
    """The four parts of a sentence on a difference; one sentence can join several differences.

    Args:
        who: What differs: `"Validation images"`.
        verb: `"are"`, `"vary"`, `"have"` or `"seem"`, or one of them in the past tense.
        how: `"much darker"`.
        whom: What it is compared with: `"than training images"`.
    """

    who: str
    verb: str
    how: str
    whom: str


def difference(finding: Finding) -> Difference | None:
    """Returns the parts of the sentence on a finding; None if it cannot be split like this.

    Covariate findings on features can be split: attributes of images, columns and outputs.
    """
    parts = _present(finding)
    return (
        parts if parts is None or finding.until is None else parts._replace(verb=PAST[parts.verb])
    )


def sentence_of(finding: Finding) -> str:
    """Returns a finding as a sentence without the numbers of its test."""
    if parts := difference(finding):
        return " ".join(parts)
    if how := misplaced_how(finding.explanation, finding.against):
        return how
    first = SENTENCE_END.split(finding.explanation)[0]
    # In a finding on preprocessing, the words after the colon say what is wrong.
    return first if finding.kind == "preprocessing" else first.partition(": ")[0]


def _present(finding: Finding) -> Difference | None:
    """Returns the parts of the sentence on a finding, in the present tense; None if it has none."""
    if finding.kind != "covariate" or misplaced_how(finding.explanation, finding.against):
        return None
    if _is_about_images(finding):
        return _of_images(finding)
    clause = finding.explanation.partition(": ")[0]
    for verb in ("are", "vary"):
        who, found, how = clause.partition(f" {verb} ")
        if found:
            there = stream_name(finding.against)
            noun = who.rpartition(" ")[2]
            is_short = noun == "samples" and not there.startswith("the ")
            whom = f"than {there} {noun}" if is_short else f"than in {there}"
            return Difference(who, verb, how, whom)
    return None


def _is_about_images(finding: Finding) -> bool:
    """Whether a finding is a covariate shift of images, for which there are plain words."""
    source, _, attribute = finding.feature.rpartition("/")
    is_attribute = attribute in LABELS and source.split(" ")[0] not in MODEL_FEATURES
    is_named = finding.family in FAMILY_ADJECTIVES or finding.family in FAMILY_DIFFERENCES
    return finding.kind == "covariate" and (is_attribute or is_named)


def _of_images(finding: Finding) -> Difference:
    """Returns the parts of the sentence on a finding on images."""
    source, _, attribute = finding.feature.rpartition("/")
    noun = f"images of input {source!r}" if f"input {source!r}" in finding.explanation else "images"
    images = f"{stream_name(finding.stream).capitalize()} {noun}"
    others = f"{stream_name(finding.against)} images"
    if finding.against.startswith("the "):
        others = f"those of {finding.against}"
    clause = finding.explanation.partition(": ")[0]
    if " vary " in clause:
        who, _, how = clause.partition(" vary ")
        return Difference(who, "vary", how, f"than {others}")
    if " another distribution " in clause:
        who, _, rest = clause.partition(" have ")
        how, _, whom = rest.rpartition(" than ")
        return Difference(who, "have", how, f"than {whom}")
    adjectives = ADJECTIVES.get(attribute)  # of the measured attribute, if no family is used
    if attribute in DIRECTION.get(finding.family, ()):
        adjectives = FAMILY_ADJECTIVES[finding.family]
    if adjectives is None and finding.family in FAMILY_DIFFERENCES:
        how, preposition = FAMILY_DIFFERENCES[finding.family]
        return Difference(images, "seem", how, f"{preposition} {others}")
    if adjectives is None and finding.family in FAMILY_ADJECTIVES:
        return Difference(images, "seem", f"to differ in {finding.family}", f"from {others}")
    if adjectives is None:
        label = LABELS[attribute]
        adjectives = f"lower in {label}", f"higher in {label}"
    how = f"{_degree(finding.effect_size)}{adjectives[finding.effect_size > 0]}"
    return Difference(images, "are", how, f"than {others}")


def _degree(effect: float) -> str:
    """Returns `"slightly "` or `"much "` for an effect size; `""` for a middle one."""
    if abs(effect) < SLIGHT:
        return "slightly "
    return "much " if abs(effect) >= LARGE else ""


def _cost(finding: Finding) -> str:
    """Returns the cost as the end of a sentence; empty if unknown, or if `is_question` is true."""
    if finding.cost is None or finding.is_question:
        return ""
    if finding.cost <= 0:
        return "; costs no accuracy" if finding.metric == ACCURACY else "; costs nothing"
    points = 100 * finding.cost
    rounded = f"{points:.0f}" if points >= 2 else f"{points:.1f}"
    if finding.metric != ACCURACY:
        costs = f"; causes about {rounded}{unit_of(finding.metric)}"
    else:
        costs = f"; costs about {rounded} point{'' if rounded == '1' else 's'}"
    return f"{costs}{beside_in_words(finding.beside)}"

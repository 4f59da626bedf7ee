"""Findings in one plain sentence each, for the terminal: what differs, since when, at what cost.

The numbers of the tests are in `Finding.explanation`.
"""

import re
from typing import NamedTuple

from keras_shiftguard.detection.attribute_words import ADJECTIVES, FAMILY_ATTRIBUTES, LABELS
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
VERBS = ("vary", "have", "are")  # of the explanations that can be split
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
    ...     "train", 3, "Validation images are noisier: mean noise ...", cost_words="costs nothing")
    >>> plain_sentence(noisy)
    'Validation images are much noisier than training images, since epoch 3; costs nothing.'
    """
    cost = f"; {finding.cost_words}" if finding.cost_words and not finding.is_question else ""
    return f"{plain_difference(finding)}{when(finding)}{cost}."


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
    clause, there = finding.explanation.partition(": ")[0], stream_name(finding.against)
    are_images = _is_about_images(finding)
    verb = next((verb for verb in VERBS if f" {verb} " in clause), "")
    who, _, how = clause.partition(f" {verb} ") if verb else ("", "", "")
    noun = "images" if are_images else who.rpartition(" ")[2]
    others = f"in {there}"
    if noun in ("images", "samples"):
        others = f"those of {there}" if there.startswith("the ") else f"{there} {noun}"
    if verb == "have":
        how, _, others = how.rpartition(" than ")
    if are_images and verb in ("", "are"):
        return _of_images(finding, who, others)
    return Difference(who, verb, how, f"than {others}") if verb else None


def _is_about_images(finding: Finding) -> bool:
    """Whether a finding is a covariate shift of images, for which there are plain words."""
    source, _, attribute = finding.feature.rpartition("/")
    is_attribute = attribute in LABELS and source.split(" ")[0] not in MODEL_FEATURES
    is_named = finding.family in FAMILY_ADJECTIVES or finding.family in FAMILY_DIFFERENCES
    return finding.kind == "covariate" and (is_attribute or is_named)


def _of_images(finding: Finding, who: str, others: str) -> Difference:
    """Returns the parts of the sentence on images that differ in an attribute, or by a family."""
    who = who or f"{stream_name(finding.stream).capitalize()} images"
    attribute, family = finding.feature.rpartition("/")[2], finding.family
    adjectives = ADJECTIVES.get(attribute)  # of the measured attribute, if no family is used
    if family in FAMILY_ADJECTIVES and attribute in FAMILY_ATTRIBUTES[family]:
        adjectives = FAMILY_ADJECTIVES[family]
    if adjectives is None and family in FAMILY_DIFFERENCES:
        how, preposition = FAMILY_DIFFERENCES[family]
        return Difference(who, "seem", how, f"{preposition} {others}")
    if adjectives is None and family in FAMILY_ADJECTIVES:
        return Difference(who, "seem", f"to differ in {family}", f"from {others}")
    label = LABELS.get(attribute, attribute)
    adjectives = adjectives or (f"lower in {label}", f"higher in {label}")
    size = abs(finding.effect_size)
    degree = "slightly " if size < SLIGHT else "much " if size >= LARGE else ""
    how = f"{degree}{adjectives[finding.effect_size > 0]}"
    return Difference(who, "are", how, f"than {others}")

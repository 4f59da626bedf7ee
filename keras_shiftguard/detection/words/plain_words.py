"""Findings in one plain sentence each, for the terminal: what differs, since when, at what cost.

The numbers of the tests are in `Finding.explanation`.
"""

from keras_shiftguard.detection.finding import MODEL_FEATURES, Finding, when
from keras_shiftguard.detection.words.attribute_words import ADJECTIVES, FAMILY_ATTRIBUTES, LABELS
from keras_shiftguard.detection.words.said import Clause

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
# Verbs of differences that are over.
PAST = {"are": "were", "vary": "varied", "have": "had", "differ": "differed", "seem": "seemed"}
# |Effect sizes|, in standard deviations between samples: a sentence has "slightly" below SLIGHT,
# and "much" from LARGE on. Cohen calls 0.2 small and 0.8 large. Conventions.
SLIGHT, LARGE = 0.4, 1.5


def plain_sentence(finding: Finding) -> str:
    """Returns a finding as one sentence for the terminal.

    Example: `"Validation images are much noisier than training images, since epoch 3."`
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


def difference(finding: Finding) -> Clause | None:
    """Returns the parts of the sentence on a finding; None if it cannot be split like this.

    Covariate findings on features can be split: attributes of images, columns and outputs.
    """
    parts = finding.said and finding.said.clause
    if parts is None or finding.kind != "covariate":
        return None
    if _is_about_images(finding) and parts.verb in ("are", "differ"):
        parts = _of_images(finding, parts)
    return parts if finding.until is None else parts._replace(verb=PAST[parts.verb])


def sentence_of(finding: Finding) -> str:
    """Returns a finding as a sentence without the numbers of its test."""
    if parts := difference(finding):
        return " ".join(parts)
    return finding.explanation if finding.said is None else finding.said.head


def _is_about_images(finding: Finding) -> bool:
    """Whether a finding is a covariate shift of images, for which there are plain words."""
    source, _, attribute = finding.feature.rpartition("/")
    is_attribute = attribute in LABELS and source.split(" ")[0] not in MODEL_FEATURES
    is_named = finding.family in FAMILY_ADJECTIVES or finding.family in FAMILY_DIFFERENCES
    return finding.kind == "covariate" and (is_attribute or is_named)


def _of_images(finding: Finding, parts: Clause) -> Clause:
    """Returns the parts of the sentence on images that differ in an attribute, or by a family."""
    who, others = parts.who, parts.whom.partition(" ")[2]
    attribute, family = finding.feature.rpartition("/")[2], finding.family
    adjectives = ADJECTIVES.get(attribute)  # of the measured attribute, if no family is used
    if family in FAMILY_ADJECTIVES and attribute in FAMILY_ATTRIBUTES[family]:
        adjectives = FAMILY_ADJECTIVES[family]
    if adjectives is None and family in FAMILY_DIFFERENCES:
        how, preposition = FAMILY_DIFFERENCES[family]
        return Clause(who, "seem", how, f"{preposition} {others}")
    if adjectives is None and family in FAMILY_ADJECTIVES:
        return Clause(who, "seem", f"to differ in {family}", f"from {others}")
    label = LABELS.get(attribute, attribute)
    adjectives = adjectives or (f"lower in {label}", f"higher in {label}")
    size = abs(finding.effect_size)
    degree = "slightly " if size < SLIGHT else "much " if size >= LARGE else ""
    how = f"{degree}{adjectives[finding.effect_size > 0]}"
    return Clause(who, "are", how, f"than {others}")

"""`plain_sentence`: a finding in words for people who do not know the measured attributes."""

from dataclasses import replace

import pytest
from made_findings import NOISIER, row_of

from keras_shiftguard.detection.words.plain_words import plain_sentence, sentence_of
from keras_shiftguard.detection.words.said import Clause, Said
from keras_shiftguard.detection.words.sentences import misplaced

VARY = Clause("Validation images", "vary", "more in noise", "than training images")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "Validation images are much noisier than training images, since epoch 3."),
        ({"effect_size": -0.3}, "Validation images are slightly less noisy than training images"),
        ({"row": row_of(0.06, 0.04, 0.08)}, "since epoch 3; costs about 6.0 points of accuracy"),
        ({"family": "blur", "feature": "input/sharpness", "effect_size": -1.0}, "are blurrier"),
        ({"family": "blur", "feature": "input/entropy"}, "seem to differ in blur from training"),
        (
            {"family": "colour", "feature": "input/colour_balance_0"},
            "seem to differ in colour from",
        ),
        ({"family": "other", "feature": "input/entropy"}, "higher in the variety of gray levels"),
        (
            {"said": Said("They vary", "mean 1 against 2", clause=VARY)},
            "Validation images vary more in noise than training images, since epoch 3.",
        ),
        ({"kind": "label", "said": Said("Labels moved")}, "Labels moved, since epoch 3."),
        ({"until": 5}, "images were much noisier than training images, in epochs 3 to 5 only."),
        ({"feature": "outputs/entropy", "family": "other"}, "Validation images are noisier: mean"),
        ({"feature": "input/3", "family": "missing"}, "Validation images are noisier: mean noise"),
    ],
)
def test_the_sentence(changes, expected):
    assert expected in plain_sentence(replace(NOISIER, **changes))


def test_misplaced_are_told_as_they_are_placed():
    said = misplaced("moved by about 2 pixels up", "validation", "train")
    placed = replace(NOISIER, family="geometry", said=said)
    assert plain_sentence(placed).startswith(
        "Validation images are moved by about 2 pixels up; those of training are not"
    )
    assert sentence_of(placed) == "Validation images are moved by about 2 pixels up"

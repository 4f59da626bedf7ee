"""`plain_sentence`: a finding in words for people who do not know the measured attributes."""

from dataclasses import replace

import pytest

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.plain_words import difference, plain_sentence, sentence_of
from keras_shiftguard.detection.sentences import misplaced

NOISE = Finding(
    feature="input/noise",
    kind="covariate",
    family="noise",
    effect_size=2.0,
    interval=(1.8, 2.2),
    p_value=1e-9,
    stream="validation",
    against="train",
    since=3,
    explanation="Validation images are noisier: mean noise 0.2 against 0.1 in training",
)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "Validation images are much noisier than training images, since epoch 3."),
        ({"effect_size": -0.3}, "Validation images are slightly less noisy than training images"),
        ({"cost_words": "costs about 6 points"}, "since epoch 3; costs about 6 points."),
        (
            {"family": "blur", "feature": "input/sharpness", "effect_size": -1.0},
            "are blurrier than",
        ),
        (
            {"family": "blur", "feature": "input/entropy"},
            "images seem to differ in blur from training",
        ),
        ({"family": "colour"}, "Validation images are much noisier than training images"),
        (
            {"family": "colour", "feature": "input/colour_balance_0"},
            "Validation images seem to differ in colour from training images",
        ),
        (
            {"family": "other", "feature": "input/entropy"},
            "much higher in the variety of gray levels",
        ),
        ({"against": "the first epoch"}, "noisier than those of the first epoch"),
        (
            {"explanation": "Validation images vary more in noise: standard deviation 2 against 1"},
            "Validation images vary more in noise than training images, since epoch 3.",
        ),
        ({"kind": "label", "explanation": "Labels moved."}, "Labels moved, since epoch 3."),
        ({"until": 5}, "images were much noisier than training images, in epochs 3 to 5 only."),
        ({"feature": "outputs/entropy", "family": "other"}, "Validation images are noisier: mean"),
        ({"feature": "input/3", "family": "missing"}, "Validation images are noisier: mean noise"),
    ],
)
def test_the_sentence(changes, expected):
    assert expected in plain_sentence(replace(NOISE, **changes))


def test_one_of_several_inputs_is_named():
    text = "Validation images of input 'left' are noisier: mean noise 0.2 against 0.1 in training"
    finding = replace(NOISE, feature="left/noise", explanation=text)
    assert plain_sentence(finding).startswith("Validation images of input 'left' are much noisier")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ("Validation images", "are", "much noisier", "than training images")),
        (
            {"against": "the first epoch"},
            ("Validation images", "are", "much noisier", "than those of the first epoch"),
        ),
        (
            {"family": "weather", "feature": "input/entropy"},
            (
                *("Validation images", "seem", "covered, as by snow, rain or dirt,"),
                "unlike training images",
            ),
        ),
        (
            {
                "family": "other",
                "explanation": "Validation images have another distribution of noise than "
                "training: mean 1 against 2",
            },
            ("Validation images", "have", "another distribution of noise", "than training"),
        ),
        (
            {
                **{"family": "other", "feature": "input/1"},
                "explanation": "Validation samples are higher in column 1: mean 1 against 2",
            },
            ("Validation samples", "are", "higher in column 1", "than training samples"),
        ),
        (
            {
                **{"family": "other", "feature": "outputs/entropy"},
                "explanation": "Validation outputs vary more in entropy: standard deviation 1",
            },
            ("Validation outputs", "vary", "more in entropy", "than in training"),
        ),
        ({"kind": "label"}, None),
        (
            {
                **{"family": "missing", "feature": "input/1/missing"},
                "explanation": "Column 1 of input is missing in 5 % of validation samples",
            },
            None,
        ),
    ],
)
def test_the_parts_of_the_sentence(changes, parts):
    assert difference(replace(NOISE, **changes)) == parts


def test_misplaced_are_told_as_they_are_placed():
    text = misplaced("moved by about 2 pixels up", "validation", "train")
    placed = replace(NOISE, family="geometry", explanation=text)
    assert plain_sentence(placed).startswith(
        "Validation images are moved by about 2 pixels up, and those of training are not"
    )
    assert sentence_of(placed) == "Validation images are moved by about 2 pixels up"

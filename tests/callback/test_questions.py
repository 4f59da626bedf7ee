"""Which findings raise no alarm although their cost is unknown."""

from dataclasses import replace

import pytest

from keras_shiftguard.callback.questions import Stage, is_change_of_augmentation
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.relabelled import labels_at_random

PLAIN, AUGMENTED = Stage(may_be_augmented=False), Stage(may_be_augmented=True)
OTHER_LABELS = replace(PLAIN, has_other_labels=True)
ALIKE = ("relabelled", None, "concept", 0.2, "concept")  # labels of training seem wrong


def finding(family="noise", cost=None, feature="noise", effect=1.0, kind="covariate"):
    """Returns a finding on validation, with a sure cost if a cost is given."""
    wrong = f"About 20 % of the {labels_at_random('training')}"
    found = Finding(
        f"input/{feature}", kind, family, effect, (effect - 0.1, effect + 0.1), 1e-9,
        "validation", "train", 1, wrong if kind == "concept" else "Validation images are noisier",
    )  # fmt: skip
    return found.with_cost(cost and Cost(cost, (0.8 * cost, 1.2 * cost), 500), 0.01)


@pytest.mark.parametrize(
    ("stage", "found", "expected"),
    [
        (PLAIN, finding(), False),
        (AUGMENTED, finding(), True),
        (AUGMENTED, finding("colour", feature="saturation", effect=9.0), False),
        # A cost that was measured decides, whether training is augmented or not.
        (AUGMENTED, finding(cost=0.2), False),
        (AUGMENTED, finding(cost=0.03), False),
        (PLAIN, finding(cost=-0.2), False),
        # Crops make the classes of training look more alike, as wrong labels do.
        (AUGMENTED, finding(*ALIKE), True),
        (PLAIN, finding(*ALIKE), False),
        # A teacher's probabilities have another class mix than the labels.
        (OTHER_LABELS, finding("label", 0.2, kind="label"), True),
        (OTHER_LABELS, finding(cost=0.2), False),
        (AUGMENTED, finding("label", 0.2, kind="label"), False),
    ],
)
def test_questions(stage, found, expected):
    assert stage.is_question(found) == expected


def test_a_cost_that_is_not_sure_stays_a_question():
    unsure = finding().with_cost(Cost(0.03, (-0.01, 0.07), 500), 0.01)
    assert unsure.is_question and PLAIN.is_question(unsure)


def test_images_of_another_size_may_be_crops():
    size = Finding(
        "input", "covariate", "resolution", 3.0, (2.9, 3.1), 1e-9, "validation", "train", 1,
        "Validation images are larger",
    )  # fmt: skip
    assert replace(PLAIN, may_be_crops=True).is_question(size)
    assert not PLAIN.is_question(size)


def test_growing_augmentation_must_cost_validation_nothing():
    assert is_change_of_augmentation(finding(effect=0.2), loses_nothing=False)
    assert is_change_of_augmentation(finding(effect=3.0), loses_nothing=True)
    assert not is_change_of_augmentation(finding(effect=3.0), loses_nothing=False)

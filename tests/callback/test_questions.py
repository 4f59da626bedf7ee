"""Which findings are no alarms yet."""

from dataclasses import replace

import pytest

from keras_shiftguard.callback.questions import Stage
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.relabelled import labels_at_random

PLAIN = Stage(
    comes_again=True,
    is_first_visit=False,
    is_unaugmented=True,
    is_augmented=False,
    was_redrawn=False,
    is_too_early=False,
    is_endless=False,
    measures_costs=True,
    may_be_crops=False,
)
FIRST = replace(PLAIN, is_first_visit=True, is_unaugmented=False)
ALIKE = ("relabelled", None, "concept", 0.2, "concept")  # labels of training seem wrong
AUGMENTED = replace(PLAIN, is_unaugmented=False, is_augmented=True)

SOFT = replace(AUGMENTED, has_soft_labels=True)


def finding(family="noise", cost=None, feature="noise", effect=1.0, kind="covariate"):
    """Returns a finding on validation, with a sure cost if a cost is given."""
    wrong = f"About 20 % of the {labels_at_random('training')}"
    found = Finding(
        f"input/{feature}", kind, family, effect, (effect - 0.1, effect + 0.1), 1e-9,
        "validation", "train", 1, wrong if kind == "concept" else "Validation images are noisier",
    )  # fmt: skip
    return found.with_cost(cost and Cost(cost, (0.8 * cost, 1.2 * cost), 500), 0.01)


@pytest.mark.parametrize(
    ("stage", "found", "is_new", "expected"),
    [
        (PLAIN, finding(), False, False),
        (PLAIN, finding(cost=0.2), True, False),  # a large cost is an alarm at once
        (PLAIN, finding(cost=0.03), True, True),  # a small one if it is found twice
        (PLAIN, finding(cost=0.03), False, False),
        (replace(PLAIN, comes_again=False), finding(cost=0.03), True, False),
        # Augmentation that zooms to one side makes a new model do better on zoomed images.
        (PLAIN, finding("geometry", 0.2), True, True),
        (PLAIN, finding("geometry", 0.2), False, False),
        (FIRST, finding(), False, True),  # the second pass may show augmentation
        (FIRST, finding(cost=0.2), False, False),
        (FIRST, finding("colour", feature="saturation", effect=9.0), False, False),
        (replace(FIRST, is_endless=True), finding(), False, False),
        (replace(FIRST, comes_again=False), finding(), False, True),  # no cost, and no other epoch
        (AUGMENTED, finding(), False, True),
        (AUGMENTED, finding(cost=0.2), False, False),
        # A teacher's probabilities have another class mix than the labels.
        (
            SOFT,
            finding("label", 0.2, kind="label"),
            False,
            True,
        ),
        (AUGMENTED, finding("label", 0.2, kind="label"), False, False),
        # A model that begins to learn often prefers one class, so a class mix must cost twice.
        (PLAIN, finding("label", 0.2, kind="label"), True, True),
        (replace(PLAIN, comes_again=False), finding("label", 0.2, kind="label"), True, False),
        (replace(PLAIN, is_resampled=True), finding("label", 0.2, kind="label"), False, True),
        (replace(PLAIN, is_resampled=True), finding(cost=0.2), False, False),
        # Crops make the classes of training look more alike, as wrong labels do.
        (FIRST, finding(*ALIKE), False, True),
        (replace(FIRST, comes_again=False), finding(*ALIKE), False, True),
        (PLAIN, finding(*ALIKE), False, False),
        (replace(FIRST, is_endless=True), finding(*ALIKE), False, False),
        (replace(PLAIN, is_too_early=True), finding(effect=0.3), False, True),
        (replace(PLAIN, is_too_early=True), finding(kind="preprocessing"), False, False),
    ],
)
def test_questions(stage, found, is_new, expected):
    assert stage.is_question(found, is_new) == expected


def test_images_of_another_size_may_be_crops():
    size = Finding(
        "input", "covariate", "resolution", 3.0, (2.9, 3.1), 1e-9, "validation", "train", 1,
        "Validation images are larger",
    )  # fmt: skip
    assert replace(PLAIN, may_be_crops=True).is_question(size, False)
    assert not PLAIN.is_question(size, False)


@pytest.mark.parametrize("found", [finding(), finding(*ALIKE)])
def test_training_against_a_reference_is_judged_without_a_cost(found):
    assert FIRST.is_question_without_cost(found)
    assert AUGMENTED.is_question_without_cost(found)
    assert not PLAIN.is_question_without_cost(found)
    assert not replace(FIRST, is_endless=True).is_question_without_cost(found)


def test_growing_augmentation_must_cost_validation_nothing():
    assert PLAIN.is_change_of_augmentation(finding(effect=0.2), loses_nothing=False)
    assert PLAIN.is_change_of_augmentation(finding(effect=3.0), loses_nothing=True)
    assert not PLAIN.is_change_of_augmentation(finding(effect=3.0), loses_nothing=False)

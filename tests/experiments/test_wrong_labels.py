"""Labels that do not fit their samples, told from hard samples by the predictions of a model."""

import numpy as np
import pytest

from keras_shiftguard.experiments.labels.label_words import finding_of
from keras_shiftguard.experiments.labels.wrong_labels import Predicted, wrong_labels

CLASSES = 6
TOLERANCE = 0.01


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def predicted(seed, number=800, noise=1.0, sharpness=1.5):
    """Predictions of a linear model for classes around random middles, with hard samples."""
    rng = np.random.default_rng(seed)
    middles = 1.3 * np.random.default_rng(99).normal(size=(CLASSES, 8))
    labels = rng.integers(0, CLASSES, number)
    x = middles[labels] + noise * rng.normal(size=(number, 8))
    distance = ((x[:, None] - middles[None]) ** 2).sum(axis=2)
    return Predicted(softmax(-sharpness * distance / 2), labels)


TRAINING = predicted(0)


def relabelled(change, seed=1, **how):
    found = predicted(seed, **how)
    labels = found.labels.copy()
    change(labels, np.random.default_rng(seed + 100))
    return Predicted(found.probabilities, labels)


def lost(current, seed=1, **how):
    """The accuracy that the right labels of the same samples would win back."""
    return predicted(seed, **how).right.mean() - current.right.mean()


def exchanged(labels, rng):
    labels[:] = np.array([1, 0, *range(2, CLASSES)])[labels]


def shifted(labels, rng):
    labels[:] = (labels + 1) % CLASSES


def part(labels, rng):
    labels[(labels == 0) & (rng.random(len(labels)) < 0.4)] = 1


def part_exchanged(labels, rng):
    hit = rng.random(len(labels)) < 0.4
    zeros, ones = (labels == 0) & hit, (labels == 1) & hit
    labels[zeros], labels[ones] = 1, 0


def at_random(share):
    def change(labels, rng):
        hit = rng.random(len(labels)) < share
        labels[hit] = (labels[hit] + rng.integers(1, CLASSES, hit.sum())) % CLASSES

    return change


def told(current, training=TRAINING, **how):
    found = wrong_labels(current, training, **how)
    return found, "" if found is None else finding_of(found, found.cost, CLASSES).explanation


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("noise", [1.0, 1.4])
def test_right_labels_are_not_told_however_hard_the_samples_are(seed, noise):
    assert wrong_labels(predicted(seed, noise=noise), TRAINING) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (exchanged, "the labels 0 and 1 are exchanged"),
        (shifted, "all class ids are higher by 1"),
        (part, "validation samples with label 1 seem to be of class 0:"),
        (part_exchanged, "and others the other way round"),
        (at_random(0.15), "labels of validation do not fit their samples"),
    ],
)
def test_wrong_labels_are_told_with_what_right_ones_would_win(change, words):
    kept = 0
    for seed in range(1, 7):
        current = relabelled(change, seed)
        found, text = told(current)
        assert found is not None and found.cost.is_costly(TOLERANCE) and words in text
        low, high = found.cost.interval
        kept += low <= lost(current, seed) <= high
    assert kept >= 5


@pytest.mark.parametrize(("move", "words"), [(1, "higher by 1"), (-1, "lower by 1")])
def test_classes_counted_from_another_number_are_told(move, words):
    """One class is then no label of validation, and another one no label of training."""
    wide, zeros = predicted(1), np.zeros((800, 1))
    before, after = ([], [zeros]) if move > 0 else ([zeros], [])
    start = len(before)  # of the class ids of training

    def with_class(found, labels):
        return Predicted(np.hstack([*before, found.probabilities, *after]), labels)

    training = with_class(TRAINING, TRAINING.labels + start)
    found = wrong_labels(with_class(wide, wide.labels + start + move), training)
    assert len(found.names) == CLASSES
    text = finding_of(found, found.cost, CLASSES + 1).explanation
    assert f"all class ids are {words}:" in text, text
    assert found.cost.interval[0] < wide.right.mean() < found.cost.interval[1]


def test_shuffled_labels_may_also_be_a_model_that_knows_only_its_training():
    found, _ = told(relabelled(lambda labels, rng: rng.shuffle(labels)))
    assert found.is_unrelated


def test_wrong_labels_are_not_told_from_a_model_that_knows_training_by_heart():
    current = relabelled(at_random(0.15))
    known = np.full((800, CLASSES), 0.002)
    known[np.arange(800), TRAINING.labels] = 0.99
    assert wrong_labels(current, Predicted(known, TRAINING.labels)) is None
    # Renamed labels are told: no mistake of a model exchanges two classes.
    assert wrong_labels(relabelled(exchanged), Predicted(known, TRAINING.labels)).names


def test_other_differences_are_no_wrong_labels():
    change = at_random(0.15)
    assert wrong_labels(relabelled(change, 1), relabelled(change, 2)) is None  # of both streams
    assert wrong_labels(relabelled(change), TRAINING, is_same_mix=False) is None
    # A loss for ordered classes has fewer outputs than there are classes.
    assert wrong_labels(Predicted(TRAINING.probabilities[:, :5], TRAINING.labels), TRAINING) is None


def test_too_few_samples_or_a_model_without_skill_tell_nothing():
    few = predicted(3, 60)
    assert wrong_labels(few, TRAINING) is None and wrong_labels(TRAINING, few) is None
    guess = softmax(np.random.default_rng(0).normal(size=(800, CLASSES)))
    assert wrong_labels(relabelled(exchanged), Predicted(guess, TRAINING.labels)) is None


# Share of wrong labels by `cleanlab.count.estimate_joint` (cleanlab 2.9.0, the authors' own code of
# the confident joint) for the same labels and probabilities, seeds 1 to 6, and the true share.
CLEANLAB = (0.1913, 0.1788, 0.2025, 0.1963, 0.1937, 0.18)
TRUE = (0.1575, 0.1288, 0.1588, 0.1525, 0.155, 0.1537)


def test_the_share_of_wrong_labels_is_as_near_to_the_truth_as_that_of_the_confident_joint():
    shares = [told(relabelled(at_random(0.15), seed))[0].share for seed in range(1, 7)]
    assert np.abs(np.subtract(shares, CLEANLAB)).max() < 0.1
    assert np.abs(np.subtract(shares, TRUE)).mean() < np.abs(np.subtract(CLEANLAB, TRUE)).mean()

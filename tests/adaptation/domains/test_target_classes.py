"""Estimated classes of target samples, on clusters with known classes."""

import numpy as np
import pytest

from keras_shiftguard.adaptation.domains.target_classes import MAX_FEATURES, find_classes


def clusters(rng, counts, moved=0.0, width=8, spread=0.35):
    """Samples of three classes around the corners of a simplex, and their labels."""
    labels = np.repeat(np.arange(3), counts)
    return 2 * np.eye(width)[labels] + moved + rng.normal(0, spread, (len(labels), width)), labels


def guessed(labels, rng, right=0.7):
    """Returns predictions that are right for a share of the samples, and random for the rest."""
    ids = np.where(rng.random(len(labels)) < right, labels, rng.integers(0, 3, len(labels)))
    return 0.1 + 0.7 * np.eye(3)[ids]


@pytest.mark.parametrize("counts", [(100, 100, 100), (200, 60, 12)])
def test_lying_together_corrects_answers_and_frequencies(rng, counts):
    source, y = clusters(rng, (60, 60, 60))
    target, truth = clusters(rng, counts, moved=rng.normal(0, 0.3, 8))
    predicted = guessed(truth, rng)
    found = find_classes(source, y, target, predicted)
    assert (predicted.argmax(axis=1) == truth).mean() < 0.9
    assert (found.probabilities.argmax(axis=1) == truth).mean() > 0.97
    share = np.bincount(truth) / len(truth)
    np.testing.assert_allclose(found.frequencies, share, atol=0.02)
    assert (found.lower <= share).all() and (share <= found.upper).all()
    assert found.agreement > 0.97


def test_the_rule_gives_the_same_probabilities(rng):
    source, y = clusters(rng, (60, 60, 60), width=MAX_FEATURES + 44)
    target, truth = clusters(rng, (50, 30, 20), width=MAX_FEATURES + 44)
    found = find_classes(source, y, target, guessed(truth, rng))
    unit = target / np.linalg.norm(target, axis=1, keepdims=True)
    logits = unit @ found.kernel + found.bias[:, None]
    p = np.exp(logits - logits.max(axis=2, keepdims=True))
    p = (p / p.sum(axis=2, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(p, found.probabilities, atol=1e-6)


def test_a_class_without_source_samples_stays_empty(rng):
    source, y = clusters(rng, (60, 60, 0))
    target, truth = clusters(rng, (50, 50, 0))
    found = find_classes(source, y, target, guessed(truth, rng))
    assert found.frequencies[2] < 1e-3 and np.isfinite(found.bias).all()

"""Intervals of estimated class frequencies contain the true ones, even for a bad classifier."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from keras_shiftguard.detection.labels.label_shift import estimate
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import OutputSummary


def outputs(confusion):
    confusion = np.asarray(confusion, "int64")
    return OutputSummary(num_classes=len(confusion), confusion=confusion)


def simulate(rng, classes, accuracy, n, m):
    """Returns a confusion matrix, predictions on a shifted target, and the target's class mix."""
    answers = np.full((classes, classes), (1 - accuracy) / max(classes - 1, 1))
    np.fill_diagonal(answers, accuracy)
    answers = answers * rng.uniform(0.5, 1.5, answers.shape)
    answers /= answers.sum(axis=1, keepdims=True)
    source, target = (rng.dirichlet(np.full(classes, a)) for a in (5.0, 1.0))
    labels = rng.multinomial(n, source)
    confusion = [rng.multinomial(k, row) for k, row in zip(labels, answers, strict=True)]
    return outputs(confusion), rng.multinomial(m, target @ answers), target


@pytest.mark.parametrize(
    ("classes", "accuracy", "n", "m"),
    [(2, 0.8, 200, 200), (10, 0.85, 1000, 500), (10, 0.5, 1000, 500), (10, 0.12, 1000, 500)],
)
def test_coverage(classes, accuracy, n, m):
    rng = np.random.default_rng(0)
    inside, better = [], []
    for _ in range(60):
        source, predicted, truth = simulate(rng, classes, accuracy, n, m)
        found = estimate(source, predicted)
        assert found.frequencies.sum() == pytest.approx(1)
        assert (found.lower <= found.frequencies).all()
        assert (found.frequencies <= found.upper).all()
        inside.append(np.mean((found.lower <= truth) & (truth <= found.upper)))
        naive = np.abs(predicted / m - truth).sum()
        better.append(naive - np.abs(found.frequencies - truth).sum())
        assert found.identified or accuracy < 0.5
    # Three standard errors below 95 %, with `classes / 2` independent frequencies in each draw.
    assert np.mean(inside) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 60 / (classes / 2))
    if accuracy >= 0.5:
        assert np.mean(better) > 0


def test_a_real_classifier_on_another_class_mix():
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    train, held, rest = order[:400], order[400:1000], order[1000:]
    model = LogisticRegression(C=1e-4, max_iter=200).fit(x[train], y[train])
    confusion = np.zeros((10, 10))
    np.add.at(confusion, (y[held], model.predict(x[held])), 1)
    # The target keeps about a fifth of the fours and nines.
    target = rest[(~np.isin(y[rest], [4, 9])) | (rng.random(len(rest)) < 0.2)]
    predicted = np.bincount(model.predict(x[target]), minlength=10)
    truth = np.bincount(y[target], minlength=10) / len(target)
    found = estimate(outputs(confusion), predicted)
    assert found.identified
    assert np.mean((found.lower <= truth) & (truth <= found.upper)) >= 0.9
    ratio = found.frequencies / (np.bincount(y[held], minlength=10) / len(held))
    assert ratio[4] < 0.5 < ratio[1]
    assert (
        np.abs(found.frequencies - truth).sum()
        < np.abs(np.bincount(y[held], minlength=10) / len(held) - truth).sum()
    )


def test_a_classifier_that_guesses_identifies_nothing():
    found = estimate(outputs(np.full((4, 4), 50)), [400, 200, 200, 200])
    assert not found.identified
    np.testing.assert_array_equal(found.lower, np.zeros(4))
    np.testing.assert_array_equal(found.upper, np.ones(4))
    assert found.frequencies.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.frequencies, 0.25, atol=0.05)  # as in the labelled data


def test_without_shift_nothing_is_changed():
    rng = np.random.default_rng(0)
    confusion = np.diag([900, 600, 300]) + 20
    answers = confusion / confusion.sum()
    for _ in range(20):
        predicted = rng.multinomial(300, answers.sum(axis=0))
        found = estimate(outputs(confusion), predicted)
        before = confusion.sum(axis=1) / confusion.sum()
        assert np.abs(found.frequencies / before - 1).max() < 0.35


def test_a_class_without_labels_stays_open():
    confusion = np.diag([100, 100, 0]) + np.array([[0, 5, 0], [5, 0, 0], [0, 0, 0]])
    found = estimate(outputs(confusion), [50, 150, 0])
    assert found.frequencies[2] == 0
    assert (found.lower[2], found.upper[2]) == (0, 1)


def test_bad_input():
    with pytest.raises(BadInputError, match="there is none"):
        estimate(OutputSummary(), [1, 2])
    with pytest.raises(BadInputError, match="predictions of 2 classes"):
        estimate(outputs(np.eye(2) * 9), [1, 2, 3])
    with pytest.raises(BadInputError, match="0 predictions"):
        estimate(outputs(np.eye(2) * 9), [0, 0])

"""A few wrong labels, recognized by the rank that a model gives to them."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.detection.labels.unlikely import Ranked, unlikely_labels

CLASSES = 10


def ranked(rng, number, right=0.8, wrong=0.0):
    """Returns labels of which a share is wrong; of the others, a share gets the first rank."""
    labels = rng.integers(0, CLASSES, number)
    misses = np.minimum(1 + rng.geometric(0.6, number), 4) - 1
    ranks = np.where(rng.random(number) < right, 0, misses)
    ranks = np.where(rng.random(number) < wrong, rng.integers(1, CLASSES, number), ranks)
    return Ranked(ranks, labels, CLASSES)


def found(current, reference, is_fresh=True):
    return unlikely_labels(current, reference, "validation", "train", is_fresh)


def test_ranks_and_skill():
    probabilities = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    ranks = Ranked.of(probabilities, np.array([1, 1]))
    assert ranks.ranks.tolist() == [0, 2] and ranks.num_classes == 3
    assert Ranked(np.array([0, 0, 1, 0]), np.array([0, 1, 0, 1]), 2).skill == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [0.05, 0.15])
def test_the_share_of_wrong_labels_is_estimated(wrong):
    shares, costs = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        result = found(ranked(rng, 1000, wrong=wrong), ranked(rng, 1000))
        if result is not None:
            finding, cost = result
            shares.append(finding.effect_size)
            costs.append(cost.value)
            assert cost.is_alarm(0.01) and finding.interval[0] < finding.effect_size
    assert len(shares) >= 16
    assert np.mean(shares) == pytest.approx(wrong, rel=0.25)
    assert np.mean(costs) == pytest.approx(0.8 * wrong, rel=0.3)


def test_right_labels_wrong_in_both_and_harder_samples_are_no_finding():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        assert found(ranked(rng, 400), ranked(rng, 1000)) is None
        assert found(ranked(rng, 400, wrong=0.1), ranked(rng, 1000, wrong=0.1)) is None
        # Training is known by heart by half.
        assert found(ranked(rng, 1000, wrong=0.2), ranked(rng, 1000, wrong=0.1)) is None
        assert found(ranked(rng, 1000, right=0.6), ranked(rng, 1000)) is None


def test_a_model_that_has_memorised_training_is_wrong_in_second_choices_first():
    """Its errors on validation have all ranks, but most of them the first."""
    rng = np.random.default_rng(0)
    current = ranked(rng, 1000, right=0.5)
    far = rng.random(1000) < 0.2
    current = Ranked(np.where(far & (current.ranks > 0), 7, current.ranks), current.labels, CLASSES)
    assert found(current, ranked(rng, 1000, right=0.97)) is None


def test_after_the_first_epochs_the_model_must_be_as_often_wrong_on_training():
    rng = np.random.default_rng(0)
    current = ranked(rng, 4000, right=0.8, wrong=0.15)
    assert found(current, ranked(rng, 4000, right=0.8), is_fresh=False) is not None
    memorised = ranked(rng, 4000, right=0.86)
    assert found(current, memorised) is not None
    assert found(current, memorised, is_fresh=False) is None


def test_too_few_classes_or_an_untrained_model_say_nothing():
    rng = np.random.default_rng(0)
    current, reference = ranked(rng, 1000, wrong=0.3), ranked(rng, 1000)
    assert found(current, reference) is not None
    few = [Ranked(np.minimum(each.ranks, 3), each.labels % 4, 4) for each in (current, reference)]
    assert found(*few) is None
    assert found(current, ranked(rng, 1000, right=0.4)) is None
    assert found(ranked(rng, 1000, right=0.4, wrong=0.3), reference) is None


@pytest.mark.backend
def test_wrong_labels_of_validation_are_an_alarm_of_a_fit():
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype("float32"), y.astype("int32")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    wrong = np.where(rng.random(len(y)) < 0.2, (y + rng.integers(1, 10, len(y))) % 10, y)

    def fit(labels, rate=5e-3, epochs=3):
        keras.utils.set_random_seed(0)
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
        )
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
        data = {"validation_data": (x[1000:], labels[1000:].astype("int32")), "verbose": 0}
        model.fit(x[:1000], y[:1000], epochs=epochs, callbacks=[guard], **data)
        return guard.report

    assert not fit(y).shifted
    (finding,) = (f for f in fit(wrong).findings if f.matters)
    assert finding.feature == "labels/concept" and "wrong at random" in finding.explanation
    assert 0.1 < finding.cost < 0.3
    # The same, if the task is learned more slowly.
    assert not fit(y, rate=6e-4, epochs=6).shifted
    (finding,) = (f for f in fit(wrong, rate=6e-4, epochs=6).findings if f.matters)
    assert "wrong at random" in finding.explanation and finding.since > 2


@pytest.mark.parametrize(("classes", "noise"), [(50, 0.0), (10, 0.45)])
def test_a_task_that_is_memorised_before_it_is_learned_has_no_wrong_labels(classes, noise):
    """Weak signals, and as many wrong labels in both streams."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    y = rng.integers(0, classes, 3000)
    x = 0.35 * rng.normal(size=(classes, 30))[y] + rng.normal(size=(3000, 30))
    x = np.hstack([x, rng.normal(size=(3000, 300))]).astype("float32")
    hit = rng.random(3000) < noise
    y = np.where(hit, (y + rng.integers(1, classes, 3000)) % classes, y).astype("int32")
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((330,)), layers.Dense(512, "relu"), layers.Dense(classes, "softmax")]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0)  # a warning would be an error
    model.fit(
        x[:2000], y[:2000], validation_data=(x[2000:], y[2000:]), epochs=3, callbacks=[guard],
        verbose=0,
    )  # fmt: skip
    assert not guard.report.shifted

"""A part of one class with the label of another, recognized by the predictions of a model."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.detection.labels.part_relabelled import Predicted, part_relabelled

CLASSES = 10


def predicted(rng, number, right=0.85, unsure=0.6, relabelled=0.0, exchanged=False):
    """Returns predictions of a model; a share of the samples of class 0 has the label 1."""
    classes = rng.integers(0, CLASSES, number)
    is_right = rng.random(number) < right
    # A mistake is mostly the next class, of which the model is less sure.
    found = np.where(is_right, classes, (classes + rng.integers(1, 4, number)) % CLASSES)
    confidence = np.where(is_right, rng.uniform(0.6, 1, number), rng.uniform(0.3, unsure, number))
    hit = rng.random(number) < relabelled
    labels = np.where(hit & (classes == 0), 1, classes)
    labels = np.where(hit & (classes == 1) & exchanged, 0, labels)
    return Predicted(found, confidence, labels, CLASSES)


def found(current, reference):
    return part_relabelled(current, reference, "validation", "train")


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_share_and_the_cost_are_estimated(share):
    """A third of class 0 is a quarter of the samples with label 1; all of it is a half."""
    shares, costs, covered = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        result = found(predicted(rng, 1000, relabelled=share), predicted(rng, 1000))
        if result is None:
            continue
        finding, cost = result
        assert "with label 1 seem to be of class 0" in finding.explanation
        assert "other way round" not in finding.explanation
        assert finding.family == "relabelled" and cost.is_alarm(0.01)
        shares.append(finding.effect_size)
        costs.append(cost.value)
        covered.append(cost.interval[0] <= 0.85 * share / CLASSES <= cost.interval[1])
    assert len(shares) >= 18
    assert np.mean(shares) == pytest.approx(share / (1 + share), rel=0.1)
    assert np.mean(costs) == pytest.approx(0.85 * share / CLASSES, rel=0.1)
    assert np.mean(covered) >= 0.85


def test_samples_that_belong_together_are_less_evidence():
    rng = np.random.default_rng(0)
    current, reference = predicted(rng, 1000, relabelled=0.4), predicted(rng, 1000)
    assert found(current, reference) is not None
    assert part_relabelled(current, reference, "validation", "train", distinct=0.1) is None


def test_exchanged_labels_cost_twice():
    rng = np.random.default_rng(0)
    finding, cost = found(
        predicted(rng, 2000, relabelled=1.0, exchanged=True), predicted(rng, 2000)
    )
    assert "and others the other way round" in finding.explanation
    assert cost.value == pytest.approx(0.85 * 2 / CLASSES, rel=0.2)


def test_exchanged_labels_are_found_by_a_model_that_knows_training_by_heart():
    """No other fault exchanges the predictions for two classes."""
    rng = np.random.default_rng(0)
    current = predicted(rng, 2000, right=0.8, relabelled=1.0, exchanged=True)
    finding, _ = found(current, predicted(rng, 2000, right=0.99))
    assert "and others the other way round" in finding.explanation


def test_two_classes_that_the_model_cannot_tell_apart_are_not_exchanged():
    """It knows them in training by heart, and guesses in validation."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        current, reference = predicted(rng, 1000), predicted(rng, 1000, right=0.99)
        guessed = np.where(current.classes < 2, rng.integers(0, 2, 1000), current.classes)
        assert (
            found(Predicted(guessed, current.confidence, current.labels, CLASSES), reference)
            is None
        )


def test_one_class_that_is_harder_is_no_exchange_with_a_rare_one():
    """A single sample of the other class says nothing."""
    rng = np.random.default_rng(0)
    current, reference = predicted(rng, 2000), predicted(rng, 2000, right=0.99)
    is_repeated = np.cumsum(current.labels == 0) > 1
    kept = (current.labels != 0) | ~is_repeated
    classes, labels = current.classes[kept], current.labels[kept]
    exchanged = np.where(labels == 1, 0, np.where(labels == 0, 1, classes))
    sure = np.where(labels == 1, 1.0, current.confidence[kept])
    assert found(Predicted(exchanged, sure, labels, CLASSES), reference) is None


def test_right_labels_and_harder_samples_are_no_finding():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        reference = predicted(rng, 1000)
        assert found(predicted(rng, 1000), reference) is None
        assert found(predicted(rng, 1000, right=0.6), reference) is None
        both = predicted(rng, 1000, relabelled=0.3), predicted(rng, 1000, relabelled=0.3)
        assert found(*both) is None


def test_the_model_must_be_as_sure_as_of_other_samples_of_the_class():
    """If one class of validation is harder, its mistakes are less sure."""
    rng = np.random.default_rng(0)
    current, reference = predicted(rng, 2000, relabelled=0.3), predicted(rng, 2000)
    assert found(current, reference) is not None
    taken = (current.labels == 1) & (current.classes == 0)
    unsure = Predicted(
        current.classes, np.where(taken, 0.4, current.confidence), current.labels, CLASSES
    )
    assert found(unsure, reference) is None


def test_a_model_without_mistakes_or_without_a_class_says_nothing():
    rng = np.random.default_rng(0)
    perfect, reference = predicted(rng, 1000, right=1.0), predicted(rng, 1000)
    assert found(perfect, perfect) is None and found(perfect, reference) is None
    kept = reference.labels > 4
    parts = (each[kept] for each in (reference.classes, reference.confidence, reference.labels))
    assert found(predicted(rng, 1000), Predicted(*parts, CLASSES)) is None


def test_a_model_that_knows_training_by_heart_says_nothing():
    rng = np.random.default_rng(0)
    current = predicted(rng, 2000, relabelled=0.3)
    assert found(current, predicted(rng, 2000, right=0.99)) is None


@pytest.mark.backend
def test_a_relabelled_part_of_validation_is_an_alarm_of_a_fit():
    """The class mix changes with it, which is no label shift then."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order].astype("int32")
    wrong = np.where((y == 3) & (rng.random(len(y)) < 0.6), 4, y).astype("int32")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.fit(
        x[:900], y[:900], validation_data=(x[900:], wrong[900:]), epochs=4, callbacks=[guard],
        verbose=0,
    )  # fmt: skip
    (finding,) = (f for f in guard.report.findings if f.matters)
    assert "validation samples with label 4 seem to be of class 3" in finding.explanation
    truth = float(np.mean(y[900:] != wrong[900:]))
    assert finding.cost_interval[0] <= truth <= finding.cost_interval[1]
    assert not [f for f in guard.report.findings if f.kind == "label"]


def test_the_skill_does_not_mind_exchanged_labels():
    labels = np.arange(500) % 5
    sure = np.ones(500)

    def skill(classes):
        return Predicted(np.asarray(classes), sure, labels, 5).skill

    exchanged = np.where(labels < 2, 1 - labels, labels)
    assert skill(labels) == skill(exchanged) == 1.0
    assert skill(np.zeros(500, int)) == 0.0  # one class for all samples
    assert skill(np.random.default_rng(0).integers(0, 5, 500)) < 0.1
    assert 0.7 < skill(np.where(labels == 4, 3, labels)) < 0.8


def test_a_hundred_thousand_classes_need_no_table_of_all_pairs():
    rng, number = np.random.default_rng(0), 100_000
    few = predicted(rng, 4000, relabelled=0.4), predicted(rng, 4000)
    spread = number // CLASSES
    many = [
        Predicted(each.classes * spread, each.confidence, each.labels * spread, number)
        for each in few
    ]
    assert many[0].skill == few[0].skill
    finding, cost = found(*many)
    assert f"samples with label {spread} seem to be of class 0:" in finding.explanation
    assert cost == found(*few)[1]


@pytest.mark.backend
@pytest.mark.parametrize("exchanged", [True, False])
def test_exchanged_labels_of_two_of_four_classes(exchanged):
    rng = np.random.default_rng(0)
    means = 2.0 * rng.normal(size=(4, 8))
    y = rng.integers(0, 4, 3000)
    x = (means[y] + rng.normal(size=(3000, 8))).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "softmax")])
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    wrong = np.where(y[2000:] < 2, 1 - y[2000:], y[2000:]) if exchanged else y[2000:]
    options = {"validation_data": (x[2000:], wrong), "callbacks": [guard], "verbose": 0}
    model.fit(x[:2000], y[:2000], epochs=3, **options)
    assert guard.report.shifted == exchanged
    told = any(words in str(guard.report) for words in ("the other way round", "0 like 1"))
    assert told == exchanged

"""Hints that follow from predictions: what they find, and how rarely they give a false alarm."""

import keras
import lite0
import numpy as np
import photos
import pytest

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.hints.label_hints import check_labels
from keras_shiftguard.preprocessing.hints.remarks import remarks_of_predictions


def classifier(rng, n, classes, accuracy, confidence=None, errors="mixed", per_class=3):
    """Returns outputs of a simulated classifier, calibrated or overconfident, and labels."""
    pool = rng.permutation(classes)[: max(2, min(classes, n // per_class))]
    labels = rng.choice(pool, n)
    confused_with = rng.permutation(classes)
    wrong = {
        # half of the errors go to one class that is similar to the right one, as in real networks
        "mixed": np.where(rng.random(n) < 0.5, confused_with[labels], rng.integers(0, classes, n)),
        # the errors go to the next class on either side, as with ages or ratings
        "neighbour": np.clip(labels + rng.choice([-1, 1], n), 0, classes - 1),
        # the errors go to the same three classes, as of a broken or wrongly fed model
        "collapsed": rng.choice(confused_with[:3], n),
    }[errors]
    predicted = np.where(rng.random(n) < accuracy, labels, wrong)
    p = rng.random((n, classes)) ** 3
    # The right class often has a high probability, even if the prediction is wrong.
    near = rng.random(n) < (0.0 if errors == "collapsed" else 0.7)
    p[near, labels[near]] = np.quantile(p[near], 0.9, axis=1) if near.any() else 0
    p /= p.sum(axis=1, keepdims=True)
    sure = np.clip(rng.normal(confidence or accuracy, 0.15, (n, 1)), 0.05, 0.999)
    p = p * (1 - sure)
    p[np.arange(n), predicted] += sure[:, 0]
    return p, labels


MODELS = {
    "good": {"accuracy": 0.9},
    "mediocre": {"accuracy": 0.6},
    "overconfident": {"accuracy": 0.3, "confidence": 0.9},
    "bad": {"accuracy": 0.05, "confidence": 0.3},
    "bad and sure": {"accuracy": 0.1, "confidence": 0.8, "errors": "neighbour"},
    "ordinal": {"accuracy": 0.4, "confidence": 0.8, "errors": "neighbour"},
    "collapsed": {"accuracy": 0.02, "confidence": 0.9, "errors": "collapsed"},
}


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n", [16, 64, 512])
@pytest.mark.parametrize("classes", [10, 100, 1000])
def test_right_labels_give_no_hint(model, n, classes):
    rng = np.random.default_rng(1)
    draws = 100
    found = sum(
        check_labels(*classifier(rng, n, classes, per_class=1 + i % 5, **MODELS[model])) is not None
        for i in range(draws)
    )
    assert found <= 2, f"{found} of {draws}"


@pytest.mark.parametrize("accuracy", [0.55, 0.7, 0.95])
def test_two_classes_give_no_hint(accuracy):
    rng = np.random.default_rng(2)
    found = [check_labels(*classifier(rng, n, 2, accuracy)) for n in (16, 64, 512) * 20]
    assert found == [None] * 60


CALLS = [(64, 10, 0.9), (64, 1000, 0.6), (512, 100, 0.9)]  # samples, classes, accuracy


def found(probabilities, labels):
    """Returns the name of the hint and its sentence, as one text."""
    hint = check_labels(probabilities, labels)
    return "" if hint is None else f"{hint.name}: {hint.sentence}"


def background(p):
    """Returns the outputs of a model that has a background class in front."""
    return np.concatenate([np.full((len(p), 1), 1e-6), p], axis=1)


def draws(seed, n, classes, accuracy, number=30):
    rng = np.random.default_rng(seed)
    return [classifier(rng, n, classes, accuracy) for _ in range(number)]


@pytest.mark.parametrize(("n", "classes", "accuracy"), CALLS)
def test_a_shift_is_found(n, classes, accuracy):
    calls = draws(3, n, classes, accuracy)
    up = sum("try `y + 1`" in found(background(p), labels) for p, labels in calls)
    # Labels that count from 1 may lie outside of the classes.
    down = sum("`y - 1`" in found(p, labels + 1) for p, labels in calls)
    assert min(up, down) >= 30 * (0.95 if accuracy == 0.9 else 0.75)


@pytest.mark.parametrize(("n", "classes", "accuracy"), [(64, 2, 0.9), *CALLS])
def test_another_order_is_found(n, classes, accuracy):
    order = np.roll(np.arange(classes), classes // 2)
    calls = draws(4, n, classes, accuracy)
    number = sum("labels_other_order" in found(p, order[labels]) for p, labels in calls)
    assert number >= 30 * (0.95 if accuracy == 0.9 else 0.8)


def test_class_names_sorted_as_strings():
    """`image_dataset_from_directory` sorts "10" before "2"."""
    p, labels = classifier(np.random.default_rng(5), 512, 100, 0.8)
    order = np.argsort(np.argsort([str(i) for i in range(100)]))
    text = found(p, order[labels])
    assert "12% of 512 predictions equal the label" in text and "79% are right" in text


@pytest.fixture(scope="module")
def lite():
    images, labels = photos.imagenet_photos()
    model = lite0.build(InputConvention("raw"))
    return model.predict(images.astype("float32"), verbose=0), labels, model, images


@pytest.mark.thorough
def test_real_outputs(lite):
    p, labels, _, _ = lite
    assert (p.argmax(axis=1) == labels).mean() > 0.8
    assert not found(p, labels)
    assert "try `y + 1`" in found(background(p), labels)
    assert "try `y - 1`" in found(p, labels + 1)
    assert "ILSVRC" in found(p, np.random.default_rng(0).permutation(1000)[labels])


@pytest.mark.thorough
def test_real_outputs_of_a_wrongly_fed_network(lite):
    """On wrong scales, BGR, negatives and flipped images accuracy is bad; the labels are right."""
    _, labels, model, images = lite
    raw = images.astype("float32")
    feeds = [raw / 255, raw / 127.5 - 1, raw[..., ::-1], raw - 120, 255 - raw, raw[:, ::-1]]
    for fed in feeds:
        assert check_labels(model.predict(fed, verbose=0), labels) is None


def test_labels_out_of_range():
    p, labels = classifier(np.random.default_rng(7), 100, 10, 0.9)
    outside = found(p, np.where(np.arange(100) < 3, 255, labels))
    assert "3 of 100 labels lie outside of the model's 10 classes" in outside
    assert "count from 1" in found(p, labels + 1) and "count from 1" not in outside


def test_one_hot_labels_are_ids():
    p, labels = classifier(np.random.default_rng(8), 100, 10, 0.9)
    for rows in (np.eye(10)[labels], np.eye(10)[labels] * 0.9 + 0.01, labels[:, None]):
        assert not found(p, rows)
        assert "labels_shifted" in found(background(p), rows)


def test_values_that_are_no_classes_give_no_hint():
    p, labels = classifier(np.random.default_rng(9), 20, 10, 0.9)
    for y in (
        labels + 0.5,
        np.random.default_rng(0).normal(size=(20, 4)),
        np.array(["cat"] * 20),
        np.full(20, np.nan),
        labels[:5],
        np.float32(1.0),
        np.zeros((20, 2, 2)),
    ):
        assert check_labels(p, y) is None


def test_few_and_broken_samples():
    p, labels = classifier(np.random.default_rng(10), 64, 10, 0.9)
    assert check_labels(p[:1], labels[:1]) is None
    assert check_labels(p[:0], labels[:0]) is None
    assert check_labels(p * np.nan, labels) is None
    partly = p.copy()
    partly[::2] = np.nan
    assert check_labels(partly, labels) is None
    assert "`y - 1`" in found(partly, labels + 1)
    assert check_labels(np.ones((64, 1)), labels) is None


@pytest.mark.parametrize(
    ("loss", "names"), [("mse", []), ("binary_crossentropy", ["labels_out_of_range"])]
)
def test_a_regression_gets_no_hints_about_classes(loss, names):
    parts = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts])
    model.compile("sgd", loss)
    x = np.random.default_rng(0).random((20, 8, 8, 3)).astype("float32")
    hints = remarks_of_predictions(model, {"input": x}, "input", np.arange(20))
    assert [hint.name for hint in hints] == names


@pytest.mark.parametrize(("labels", "more"), [(np.zeros(20, int), "only "), (None, "")])
def test_transposed_images(labels, more):
    """A network that is sure of images with a bright upper half is fed them transposed."""
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), dense])
    x = np.random.default_rng(0).random((20, 8, 8, 3)).astype("float32")
    x[:, :4] += 1
    upper = np.repeat([0.1, -0.12], 8 * 4 * 3)
    dense.set_weights([np.stack([upper, np.zeros(8 * 8 * 3)], axis=1), np.zeros(2)])
    assert remarks_of_predictions(model, {"input": x}, "input", labels) == ()
    (hint,) = remarks_of_predictions(model, {"input": np.swapaxes(x, 1, 2)}, "input", labels)
    assert hint.name == "transposed" and f"images {more}when they are" in hint.sentence

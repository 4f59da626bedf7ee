"""Lost information: a place that is the same in all images, and noise; words and costs."""

import keras
import numpy as np
import pytest
from small_fits import dense, digits

from keras_shiftguard.experiments.candidates.candidates import image_candidates
from keras_shiftguard.experiments.candidates.lossy_rows import lossy_texts
from keras_shiftguard.experiments.covered import covered
from keras_shiftguard.experiments.judge import Accuracy
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.lost import push
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import attributes


@pytest.fixture
def images():
    """Training and validation images whose class is in their middle, between empty borders."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    x = 0.3 * rng.random((600, 12, 12, 3))
    x[:, 3:8, 3:8] += 0.7 * labels[:, None, None, None]
    x[:, [0, 11]] = x[:, :, [0, 11]] = 0
    return [Labelled(x[rows], labels[rows]) for rows in (slice(400), slice(400, 600))]


def one_hot(classes):
    return np.eye(2)[np.asarray(classes, int)]


def predict(x):
    """Right for all images; where the middle is empty, class 0."""
    return one_hot(x[:, 3:8, 3:8].mean(axis=(1, 2, 3)) > 0.5)


def with_place(data, rows, columns, value=0.2, noise=0.0):
    x = data.images.copy()
    shape = x[:, rows, columns].shape
    x[:, rows, columns] = value + noise * np.random.default_rng(1).normal(size=shape)
    return Labelled(x, data.labels)


@pytest.mark.parametrize(("value", "noise"), [(0.2, 0.0), (0.4, 0.002)])
def test_a_covered_place_is_named_and_priced(images, value, noise):
    train, validation = images
    current = with_place(validation, slice(3, 8), slice(2, 9), value, noise)
    lost = 1 - (predict(current.images).argmax(1) == current.labels).mean()
    how, cost = covered(predict, current, train, False)
    assert how == "all the same in their rows 3 to 7 and columns 2 to 8, from 0"
    assert cost.interval[0] - 0.05 < lost < cost.interval[1] + 0.05
    # A place with gaps is told by its size.
    parts = with_place(validation, slice(3, 8), slice(3, 6))
    parts = with_place(parts, slice(9, 10), slice(9, 10))
    assert covered(predict, parts, train, False)[0] == "all the same in 11.1 % of their pixels"


def test_images_without_such_a_place_lose_nothing(images):
    train, validation = images
    assert covered(predict, validation, train, False) is None
    assert covered(predict, train, validation, False) is None
    assert covered(predict, with_place(validation, slice(3, 8), slice(3, 8)), None, False) is None


def test_a_place_costs_nothing_if_the_model_does_not_look_there(images):
    train, validation = images
    assert covered(predict, with_place(validation, slice(8, 10), slice(2, 9)), train, False) is None
    # Also if validation is harder for another reason.
    harder = Labelled(validation.images, np.where(np.arange(200) % 3, validation.labels, 0))
    assert covered(predict, with_place(harder, slice(8, 10), slice(2, 9)), train, False) is None


def test_validation_that_is_as_easy_as_training_loses_nothing_by_the_place(images):
    """The model looks there only in training: its images are moved, those of validation are not."""
    train, validation = images
    current = with_place(validation, slice(3, 8), slice(3, 8))

    def as_easy(x):
        return one_hot(validation.labels) if len(x) == len(validation.labels) else predict(x)

    assert covered(predict, current, train, False) is not None
    assert covered(as_easy, current, train, False) is None


def test_a_place_that_is_the_same_in_training_is_no_difference(images):
    train, validation = images
    both = [with_place(validation, slice(3, 8), slice(3, 8), 0.4)]
    both.append(with_place(train, slice(3, 8), slice(3, 8), 0.7))

    def right_on_training(x):
        is_training = len(x) == len(train.labels) and x.max() > 0.6
        return one_hot(train.labels if is_training else np.zeros(len(x)))

    assert covered(right_on_training, *both, False) is None


@pytest.mark.parametrize(
    ("first_row", "value"),
    [(3, 0.0), (0, 0.2)],
    ids=["a hole that shows it", "it reaches the border"],
)
def test_the_background_may_be_elsewhere_in_training(images, first_row, value):
    """In another place of the images, or outside of crops."""
    train, validation = images
    current = with_place(validation, slice(first_row, 8), slice(3, 8), value)
    assert covered(predict, current, train, False) is None


def test_channels_first(images):
    train, validation = images
    current = with_place(validation, slice(3, 8), slice(3, 8))
    last = covered(predict, current, train, False)
    first = [Labelled(np.moveaxis(data.images, 3, 1), data.labels) for data in (current, train)]

    def predict_first(x):
        return predict(np.moveaxis(x, 1, 3))

    assert covered(predict_first, *first, True) == last and last is not None


@pytest.mark.thorough  # in a fit, test_experiments.py has noise with its cost
@pytest.mark.backend
def test_noise_costs_on_training_what_it_costs_on_validation():
    x, y = digits(16)
    keras.utils.set_random_seed(0)
    model = dense((16, 16, 1), hidden=64, rate=1e-3)
    model.fit(x[:1000], y[:1000], epochs=10, verbose=0)
    noise = np.random.default_rng(0).normal(0, 0.25, x[1000:].shape)
    noisy = np.clip(x[1000:] + noise, 0, 1).astype("float32")

    def predict(x):
        return model.predict_on_batch(x)

    def measure(images):
        spec = InputSpec("input", "channels_last", 1, (16, 16))
        return keras.ops.convert_to_numpy(attributes(keras.ops.convert_to_tensor(images), spec))

    # Operations that lose information; the images of training stand for all others.
    candidates = image_candidates(Scale.of(x), ("noise", "blur", "coarsen", "resolution"))
    choice, cost, explained = push(
        predict, x[:1000], y[:1000], noisy, candidates, Accuracy(), measure
    )
    right = [(predict(images).argmax(1) == y[1000:]).mean() for images in (x[1000:], noisy)]
    assert choice.name == "noise" and explained > 0.5
    assert cost.value == pytest.approx(right[0] - right[1], abs=0.1)
    assert push(predict, x[:500], y[:500], x[:500], candidates, Accuracy(), measure) is None


@pytest.mark.parametrize("is_fault", [False, True])
def test_a_vocabulary_of_frequent_words_leaves_words_of_other_texts_out(is_fault):
    """New texts have new words, at most as many as the rare ones of training; a fault has more."""
    rng = np.random.default_rng(0)
    kept = 1000  # of the words, whose ids are by frequency; id 1 stands for the others

    def texts(rows):
        words = 2 + np.minimum(rng.zipf(1.4, (rows, 20)), 100_000)
        return np.where(words > kept, 1, words)

    train, validation = texts(2000), texts(600)
    # Names of other things (3 % of the words), or capital letters that were not lowered (20 %).
    hit = rng.random(validation.shape) < (0.2 if is_fault else 0.03)
    found, _ = lossy_texts(train, np.where(hit, 1, validation))
    assert bool(found) == is_fault, (train == 1).mean()


def test_a_cut_explains_how_few_words_a_hundred_texts_have():
    """Which id became more frequent is chance then, and not counted against the cut."""
    rng = np.random.default_rng(1)

    def texts(rows):
        is_word = np.arange(20) < rng.integers(6, 20, (rows, 1))
        return np.where(is_word, rng.integers(1, 40, is_word.shape), 0)

    train, validation = texts(100), np.where(np.arange(20) < 7, texts(100), 0)
    candidates, measure = lossy_texts(train, validation)
    labels = np.zeros(100, "int64")
    choice, _, explained = push(
        *(
            lambda x: np.ones((len(x), 1)),
            train,
            labels,
            validation,
            candidates,
            Accuracy(),
            measure,
        ),
    )
    assert choice.name == "cut" and choice.strength == 7 and explained > 0.95

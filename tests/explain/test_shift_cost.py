"""The estimated cost of shifts on digits, compared with the true loss of accuracy."""

import keras
import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from keras_shiftguard.explain.labelled import Labelled
from keras_shiftguard.explain.shift_cost import ShiftCost, Visits, cost_of_mix
from keras_shiftguard.instrument.inference import predicted_classes
from keras_shiftguard.instrument.measure import profile


def larger(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


@pytest.fixture(scope="module")
def digits():
    """Training, validation and other digits, 16 x 16, each with labels."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x = larger((x[order] / 16).reshape(-1, 8, 8, 1).astype("float32"))
    return [(x[part], y[order][part]) for part in np.split(np.arange(len(x)), [700, 1200])]


@pytest.fixture(scope="module")
def model(digits):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(*digits[0], epochs=8, batch_size=32, verbose=0)
    return model


def table(x):
    features = profile(x).inputs["input"].features
    moments = features.moments
    return {n: (moments.mean[i], moments.std[i]) for i, n in enumerate(features.names)}


def measured(model, digits, change, first=False):
    """Returns the estimated cost of a change, its cost on other digits, and the `ShiftCost`."""
    (x, y), (vx, vy), (ox, oy) = digits

    def predict(chunks):
        return predicted_classes(model, "input", chunks)

    before, now = table(x), table(change(vx))
    moved = {name: before[name][0] - now[name][0] for name in now}
    unit = {name: now[name][1] for name in now}
    found = ShiftCost(Labelled(change(vx), vy), Labelled(x, y), moved, unit)
    lost = (predict([ox]) == oy).mean() - (predict([change(ox)]) == oy).mean()
    return found.measure(predict, Visits(is_first=first)), float(lost), found


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.clip(x + 0.3, 0, 1),
        pytest.param(
            lambda x: np.clip(x + np.random.default_rng(1).normal(0, 0.5, x.shape), 0, 1),
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["brighter", "noisier"],
)
def test_a_costly_difference_is_priced(model, digits, change):
    cost, lost, _ = measured(model, digits, lambda x: change(x).astype("float32"))
    assert lost > 0.03 and not cost.is_rough
    assert cost.is_alarm(0.01) and 0.6 * lost < cost.value < 1.5 * lost


def test_noise_of_training_that_may_be_augmentation_proves_no_cost(digits):
    """The model is right more often on noisy images, as after training on them."""
    (x, y), (clean, labels), _ = digits
    x, clean = (ndimage.gaussian_filter(images, (0, 1.2, 1.2, 0)) for images in (x, clean))
    rng = np.random.default_rng(1)
    noisy = np.clip(x + rng.normal(0, 0.2, x.shape), 0, 1).astype("float32")

    def predict(chunks):
        images = np.concatenate(chunks)
        known = labels if len(images) == len(labels) else y
        is_noisy = np.abs(np.diff(images[:, :, :3], 2, axis=2)).mean(axis=(1, 2, 3)) > 0.1
        is_right = is_noisy | (np.arange(len(images)) % 5 > 0)
        return np.where(is_right, known, (known + 1) % 10)

    before, now = table(noisy), table(clean)
    moved = {name: before[name][0] - now[name][0] for name in now}
    unit = {name: now[name][1] for name in now}
    found = ShiftCost(Labelled(clean, labels), Labelled(noisy, y), moved, unit)
    assert (predict([noisy]) == y).mean() > (predict([clean]) == labels).mean() + 0.1
    cost = found.measure(predict, Visits(is_unaugmented=True))
    assert cost.is_alarm(0.01) and not cost.is_rough
    assert found.undo.operation == "noise"
    found.by_accuracy = None
    assert found.measure(predict, Visits(is_augmented=True)) is None


@pytest.mark.thorough
def test_what_no_operation_explains_is_told_by_the_accuracies(model, digits):
    cost, lost, found = measured(model, digits, lambda x: np.roll(x, 3, 2), first=True)
    assert cost.is_rough and abs(cost.value - lost) < 0.05  # some overfitting adds to the cost
    later = found.on(found.current)
    assert later.by_accuracy == cost  # the cost measured in the first epoch is kept

    def predict(chunks):
        return predicted_classes(model, "input", chunks)

    assert later.measure(predict, Visits()) == cost
    later.by_accuracy = None
    assert later.measure(predict, Visits()).is_bound
    assert later.measure(predict, Visits(is_augmented=True)) == later.bound  # of the last time
    later.bound = None
    assert later.measure(predict, Visits(is_augmented=True)) is None


@pytest.mark.thorough
def test_a_harmless_difference_is_no_alarm(model, digits):
    for change in (lambda x: np.round(x * 7) / 7, lambda x: x * 0.95):
        cost, lost, _ = measured(model, digits, lambda x, c=change: c(x).astype("float32"))
        assert lost < 0.01 and (cost is None or not cost.is_alarm(0.01))


@pytest.mark.thorough
def test_it_keeps_silent_where_nothing_tells(model, digits):
    (x, y), (vx, vy), others = digits
    few = [(x, y), (vx[:90], vy[:90]), others]
    assert measured(model, few, lambda x: x**3)[0] is None
    config = model.get_config()
    untrained = keras.Sequential.from_config(config)
    assert measured(untrained, digits, lambda x: x**3)[0] is None


def test_another_class_mix():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [100, 300])
    right = rng.random(400) < np.where(labels == 0, 0.9, 0.5)
    cost = cost_of_mix(right, labels, np.array([200, 200]), np.array([100, 300]))
    assert 0.05 < cost.value < 0.15 and cost.interval[0] < 0.1 < cost.interval[1]
    same = cost_of_mix(right, labels, np.array([25, 75]), np.array([100, 300]))
    assert abs(same.value) < 1e-9
    assert cost_of_mix(right, np.ones(400, int), np.array([5, 5]), np.array([0, 9])) is None
    assert cost_of_mix(right[:50], labels[:50], np.array([5, 5]), np.array([5, 5])) is None


@pytest.mark.backend
def test_predictions_leave_the_model_alone(digits):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(1)]
    )
    before = dict(vars(model))
    x = digits[1][0]
    found = predicted_classes(model, "input", [x[:300], x[300:]])
    outputs = keras.ops.convert_to_numpy(model(x, training=False))[:, 0]
    assert np.array_equal(found, outputs > 0)
    assert vars(model).keys() == before.keys()


def test_a_single_column_is_read_as_logits_or_probabilities_for_all_samples():
    """A chunk whose logits all lie in [0, 1] is no chunk of probabilities."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    outputs = np.repeat([[0.3], [-2.0], [0.9]], 128, axis=0).astype("float32")
    for chunks in ([outputs], np.split(outputs, 3)):
        assert np.array_equal(predicted_classes(model, "input", chunks), outputs[:, 0] > 0)
    probabilities = np.abs(outputs) / 2
    probabilities[0] = np.nan  # does not decide for the other samples
    found = predicted_classes(model, "input", [probabilities])
    assert np.array_equal(found, probabilities[:, 0] > 0.5)
    rounded = np.array([[1.0005], [0.3], [0.6]], "float32")  # probabilities, within the tolerance
    assert predicted_classes(model, "input", [rounded]).tolist() == [1, 0, 1]


def test_more_classes_than_are_counted_apart():
    labels = np.repeat([0, 5], [100, 300])  # with two counts, class 5 is counted as class 1
    right = np.random.default_rng(0).random(400) < np.where(labels == 0, 0.9, 0.5)
    cost = cost_of_mix(right, labels, np.array([200, 200]), np.array([100, 300]))
    assert 0.05 < cost.value < 0.15


def test_a_model_that_was_trained_before_knows_its_images_by_heart():
    """For such a model, the difference of the accuracies is only an upper bound of the cost."""
    labels = np.arange(400) % 2
    images = np.zeros((400, 8, 8, 1), "float32")

    def measured(accuracy, was_trained):
        def predict(chunks):
            wrong = np.arange(400) < round(400 * (1 - accuracy))
            return np.where(wrong & (chunks[0] is current.images), 1 - labels, labels)

        current, reference = Labelled(images, labels), Labelled(images.copy(), labels)
        cost = ShiftCost(current, reference, {}, {})
        return cost.measure(predict, Visits(True, was_trained), details=False)

    assert measured(0.9, False).value == pytest.approx(0.1)
    bound = measured(0.9, True)
    assert (
        bound.is_bound
        and not bound.is_alarm(0.01)
        and "at most 13.0 points" in bound.in_words(0.01)
    )
    assert measured(0.995, True).value == pytest.approx(0.005)


def test_a_rough_cost_falls_with_the_difference_of_the_accuracies():
    """Images that were memorized only widen it, so a smaller difference is nearer to the truth."""
    labels = np.arange(400) % 2
    current = Labelled(np.zeros((400, 8, 8, 1), "float32"), labels)
    cost = ShiftCost(current, Labelled(current.images.copy(), labels), {}, {})

    def measured(lost):
        def predict(chunks):
            wrong = np.arange(400) < round(400 * lost)
            return np.where(wrong & (chunks[0] is current.images), 1 - labels, labels)

        return cost.measure(predict, Visits(is_first=first), details=False).value

    first = True
    assert measured(0.1) == pytest.approx(0.1)
    first = False
    assert measured(0.2) == pytest.approx(0.1)
    assert measured(0.04) == pytest.approx(0.04)
    assert measured(0.1) == pytest.approx(0.04)


@pytest.mark.parametrize(("found", "is_early"), [(0, True), (1, True), (8, False)])
def test_a_rare_class_shows_that_a_model_has_learnt(found, is_early):
    """One sample of a hundred is positive; the model predicts 0 but for `found` of 16 samples."""
    labels = np.arange(1600) % 100 == 99
    labels = labels.astype(int)
    predicted = np.zeros(1600, int)
    predicted[np.flatnonzero(labels)[:found]] = 1
    predicted[:20] = 1  # as many false alarms, so that the accuracy is that of a constant
    images = np.zeros((1600, 4, 4, 1), "float32")
    cost = ShiftCost(Labelled(images, labels), None, {}, {})
    cost.measure(lambda chunks: predicted, Visits(is_first=True), details=False)
    assert cost.is_too_early == is_early


def test_a_gap_of_few_known_classes_limits_no_cost():
    """Only three current samples are of classes that the reference has."""
    rng = np.random.default_rng(0)
    images = np.zeros((500, 4, 4, 1), "float32")
    labels = np.where(np.arange(500) < 3, 0, rng.integers(1, 5, 500))
    reference = Labelled(images[:200], np.zeros(200, int))
    cost = ShiftCost(Labelled(images, labels), reference, {}, {})

    def predict(chunks):
        number = sum(map(len, chunks))
        return np.zeros(number, int) if number == 200 else labels

    assert cost.measure(predict, Visits(is_first=True, is_unaugmented=True), details=False) is None


@pytest.mark.thorough
def test_levels_that_harm_are_told_although_augmentation_changes_more(model, digits):
    """Training images have black borders, so that no operation explains the whole difference."""
    (x, y), (vx, vy), _ = digits
    bordered = x.copy()
    bordered[:, :, :3] = bordered[:, :, -3:] = 0

    def predict(chunks):
        return predicted_classes(model, "input", chunks)

    def cost_of_change(change, visits):
        before, now = table(bordered), table(change(vx))
        moved = {name: before[name][0] - now[name][0] for name in now}
        unit = {name: now[name][1] for name in now}
        return ShiftCost(Labelled(change(vx), vy), Labelled(bordered, y), moved, unit).measure(
            predict, visits
        )

    def faded(images):
        return (0.3 * images + 0.35).astype("float32")

    lost = (predict([vx]) == vy).mean() - (predict([faded(vx)]) == vy).mean()
    cost = cost_of_change(faded, Visits(is_augmented=True))
    assert lost > 0.05 and cost.is_alarm(0.01) and 0.5 * lost < cost.value < 1.5 * lost
    right = cost_of_change(lambda images: images, Visits(is_augmented=True))
    assert right is None or not right.is_alarm(0.01)

"""Right fits that must be quiet: validation differs, or is drawn otherwise, but nothing is lost."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, dense, digits, watched

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning


def quiet(*arguments, **options):
    """Fits under a guard that may warn, which would be an error in these tests."""
    return watched(*arguments, on_shift="warn", **options)


def network(units=256, rate=3e-3):
    return dense((30,), 1, units, rate=rate, metrics=["accuracy"])


@pytest.fixture(scope="module")
def data():
    """Rows whose label follows from ten columns; in validation, another column moved."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2100, 30)).astype("float32")
    y = (rng.random(2100) < 1 / (1 + np.exp(-x[:, :10].sum(axis=1)))).astype("int32")
    x[1500:, 29] += 0.8
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


def move_of(guard):
    (found,) = (f for f in guard.report.findings if f.feature == "input/29")
    return found


def test_what_no_operation_repairs_is_a_question(data):
    train, (x, y) = data
    wrong = x.copy()
    wrong[:, :5] = -wrong[:, :5] + 0.5
    found = move_of(quiet(network(), train, (wrong, y), 4))
    assert found.is_question and "cost unclear" in found.cost_words


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["new guard", "initial_epoch", "validation_freq"])
def test_a_trained_model_may_know_its_samples_by_heart(data, how):
    train, validation = data
    model, fit, epochs = network(), {}, 8
    if how == "validation_freq":
        fit["validation_freq"] = 4
    else:
        model.fit(*train, epochs=8, verbose=0)
        if how == "new guard":
            model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", metrics=["accuracy"])
            epochs = 2
        else:
            fit["initial_epoch"] = 6
    guard = quiet(model, train, validation, epochs, fit)
    assert abs(move_of(guard).cost) < 0.02 and not guard.report.shifted


@pytest.fixture(scope="module")
def two_classes():
    """Training and validation rows of two classes."""
    rng = np.random.default_rng(0)
    means = 1.2 * rng.normal(size=(2, 30))
    y = rng.integers(0, 2, 2600)
    x = (means[y] + rng.normal(size=(2600, 30))).astype("float32")
    return (x[:2000], y[:2000]), (x[2000:], y[2000:])


@pytest.mark.backend
def test_exchanged_labels_of_two_classes_are_told(two_classes):
    """With two classes, no test of class means can see it."""
    train, (x, y) = two_classes
    with pytest.warns(ShiftWarning, match="labels 0 and 1 of validation are exchanged"):
        guard = quiet(network(), train, (x, 1 - y), 2)
    (found,) = guard.report.findings
    assert found.kind == "concept" and found.cost > 0.4 and found.since == 1


def test_shuffled_labels_are_told(two_classes):
    train, (x, y) = two_classes
    validation = x, np.random.default_rng(0).permutation(y)
    guard = watched(network(), train, validation, 2)
    assert guard.verdict.state != "fine" and guard.gap.rows[0].kind in ("labels", "unexplained")


def rows_of_subjects(rng, means, subjects, rows=20):
    """Returns shuffled rows of subjects, each with two of eight classes."""
    x, y = [], []
    for _ in range(subjects):
        for label in rng.choice(len(means), 2, replace=False):
            middle = means[label] + rng.normal(size=means.shape[1])
            x.append(middle + 0.4 * rng.normal(size=(rows, means.shape[1])))
            y.append(np.full(rows, label))
    order = rng.permutation(2 * rows * subjects)
    return np.concatenate(x)[order].astype("float32"), np.concatenate(y)[order].astype("int32")


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 4])
def test_other_subjects_of_a_table_are_no_fault(seed):
    """Columns and classes differ by chance, and the model knows the subjects of training."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(8, 20))
    train, validation = rows_of_subjects(rng, means, 60), rows_of_subjects(rng, means, 20)

    def fit(x, on_shift="warn"):
        keras.utils.set_random_seed(seed)
        stack = layers.Dense(64, "relu"), layers.Dense(8, "softmax")
        model = compiled((20,), *stack, rate=3e-3, metrics=["accuracy"])
        return watched(model, train, (x, validation[1]), 4, on_shift=on_shift).report

    quiet = fit(validation[0])  # a warning would be an error
    assert quiet.findings and not quiet.shifted
    moved = validation[0].copy()
    moved[:, :6] += 2 * moved[:, :6].std(axis=0)
    assert fit(moved, "ignore").shifted


class Batches(keras.utils.PyDataset):
    """Batches that a function of number and epoch returns."""

    def __init__(self, number, batch):
        super().__init__()
        self.number, self.batch, self.epoch = number, batch, 0

    def __len__(self):
        return self.number

    def __getitem__(self, i):
        return self.batch(i, self.epoch)

    def on_epoch_end(self):
        self.epoch += 1


def test_training_on_crops_and_validation_on_whole_images():
    """A network that removes noise; its input has no fixed size."""
    rng, x = np.random.default_rng(0), digits(32)[0][:800]

    def noisy(x):
        return x + 0.1 * rng.normal(size=x.shape).astype("float32"), x

    def crops(i, epoch):
        row, column = rng.integers(0, 17, 2)
        return noisy(x[50 * i : 50 * i + 50, row : row + 16, column : column + 16])

    model = compiled((None, None, 1), layers.Conv2D(1, 3, padding="same"), loss="mse")
    guard = quiet(model, Batches(12, crops), noisy(x[600:]), 2)
    (size,) = (f for f in guard.report.findings if f.family == "resolution")
    assert size.is_question and "32 x 32 against 16 x 16" in size.explanation


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow takes images of one size"
)
def test_training_images_may_grow():
    """Progressive resizing: the network takes images of any size."""
    x, y = (each[:900] for each in digits(24))

    def growing(i, epoch):
        part, step = slice(30 * i, 30 * i + 30), 2 if epoch < 2 else 1
        return x[part, ::step, ::step], y[part]

    convolution, pooling = layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D()
    model = compiled((None, None, 1), convolution, pooling, layers.Dense(10, "softmax"))
    report = quiet(model, Batches(20, growing), (x[600:], y[600:]), 4).report
    sizes = [f for f in report.findings if f.family == "resolution"]
    assert "the first epoch" in {f.against for f in sizes} and not report.shifted


def windows(seed, length=24, num_steps=1600):
    """Returns overlapping windows of an autoregressive series, with the value that follows each."""
    rng = np.random.default_rng(seed)
    noise, series = rng.normal(size=num_steps), np.zeros(num_steps)
    for t in range(1, num_steps):
        series[t] = 0.5 * series[t - 1] + noise[t]
    x = np.lib.stride_tricks.sliding_window_view(series, length)[:-1, :, None]
    return x.astype("float32"), series[length:].astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize(("seed", "factor"), [(0, 1), (1, 3)])
def test_overlapping_windows_of_a_series(seed, factor):
    """Few windows are independent, and gross differences are found all the same."""
    x, y = windows(seed)
    pooling = layers.GlobalAveragePooling1D()
    model = compiled((24, 1), pooling, layers.Dense(1), loss="mse", rate=1e-3)
    report = watched(model, (x[:1150], y[:1150]), (factor * x[1150:], y[1150:]), 1).report
    assert bool(report.findings) == (factor == 3)
    assert not report.shifted or factor == 3
    assert "overlapping windows of a series" in str(report)


def test_a_model_with_a_loss_of_its_own_has_no_costs():
    """A model of three inputs, without labels, whose outputs are not known beforehand."""

    class Triplet(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed = layers.Dense(4)

        def call(self, inputs):
            a, near, far = (self.embed(x) for x in inputs)
            apart = [keras.ops.sum((a - x) ** 2, axis=-1) for x in (near, far)]
            self.add_loss(keras.ops.mean(keras.ops.relu(apart[0] - apart[1] + 1.0)))
            return a

    x = np.random.default_rng(0).normal(size=(3, 320, 6)).astype("float32")
    model = Triplet()
    model.compile("adam")
    train, validation = ([each[part] for each in x] for part in (slice(240), slice(240, None)))
    quiet(model, (train,), (validation,), 2)


@pytest.mark.backend
@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_model_remembers_that_its_training_was_augmented(is_augmented, tmp_path):
    """Data without augmentation differ from augmented training data; another scale is a fault."""
    x, y = digits(24)
    rng, other = np.random.default_rng(0), x[1200:]

    def training(i, epoch):
        part = slice(50 * i, 50 * i + 50)
        noise = rng.normal(0, 0.15 * is_augmented, x[part].shape)
        return np.clip(x[part] + noise, 0, 1).astype("float32"), y[part]

    model = compiled((24, 24, 1), layers.Flatten(), layers.Dense(10, "softmax"), rate=1e-3)
    path = tmp_path / "model.keras"
    model.save(path)
    guard = watched(model, Batches(24, training), epochs=2, attach_to=path)
    stored = sg.InputProfile.load(path)
    assert stored.augmented == guard.profiles["train"].augmented == is_augmented
    assert ("augmented" in stored.tree()) == is_augmented  # earlier versions read the others
    assert (stored + sg.profile(other)).augmented == is_augmented
    right, noisy = sg.compare(path, other), sg.compare(other, stored)
    assert not right.shifted and not noisy.shifted
    assert any(note.startswith("reference is augmented") for note in right.notes) == is_augmented
    assert any(note.startswith("current is augmented") for note in noisy.notes) == is_augmented
    assert sg.compare(path, 255 * other).shifted


@pytest.mark.backend
def test_training_with_as_many_samples_of_each_class_is_right():
    """The frequent class was undersampled in training, and validation has the natural mix."""
    rng = np.random.default_rng(0)
    y = (rng.random(6000) < 0.1).astype("int32")
    x = (rng.normal(size=(6000, 30)) + 0.5 * y[:, None]).astype("float32")
    rare, frequent = (np.flatnonzero(y[:5000] == label) for label in (1, 0))
    chosen = rng.permutation(np.r_[rare, frequent[: len(rare)]])
    guard = quiet(network(16, 1e-2), (x[chosen], y[chosen]), (x[5000:], y[5000:]), 4)
    assert not guard.report.shifted


def test_pairs_of_the_same_images_are_no_fault():
    """Siamese networks see each image in several pairs."""
    rng, (x, y) = np.random.default_rng(0), digits()

    def pairs(which, number):
        first, second = (rng.choice(which, number) for _ in range(2))
        return [x[first], x[second]], (y[first] == y[second]).astype("float32")

    inputs = [keras.Input((8, 8, 1), name=name) for name in ("one", "other")]
    embed = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(8)])
    distance = keras.ops.abs(embed(inputs[0]) - embed(inputs[1]))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(distance))
    model.compile("adam", "binary_crossentropy")
    train, validation = pairs(np.arange(1300), 1000), pairs(np.arange(1300, 1797), 500)
    assert not quiet(model, train, validation, 2).report.shifted


def test_wrong_labels_are_an_alarm_if_only_the_last_weights_can_show_them():
    """The model learns nothing in the first epoch, so the first look at labels finds nothing."""
    rng = np.random.default_rng(0)
    means, y = 3 * rng.normal(size=(6, 20)), rng.integers(0, 6, 2600)
    x = (means[y] + rng.normal(size=(2600, 20))).astype("float32")
    wrong = np.asarray([1, 0, 2, 3, 4, 5])[y[2000:]]
    late = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-2 * (epoch > 0))
    model = compiled((20,), layers.Dense(6, "softmax"), metrics=["accuracy"])
    train, validation = (x[:2000], y[:2000]), (x[2000:], wrong)
    verdict = watched(model, train, validation, 2, {"callbacks": [late]}).verdict
    assert verdict.state == "act" and "labels 0 and 1 of validation are exchanged" in verdict.cause

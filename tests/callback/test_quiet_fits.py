"""Right fits that must be quiet: validation differs, or is drawn otherwise, but nothing is lost."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning


def table(rng, size, moved=0.0, slope=1.0):
    """Returns rows whose label follows from ten columns; the last column is not used.

    Args:
        moved: How far the unused column moves.
        slope: How well the label follows; at 0.1 the best accuracy is about 60 %.
    """
    x = rng.normal(size=(size, 30))
    y = rng.random(size) < 1 / (1 + np.exp(-slope * x[:, :10].sum(axis=1)))
    x[:, 29] += moved
    return x.astype("float32"), y.astype("int32")


def network(units=256, rate=3e-3):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((30,)), layers.Dense(units, "relu"), layers.Dense(1, "sigmoid")]
    )
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return table(rng, 1500), table(rng, 1000, moved=0.8)


def quiet_guard():
    return sg.ShiftGuard(verbose=0)  # in these tests, a warning would be an error


def move_of(guard):
    (found,) = (f for f in guard.report.findings if f.feature == "input/29")
    return found


@pytest.mark.thorough
@pytest.mark.backend
def test_a_second_fit_with_the_same_guard_is_as_quiet_as_the_first(data):
    train, validation = data
    model, guard = network(), quiet_guard()
    model.fit(*train, validation_data=validation, epochs=8, callbacks=[guard], verbose=0)
    model.evaluate(*validation, callbacks=[guard], verbose=0)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    model.fit(*train, validation_data=validation, epochs=2, callbacks=[guard], verbose=0)
    assert abs(move_of(guard).cost) < 0.02 and not guard.report.shifted


def test_what_no_operation_repairs_is_a_question(data):
    train, validation = data
    model, guard = network(), quiet_guard()
    wrong = validation[0].copy()
    wrong[:, :5] = -wrong[:, :5] + 0.5
    others = wrong, validation[1]
    model.fit(*train, validation_data=others, epochs=4, callbacks=[guard], verbose=0)
    found = move_of(guard)
    assert found.is_question and "cost unclear" in found.cost_words


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["new guard", "initial_epoch", "validation_freq"])
def test_a_trained_model_may_know_its_samples_by_heart(data, how):
    train, validation = data
    model, guard = network(), quiet_guard()
    options = {"callbacks": [guard], "epochs": 8, "validation_data": validation, "verbose": 0}
    if how == "validation_freq":
        options["validation_freq"] = 4
    else:
        model.fit(*train, epochs=8, verbose=0)
        if how == "new guard":
            model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", metrics=["accuracy"])
            options["epochs"] = 2
        else:
            options |= {"initial_epoch": 6}
    model.fit(*train, **options)
    assert abs(move_of(guard).cost) < 0.02 and not guard.report.shifted


@pytest.mark.thorough
def test_an_epoch_of_several_passes_is_no_first_visit(data):
    (x, y), validation = data

    class Repeated(keras.utils.PyDataset):
        def __len__(self):
            return 3 * 47

        def __getitem__(self, i):
            rows = np.random.default_rng(i // 47).permutation(1500)[i % 47 * 32 :][:32]
            return x[rows], y[rows]

    guard = quiet_guard()
    network().fit(
        Repeated(workers=0), validation_data=validation, epochs=2, callbacks=[guard], verbose=0
    )
    assert not guard.report.shifted


@pytest.mark.thorough
def test_a_task_that_cannot_be_learnt_well_is_quiet_to_the_end():
    rng = np.random.default_rng(0)
    train, validation = table(rng, 6000, slope=0.1), table(rng, 3000, moved=0.5, slope=0.1)
    guard = sg.ShiftGuard(verbose=0, on_shift="raise")
    network(8, 1e-3).fit(*train, validation_data=validation, epochs=3, callbacks=[guard], verbose=0)
    assert move_of(guard).cost is not None and guard.report.findings


@pytest.mark.thorough
def test_a_model_that_memorises_rare_words_at_once():
    """Validation texts are longer; the model learns a rare word when it sees it first."""
    rng = np.random.default_rng(0)
    words = 20000
    common = 1 / np.arange(1, words)
    tilt = 0.25 * rng.normal(size=words - 1)
    shares = [common * np.exp(sign * tilt) for sign in (1, -1)]

    def texts(number, shortest, longest):
        labels = rng.integers(0, 2, number)
        x = np.zeros((number, 200), "int32")
        for row, label in zip(x, labels, strict=True):
            length = rng.integers(shortest, longest)
            share = shares[label] / shares[label].sum()
            row[:length] = 1 + rng.choice(words - 1, length, p=share)
        return x, labels

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((200,), dtype="int32"),
            layers.Embedding(words, 32),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    guard = quiet_guard()
    train, validation = texts(3000, 40, 160), texts(1000, 60, 190)
    model.fit(*train, batch_size=16, validation_data=validation, callbacks=[guard], verbose=0)
    (found,) = (f for f in guard.report.findings if f.feature == "input/length")
    assert found.is_question and "no repair is known" in found.cost_words


def classes(rng, means, size):
    y = rng.integers(0, len(means), size)
    return (means[y] + rng.normal(size=(size, means.shape[1]))).astype("float32"), y


@pytest.mark.thorough
def test_swapped_values_are_no_wrong_labels():
    """A quarter of the values come from another row, a usual augmentation of tables."""
    rng = np.random.default_rng(0)
    means = 1.5 * rng.normal(size=(6, 20))
    (x, y), validation = classes(rng, means, 3000), classes(rng, means, 1000)

    class Swapped(keras.utils.PyDataset):
        def __len__(self):
            return 46

        def __getitem__(self, i):
            rows = np.arange(64 * i, 64 * i + 64)
            other = x[rng.integers(0, len(x), (64, 20)), np.arange(20)]
            return np.where(rng.random((64, 20)) < 0.25, other, x[rows]), y[rows]

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((20,)), layers.Dense(64, "relu"), layers.Dense(6, "softmax")]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    guard = quiet_guard()
    options = {"validation_data": validation, "epochs": 3, "callbacks": [guard], "verbose": 0}
    model.fit(Swapped(workers=0), **options)
    assert not guard.report.shifted and not any(f.kind == "concept" for f in guard.report.findings)


@pytest.mark.backend
def test_exchanged_labels_of_two_classes_are_told():
    """With two classes, no test of class means can see it."""
    rng = np.random.default_rng(0)
    means = 1.2 * rng.normal(size=(2, 30))
    train, (x, y) = classes(rng, means, 2000), classes(rng, means, 600)
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(ShiftWarning, match="label 0 looks like class 1, 1 looks like class 0"):
        network().fit(*train, validation_data=(x, 1 - y), epochs=2, callbacks=[guard], verbose=0)
    (found,) = guard.report.findings
    assert found.kind == "concept" and found.cost > 0.4 and found.since == 1


def test_shuffled_labels_are_a_note():
    """Training samples that belong together, as of one patient, would look the same."""
    rng = np.random.default_rng(0)
    means = 1.2 * rng.normal(size=(2, 30))
    train, (x, y) = classes(rng, means, 2000), classes(rng, means, 600)
    guard, y = quiet_guard(), rng.permutation(y)
    network().fit(*train, validation_data=(x, y), epochs=2, callbacks=[guard], verbose=0)
    assert not guard.report.findings
    (note,) = guard.report.notes
    assert "do not seem to belong together" in note and "of one patient" in note


@pytest.mark.thorough
def test_a_subject_split_is_no_fault():
    """The model knows each subject of training by its other rows, and none of validation."""
    rng = np.random.default_rng(0)

    def subjects(number, rows):
        centres = rng.normal(size=(number, 30))
        labels = rng.integers(0, 2, number)
        who = rng.permutation(np.repeat(np.arange(number), rows))
        x = centres[who] + 0.1 * rng.normal(size=(len(who), 30))
        return x.astype("float32"), labels[who]

    guard = quiet_guard()
    train, validation = subjects(60, 60), subjects(600, 1)
    network().fit(*train, validation_data=validation, epochs=2, callbacks=[guard], verbose=0)
    assert guard.report.findings and not guard.report.shifted


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


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_columns_in_reverse_order_are_a_fault(seed):
    """Nearly all columns moved, so replacing them can cost no more than is lost anyway."""
    rng = np.random.default_rng(seed)
    means = 2 * rng.normal(size=(8, 12))
    (x, y), (other, labels) = (rows_of_subjects(rng, means, n, rows=1) for n in (1200, 400))
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(64, "relu"), layers.Dense(8, "softmax")]
    )
    model.compile(
        keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    data = {"validation_data": (other[:, ::-1].copy(), labels), "callbacks": [guard]}
    model.fit(x, y, epochs=2, verbose=0, **data)
    assert guard.report.shifted and max(f.cost or 0 for f in guard.report.findings) > 0.5


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 4])
def test_other_subjects_of_a_table_are_no_fault(seed):
    """Columns and classes differ by chance, and the model knows the subjects of training."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(8, 20))
    train, validation = rows_of_subjects(rng, means, 60), rows_of_subjects(rng, means, 20)

    def fit(x, on_shift="warn"):
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((20,)), layers.Dense(64, "relu"), layers.Dense(8, "softmax")]
        )
        model.compile(
            keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        guard = sg.ShiftGuard(verbose=0, on_shift=on_shift)
        model.fit(
            *train, validation_data=(x, validation[1]), epochs=4, callbacks=[guard], verbose=0
        )
        return guard.report

    quiet = fit(validation[0])  # a warning would be an error
    assert quiet.findings and not quiet.shifted
    moved = validation[0].copy()
    moved[:, :6] += 2 * moved[:, :6].std(axis=0)
    assert fit(moved, "ignore").shifted


@pytest.mark.thorough
def test_a_trained_head_on_a_moved_table_is_quiet():
    rng = np.random.default_rng(0)
    train, validation = table(rng, 1500, slope=0.2), table(rng, 1000, moved=0.8, slope=0.2)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            *(keras.Input((30,)), layers.Dense(512, "relu", use_bias=False)),
            layers.Dense(1, "sigmoid", use_bias=False),
        ]
    )
    options = {"loss": "binary_crossentropy", "metrics": ["accuracy"]}
    model.compile(keras.optimizers.Adam(3e-3), **options)
    model.fit(*train, epochs=40, verbose=0)
    model.compile(keras.optimizers.Adam(1e-4), **options)
    guard = quiet_guard()
    model.fit(*train, validation_data=validation, callbacks=[guard], verbose=0)
    assert not guard.report.shifted


@pytest.mark.backend
def test_a_column_in_another_unit_is_told_with_its_cost_in_a_second_fit(data):
    """The model knows the training rows by heart, so only undoing the shift tells what it costs."""
    (x, y), (other, labels) = data
    model = network()
    model.fit(x, y, epochs=8, verbose=0)
    wrong = other.copy()
    wrong[:, :3] += 1.5
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.fit(x, y, validation_data=(wrong, labels), callbacks=[guard], verbose=0)
    alarms = [f for f in guard.report.findings if f.matters]
    right, least = (model.evaluate(each, labels, verbose=0)[1] for each in (other, wrong))
    features = {"input/0", "input/1", "input/2"}
    assert features <= {f.feature for f in guard.report.findings}
    assert alarms[0].feature in features and alarms[0].cost == pytest.approx(
        right - least, abs=0.05
    )


@pytest.mark.thorough
def test_one_epoch_of_an_augmented_regression_is_a_question():
    """No second epoch will show that training is augmented, and one epoch teaches little."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = load_digits().images[:900, ..., None].astype("float32") / 16
    x = x.repeat(4, axis=1).repeat(4, axis=2)
    turned = keras.Sequential([layers.RandomRotation(0.02), layers.RandomZoom(0.05)])

    class Augmented(keras.utils.PyDataset):
        def __len__(self):
            return 12

        def __getitem__(self, i):
            part = x[50 * i : 50 * i + 50]
            after = keras.ops.convert_to_numpy(turned(part, training=True))
            return after, part.mean((1, 2, 3))

    model = keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    validation = x[600:], x[600:].mean((1, 2, 3))
    model.fit(Augmented(workers=0), validation_data=validation, callbacks=[guard], verbose=0)
    assert any(f.is_question for f in guard.report.findings)
    assert not guard.report.shifted


def test_training_on_crops_and_validation_on_whole_images():
    """A network that removes noise; its input has no fixed size."""
    layers = keras.layers
    rng = np.random.default_rng(0)
    x = load_digits().images[:800, ..., None].astype("float32") / 16
    x = x.repeat(4, axis=1).repeat(4, axis=2)

    class Crops(keras.utils.PyDataset):
        def __len__(self):
            return 12

        def __getitem__(self, i):
            row, column = rng.integers(0, 17, 2)
            part = x[50 * i : 50 * i + 50, row : row + 16, column : column + 16]
            return part + 0.1 * rng.normal(size=part.shape).astype("float32"), part

    validation = x[600:] + 0.1 * rng.normal(size=x[600:].shape).astype("float32"), x[600:]
    model = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(1, 3, padding="same")])
    model.compile("adam", "mse")
    guard = quiet_guard()
    options = {"validation_data": validation, "callbacks": [guard], "verbose": 0}
    model.fit(Crops(workers=0), epochs=2, **options)
    (size,) = (f for f in guard.report.findings if f.family == "resolution")
    assert size.is_question and "32 x 32 against 16 x 16" in size.explanation


def windows(seed, length=24, num_steps=1600):
    """Returns overlapping windows of an autoregressive series, with the value that follows each."""
    rng = np.random.default_rng(seed)
    noise, series = rng.normal(size=num_steps), np.zeros(num_steps)
    for t in range(1, num_steps):
        series[t] = 0.5 * series[t - 1] + noise[t]
    x = np.lib.stride_tricks.sliding_window_view(series, length)[:-1, :, None]
    return x.astype("float32"), series[length:].astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize(
    ("seed", "factor"),
    [
        *((0, 1), (0, 0.01), (1, 3)),
        *(pytest.param(seed, 1, marks=pytest.mark.thorough) for seed in (1, 2)),
    ],
)
def test_overlapping_windows_of_a_series(seed, factor):
    """Few windows are independent, and gross differences are found all the same."""
    x, y = windows(seed)
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((24, 1)), layers.GlobalAveragePooling1D(), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    validation = factor * x[1150:], y[1150:]
    model.fit(x[:1150], y[:1150], validation_data=validation, callbacks=[guard], verbose=0)
    # A model that has learned nothing loses nothing by a factor of 0.01: that is a question.
    assert bool(guard.report.findings) == (factor != 1)
    assert not guard.report.shifted or factor == 3
    assert "overlapping windows of a series" in str(guard.report)


def test_a_model_with_a_loss_of_its_own_has_no_costs():
    """A model of three inputs, without labels, whose outputs are not known beforehand."""

    class Triplet(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed = keras.layers.Dense(4)

        def call(self, inputs):
            a, near, far = (self.embed(x) for x in inputs)
            apart = [keras.ops.sum((a - x) ** 2, axis=-1) for x in (near, far)]
            self.add_loss(keras.ops.mean(keras.ops.relu(apart[0] - apart[1] + 1.0)))
            return a

    x = np.random.default_rng(0).normal(size=(3, 320, 6)).astype("float32")
    model = Triplet()
    model.compile("adam")
    train, validation = ([each[part] for each in x] for part in (slice(240), slice(240, None)))
    model.fit(train, validation_data=(validation,), epochs=2, callbacks=[quiet_guard()], verbose=0)


@pytest.mark.backend
@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_model_remembers_that_its_training_was_augmented(is_augmented, tmp_path):
    """Data without augmentation differ from augmented training data; another scale is a fault."""
    digits, order = load_digits(), np.random.default_rng(0).permutation(1797)
    x, y = digits.images[order, ..., None].astype("float32") / 16, digits.target[order]
    x = x.repeat(3, axis=1).repeat(3, axis=2)
    train, other = x[:1200], x[1200:]

    class Training(keras.utils.PyDataset):
        rng = np.random.default_rng(0)

        def __len__(self):
            return 24

        def __getitem__(self, i):
            part = train[50 * i : 50 * i + 50]
            noise = self.rng.normal(0, 0.15 * is_augmented, part.shape)
            noisy = np.clip(part + noise, 0, 1).astype("float32")
            return noisy, y[50 * i : 50 * i + 50]

    model = keras.Sequential(
        [keras.Input((24, 24, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    path = tmp_path / "model.keras"
    model.save(path)
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore", attach_to=path)
    model.fit(Training(workers=0), epochs=2, callbacks=[guard], verbose=0)
    stored = sg.InputProfile.load(path)
    assert stored.augmented == guard.profiles["train"].augmented == is_augmented
    assert ("augmented" in stored.tree()) == is_augmented  # earlier versions read the others
    assert (stored + sg.profile(other)).augmented == is_augmented
    right, noisy = sg.compare(path, other), sg.compare(other, stored)
    assert not right.shifted and not noisy.shifted
    assert any(note.startswith("reference is augmented") for note in right.notes) == is_augmented
    assert any(note.startswith("current is augmented") for note in noisy.notes) == is_augmented
    assert sg.compare(path, 255 * other).shifted


def rare(rng, size):
    """Returns rows of which a tenth is of class 1."""
    y = (rng.random(size) < 0.1).astype("int32")
    return (rng.normal(size=(size, 30)) + 0.5 * y[:, None]).astype("float32"), y


@pytest.mark.backend
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (1, 2))]
)
def test_training_with_as_many_samples_of_each_class_is_right(seed):
    """The frequent class was undersampled in training, and validation has the natural mix."""
    rng = np.random.default_rng(seed)
    x, y = rare(rng, 5000)
    validation = rare(rng, 1000)
    few = int(y.sum())
    chosen = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:few]]
    chosen = rng.permutation(chosen)
    guard, model = quiet_guard(), network(units=16, rate=1e-2)
    options = {"epochs": 4, "validation_data": validation, "callbacks": [guard], "verbose": 0}
    model.fit(x[chosen], y[chosen], **options)
    assert not guard.report.shifted


def test_a_classifier_may_be_trained_on_smaller_images():
    """A little larger images at test time make a network with global pooling more accurate."""
    layers, rng = keras.layers, np.random.default_rng(0)
    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8, 1) / 16).astype("float32").repeat(3, axis=1).repeat(3, axis=2)
    found = []
    for small, large in ((20, 24), (24, 20)):
        keras.utils.set_random_seed(0)
        convolution = layers.Conv2D(8, 3, activation="relu")
        pooling, head = layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax")
        model = keras.Sequential([keras.Input((None, None, 1)), convolution, pooling, head])
        model.compile("adam", "sparse_categorical_crossentropy")
        guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
        cut = rng.integers(0, 5)
        train, validation = x[:900, :small, :small], x[900:, :large, :large]
        options = {"validation_data": (validation, y[900:]), "callbacks": [guard], "verbose": 0}
        model.fit(np.roll(train, cut, axis=1), y[:900], epochs=2, **options)
        found += [f for f in guard.report.findings if f.family == "resolution"]
    assert len(found) == 2 and all(f.is_question for f in found)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow takes images of one size"
)
def test_training_images_may_grow():
    """Progressive resizing: the network takes images of any size."""
    layers = keras.layers
    x, y = load_digits(return_X_y=True)
    x = (x[:900].reshape(-1, 8, 8, 1) / 16).astype("float32").repeat(3, axis=1).repeat(3, axis=2)

    class Growing(keras.utils.PyDataset):
        epochs = 0

        def __len__(self):
            return 20

        def __getitem__(self, i):
            part, step = slice(30 * i, 30 * i + 30), 2 if self.epochs < 2 else 1
            return x[part, ::step, ::step], y[part]

        def on_epoch_end(self):
            self.epochs += 1

    pooling = layers.GlobalAveragePooling2D()
    head = [layers.Conv2D(8, 3, activation="relu"), pooling, layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((None, None, 1)), *head])
    model.compile("adam", "sparse_categorical_crossentropy")
    guard = quiet_guard()
    options = {"validation_data": (x[600:], y[600:900]), "callbacks": [guard], "verbose": 0}
    model.fit(Growing(), epochs=4, **options)
    sizes = [f for f in guard.report.findings if f.family == "resolution"]
    assert "the first epoch" in {f.against for f in sizes} and not guard.report.shifted


def test_pairs_of_the_same_images_are_no_fault():
    """Siamese networks see each image in several pairs."""
    layers, rng = keras.layers, np.random.default_rng(0)
    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8, 1) / 16).astype("float32")
    order = rng.permutation(len(x))

    def pairs(which, number):
        first, second = (rng.choice(which, number) for _ in range(2))
        return [x[first], x[second]], (y[first] == y[second]).astype("float32")

    inputs = [keras.Input((8, 8, 1), name=name) for name in ("one", "other")]
    embed = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(8)])
    distance = keras.ops.abs(embed(inputs[0]) - embed(inputs[1]))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(distance))
    model.compile("adam", "binary_crossentropy")
    guard = quiet_guard()
    train, validation = pairs(order[:1300], 2000), pairs(order[1300:], 800)
    model.fit(*train, validation_data=validation, epochs=2, callbacks=[guard], verbose=0)
    assert not guard.report.shifted

"""All kinds of data that `fit` accepts give the same batches."""

import keras
import numpy as np
import pytest

import keras_shiftguard.io.source
from keras_shiftguard import BadInputError, compare, profile
from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard.io.source import open_source

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).random((50, 6, 6, 3)).astype("float32")
Y = np.arange(50) % 3
W = np.linspace(0.1, 1, 50)


class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        part = slice(10 * index, 10 * index + 10)
        return X[part], Y[part]


class Numbered(keras.utils.PyDataset):
    """A dataset that has its length in `num_batches`, as Keras requires."""

    num_batches = 5

    def __getitem__(self, index):
        return Pairs()[index]


class Endless(Numbered):
    num_batches = None


class Lists(Pairs):
    """A dataset that gives lists, which `fit` reads like tuples."""

    def __getitem__(self, index):
        return list(super().__getitem__(index))


class Flow:
    """A sequence that iterates without end, as the flows of the legacy ImageDataGenerator do."""

    __len__, __getitem__ = Pairs.__len__, Pairs.__getitem__

    def __iter__(self):
        while True:
            yield self[0]


def tf_dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)


def torch_loader():
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(pairs, batch_size=10)


KINDS = {
    "array": lambda: X,
    "tensor": lambda: keras.ops.convert_to_tensor(X),
    "x": lambda: (X,),
    "x, y": lambda: (X, Y),
    "x, y, w": lambda: (X, Y, W),
    "PyDataset": Pairs,
    "numbered PyDataset": Numbered,
    "PyDataset of lists": Lists,
    "flow": Flow,
    "generator": lambda: (Pairs()[i] for i in range(5)),
    "generator function": lambda: lambda: (Pairs()[i] for i in range(5)),
    "list of batches": lambda: [(X[:20], Y[:20]), (X[20:], Y[20:])],
    "tf.data": tf_dataset,
    "DataLoader": torch_loader,
}


@pytest.mark.each_backend
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind):
    inputs, labels = open_source(KINDS[kind]()).first_samples(1000)
    np.testing.assert_array_equal(inputs["input"], X)
    if kind not in ("array", "tensor", "x"):
        np.testing.assert_array_equal(labels, Y)
    summary = profile(KINDS[kind]()).inputs["input"]
    assert summary.num_samples == 50
    np.testing.assert_allclose(summary.mean, X.mean((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("x", [{"a": X, "b": Y}, [X, Y]])
def test_several_inputs(x):
    shapes = {"a": (None, 4), "b": (None, 4)}
    inputs, labels = open_source((x, Y), shapes=shapes).first_samples(13)
    assert sorted(inputs) == ["a", "b"]
    assert len(inputs["b"]) == len(labels) == 13  # no more than asked for


def test_data_without_an_end(monkeypatch):
    monkeypatch.setattr(keras_shiftguard.io.source, "PATIENCE", -1)  # seconds
    profile((X, Y))
    with pytest.warns(ShiftWarning, match="`data` so far, which does not say where it ends"):
        assert profile(Pairs()[i] for i in range(5)).num_samples == 50
    assert len(open_source(Endless()).first_samples(20)[0]["input"]) == 20
    with pytest.raises(BadInputError, match="`data` has no end"):
        profile(Endless())
    with pytest.raises(BadInputError, match="`current` has no end"):
        compare(X, Endless())
    with pytest.raises(BadInputError, match="np.stack"):
        profile(list(X))
    with pytest.raises(BadInputError, match="nothing to measure"):
        profile(np.array([["a"], ["b"]]))
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(BadInputError, match="`data` has no end"):
        profile(tf.data.Dataset.from_tensors(X).repeat())


@pytest.mark.parametrize(
    "data, words",
    [
        (X[:0], "empty"),
        ([], "empty"),
        ("photos", "must be data, not a path: read the files first"),
        (3, "must be what `model.fit` accepts"),
        (keras.Sequential(name="net"), "A model was passed in place of data.*Sequential 'net'"),
        ((X, Y[:10]), "same number of samples"),
        ((X, Y, W, W), "tuple of 4"),
        (np.float32(3), "batch dimension"),
        ((X, np.array(1)), "batch dimension"),
        ((X, list(Y)), "np.asarray"),
        ((X, Y.tolist()), "must be an array"),
        (zip(X, Y, strict=True), "has to be batched: dataset.batch"),
    ],
)
def test_bad_data(data, words):
    with pytest.raises(BadInputError, match=words):
        open_source(data).first_samples(10)


def test_images_of_several_sizes():
    def images():
        yield X, Y
        yield np.zeros((4, 9, 9, 3), "float32"), Y[:4]

    inputs, _ = open_source(images()).first_samples(100)
    assert inputs["input"].shape == (50, 6, 6, 3)
    summary = profile(images()).inputs["input"]
    assert (summary.smallest_size, summary.largest_size) == ((6, 6), (9, 9))


def test_batches_of_sparse_matrices_are_measured():
    sparse = pytest.importorskip("scipy.sparse")
    x = np.where(X[:, 0, :, 0] > 0.5, X[:, 0, :, 0], 0)
    matrix = sparse.csr_matrix(x)
    found = profile((matrix[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10)).inputs["input"]
    assert found.num_samples == 50 and found.layout == "features"
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(open_source(matrix).first_samples(8)[0]["input"], x[:8])


@pytest.mark.each_backend
@pytest.mark.parametrize("kind", ["boxes of two batches", "ragged"])
def test_labels_of_varying_shape_are_left_out(kind):
    """The boxes of an object detector differ in number from image to image."""
    images = np.zeros((4, 8, 8, 3), "float32")
    boxes = [np.zeros((4, number, 4), "float32") for number in (1, 2)]
    if kind == "ragged":
        import tensorflow as tf

        boxes = [tf.ragged.constant([[[0.0] * 4] * n for n in range(1, 5)]) for _ in range(2)]
    inputs, labels = open_source(list(zip([images, images], boxes, strict=True))).first_samples(6)
    assert len(inputs["input"]) == 6 and labels is None


# --- what is known of data before it is read ---------------------------------------


def halves():
    yield from ((X[half], Y[half]) for half in (slice(25), slice(25, 50)))


@pytest.mark.parametrize(
    ("data", "form", "size", "is_one_shot", "has_labels"),
    [
        (X, "arrays", 50, False, False),
        ((X, Y), "arrays", 50, False, True),
        ((X, None, W), "arrays", 50, False, False),
        ({"a": X, "b": Y}, "arrays", 50, False, False),
        (Pairs(), "dataset", None, False, False),
        (list(halves()), "iterable", None, False, False),
        (halves(), "iterable", None, True, False),
        (halves, "function", None, False, False),
    ],
)
def test_what_is_known_before_reading(data, form, size, is_one_shot, has_labels):
    source = open_source(data)
    known = (source.form, source.size, source.is_one_shot, source.has_labels)
    assert known == (form, size, is_one_shot, has_labels)


def test_a_function_makes_its_data_for_each_reader():
    source = open_source(halves)
    for _ in range(2):
        np.testing.assert_array_equal(source.first_samples(50)[0]["input"], X)


def test_rows_and_the_order_of_batches():
    (part,) = open_source((X, Y)).rows(np.array([4, 1])).batches()
    np.testing.assert_array_equal(part[1], [1, 1])
    np.testing.assert_array_equal(part[0], X[[4, 1]])
    found = [y.tolist() for _, y, _ in open_source(Pairs()).batches(order=[1, 0])]
    assert found == [Y[10:20].tolist(), Y[:10].tolist()]

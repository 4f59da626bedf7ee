"""Arrays that not every backend reads are measured like others, or refused with a clear error."""

import keras
import numpy as np
import pytest
import scipy.sparse

import keras_shiftguard as sg

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
TABLE = RNG.integers(0, 100, (40, 6)).astype("float32")
IMAGES = RNG.integers(0, 256, (20, 8, 8, 3)).astype("float32")
Y = np.arange(40) % 3

# The data, and plain data with the same numbers.
READABLE = {
    **{
        f"SciPy, {kind}": (getattr(scipy.sparse, f"{kind}_matrix")(TABLE), TABLE)
        for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    },
    "SciPy, array": (scipy.sparse.coo_array(TABLE), TABLE),
    "SciPy with labels": ((scipy.sparse.coo_matrix(TABLE), Y), (TABLE, Y)),
    "big-endian floats": (TABLE.astype(">f4"), TABLE),
    "big-endian images": (IMAGES.astype(">i2"), IMAGES.astype("i2")),
    "uint64 images": (IMAGES.astype("uint64"), IMAGES),
    "big-endian uint64": (TABLE.astype(">u8"), TABLE),
    "labels of uint64": ((TABLE, Y.astype("uint64")), (TABLE, Y)),
    "big-endian labels": ((TABLE, Y.astype(">i8")), (TABLE, Y)),
}

# Data that cannot be measured, and what the error says.
REFUSED = {
    "no channels": (np.zeros((4, 8, 8, 0), "float32"), r"hold no values.*\(4, 8, 8, 0\)"),
    "no rows of pixels": (np.zeros((4, 0, 8, 3), "float32"), r"hold no values.*\(4, 0, 8, 3\)"),
    "no columns": (np.zeros((4, 0), "float32"), r"hold no values.*\(4, 0\)"),
    "a list of lists": (TABLE.tolist(), r"must be an array.*np\.asarray.*40 lists of numbers"),
    "deeper lists": (IMAGES[:2].tolist(), r"must be an array.*2 lists of numbers"),
    "a list of numbers": ([1.0, 2.0, 3.0], r"must be an array.*a list of 3 numbers"),
    "lists and labels": (([[1.0], [2.0]], [0, 1]), r"each member of \(x, y\).*must be an array"),
}


@pytest.mark.each_backend
@pytest.mark.parametrize("case", READABLE)
def test_it_is_measured_like_plain_data(case):
    data, plain = READABLE[case]
    got, want = sg.profile(data), sg.profile(plain)
    assert got.num_samples == want.num_samples
    for name in ("mean", "std", "minimum", "maximum"):
        a, b = getattr(got.inputs["input"], name), getattr(want.inputs["input"], name)
        np.testing.assert_allclose(a, b, rtol=1e-5, err_msg=name)
    assert got.inputs["input"].features.names == want.inputs["input"].features.names
    np.testing.assert_array_equal(got.labels.counts, want.labels.counts)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_what_was_passed(case):
    data, words = REFUSED[case]
    with pytest.raises(sg.BadInputError, match=words) as error:
        sg.compare(data, TABLE)
    assert "label" not in str(error.value)
    assert "`reference`" in str(error.value) or not isinstance(data, list)


def model_of(*shapes):
    keras.utils.set_random_seed(0)
    inputs = {
        name: keras.Input(shape, name=name) for name, shape in zip("ab", shapes, strict=False)
    }
    flat = [keras.layers.Flatten()(each) for each in inputs.values()]
    both = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    alone = inputs["a"] if len(shapes) == 1 else inputs
    model = keras.Model(alone, keras.layers.Dense(2)(both))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def weights_of(model):
    return [np.array(keras.ops.convert_to_numpy(each)) for each in model.weights]


@pytest.mark.parametrize("case", ["big-endian images", "uint64 images"])
def test_it_is_diagnosed(case):
    data, plain = READABLE[case]
    model = model_of((8, 8, 3))
    assert sg.diagnose(model, data).observed == sg.diagnose(model, plain).observed


@pytest.mark.eager
def test_a_reference_without_channels_is_an_error_before_training():
    model = model_of((8, 8, 3))
    guard = sg.ShiftGuard(reference=np.zeros((4, 8, 8, 0), "float32"), verbose=0)
    before = weights_of(model)
    with pytest.raises(sg.BadInputError, match="hold no values"):
        model.fit(IMAGES / 255, np.arange(20) % 2, callbacks=[guard], verbose=0)
    assert all(map(np.array_equal, before, weights_of(model)))


@pytest.mark.thorough
@pytest.mark.eager
def test_an_input_without_columns_is_left_out_of_a_fit():
    x, y = {"a": TABLE / 100, "b": np.zeros((40, 0), "float32")}, np.arange(40) % 2
    plain, model = model_of((6,), (0,)), model_of((6,), (0,))
    plain.fit(x, y, verbose=0, shuffle=False)
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(sg.ShiftWarning, match=r"'b' \(its samples hold no values.*\(\d+, 0\)"):
        model.fit(x, y, verbose=0, shuffle=False, callbacks=[guard])
    assert set(guard.profiles["train"].inputs) == {"a"}
    assert all(map(np.array_equal, weights_of(plain), weights_of(model)))

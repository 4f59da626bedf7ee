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
SPARSE = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]

# The data, and plain data with the same numbers.
READABLE = {
    **{
        f"SciPy, {kind}": (getattr(scipy.sparse, f"{kind}_matrix")(TABLE), TABLE) for kind in SPARSE
    },
    "SciPy, array": (scipy.sparse.coo_array(TABLE), TABLE),
    "big-endian floats": (TABLE.astype(">f4"), TABLE),
    "big-endian images": (IMAGES.astype(">i2"), IMAGES.astype("i2")),
    "uint64 table": (TABLE.astype("uint64"), TABLE),
    "uint64 images": (IMAGES.astype("uint64"), IMAGES),
    "big-endian uint64": (TABLE.astype(">u8"), TABLE),
    "labels of uint64": ((TABLE, np.arange(40, dtype="uint64") % 3), (TABLE, np.arange(40) % 3)),
    "big-endian labels": ((TABLE, np.arange(40, dtype=">i8") % 3), (TABLE, np.arange(40) % 3)),
    "SciPy with labels": (
        (scipy.sparse.coo_matrix(TABLE), np.arange(40) % 3),
        (TABLE, np.arange(40) % 3),
    ),
}

# Data that cannot be measured, and what the error says.
REFUSED = {
    "no channels": (np.zeros((4, 8, 8, 0), "float32"), r"hold no values.*\(4, 8, 8, 0\)"),
    "no rows of pixels": (np.zeros((4, 0, 8, 3), "float32"), r"hold no values.*\(4, 0, 8, 3\)"),
    "no columns": (np.zeros((4, 0), "float32"), r"hold no values.*\(4, 0\)"),
    "a list of lists": (TABLE.tolist(), r"must be an array.*np\.asarray.*40 lists of numbers"),
    "two lists": ([[1.0, 2.0], [3.0, 4.0]], r"must be an array.*2 lists of numbers"),
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
@pytest.mark.parametrize("name", ["data", "reference"])
def test_it_is_refused_with_what_was_passed(case, name):
    data, words = REFUSED[case]
    call = sg.profile if name == "data" else lambda data: sg.compare(data, TABLE)
    with pytest.raises(sg.BadInputError, match=words) as error:
        call(data)
    assert "label" not in str(error.value)
    if "must be an array" in words and isinstance(data, list):
        assert f"`{name}`" in str(error.value)


def model_of(shape):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("case", ["big-endian images", "uint64 images"])
def test_it_is_diagnosed(case):
    data, plain = READABLE[case]
    model = model_of((8, 8, 3))
    assert sg.diagnose(model, data).observed == sg.diagnose(model, plain).observed


@pytest.mark.eager
def test_a_reference_without_channels_is_an_error_before_training():
    model, x = model_of((8, 8, 3)), IMAGES / 255
    guard = sg.ShiftGuard(reference=np.zeros((4, 8, 8, 0), "float32"), verbose=0)
    before = [np.array(keras.ops.convert_to_numpy(each)) for each in model.weights]
    with pytest.raises(sg.BadInputError, match="hold no values"):
        model.fit(x, np.arange(20) % 2, callbacks=[guard], verbose=0)
    for a, b in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(a, keras.ops.convert_to_numpy(b))


@pytest.mark.thorough
@pytest.mark.eager
def test_an_input_without_columns_is_left_out_of_a_fit():
    def made():
        keras.utils.set_random_seed(0)
        inputs = {"a": keras.Input((6,), name="a"), "b": keras.Input((0,), name="b")}
        y = keras.layers.Dense(2)(keras.layers.Concatenate()(list(inputs.values())))
        model = keras.Model(inputs, y)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    x, y = {"a": TABLE / 100, "b": np.zeros((40, 0), "float32")}, np.arange(40) % 2
    plain, model = made(), made()
    plain.fit(x, y, verbose=0, shuffle=False)
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(sg.ShiftWarning, match=r"'b' \(its samples hold no values.*\(\d+, 0\)"):
        model.fit(x, y, verbose=0, shuffle=False, callbacks=[guard])
    assert set(guard.profiles["train"].inputs) == {"a"}
    for a, b in zip(plain.weights, model.weights, strict=True):
        a, b = map(keras.ops.convert_to_numpy, (a, b))
        np.testing.assert_array_equal(a, b)

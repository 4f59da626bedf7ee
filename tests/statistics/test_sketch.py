"""Sketches of an input: merged parts equal one pass over the data, and equal NumPy."""

import dataclasses

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_shiftguard.profiles import InputProfile, InputSummary, Moments
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.sketch import Sketch

pytestmark = pytest.mark.backend


# Per-sample statistics, which have tests of their own.
DETAILS = ("features", "embedding", "tokens")


def sketch_of(x, layout="channels_last"):
    spec = spec_for("input", (None, *x.shape[1:]), layout)
    return Sketch(spec)


def add(sketch, x):
    """Adds a batch to all statistics but the details."""
    sketch.count(x)
    sketch.measure(x, details=False)


def assert_same(got: InputSummary, want: InputSummary, rtol=1e-5):
    """Compares counts exactly, sums within `rtol`, and bins up to values on an edge."""
    for field in dataclasses.fields(InputSummary):
        if field.name in DETAILS:
            continue
        a, b = getattr(got, field.name), getattr(want, field.name)
        if isinstance(a, Moments):
            np.testing.assert_array_equal(a.count, b.count, field.name)
            size = np.maximum(np.abs(want.minimum), np.abs(want.maximum)).max()
            np.testing.assert_allclose(a.mean, b.mean, rtol=rtol, atol=1e-7 * size)
            # The fingerprint sums the values of a sample, not their deviations from a pivot.
            rounding = 1e-6 * size if field.name == "fingerprint" else 1e-11 * size**2
            np.testing.assert_allclose(a.m2, b.m2, rtol=20 * rtol, atol=rounding)
        elif isinstance(a, str):
            assert a == b
        elif field.name == "counts":
            assert a.sum() == b.sum()
            # float32 logarithms may put a value on an edge into the next bin.
            moved = np.abs(np.cumsum(a, axis=1) - np.cumsum(b, axis=1))
            assert moved.sum() <= 0.002 * b.sum()
        elif field.name == "lattice_hits":
            assert np.all(np.abs(a - b) <= 0.002 * b.clip(0) + 2)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=field.name)


RANGES = {
    "raw": lambda u: np.floor(u * 256).clip(0, 255),
    "unit": lambda u: u,
    "tf": lambda u: u * 2 - 1,
    "far": lambda u: 1e4 + u * 3.5,  # mean / std = 1e4
    "tiny": lambda u: u * 1e-4,
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("shape", [(7, 12, 13, 3), (5, 40, 31, 1), (5, 30, 30, 6)])
def test_every_prefix_equals_numpy(kind, shape):
    x = RANGES[kind](np.random.default_rng(0).random(shape)).astype("float32")
    sketch = sketch_of(x)
    total = InputProfile()
    for start in range(0, len(x), 2):
        add(sketch, ops.convert_to_tensor(x[start : start + 2]))
        total = total + InputProfile({"input": sketch.drain()})
        want = numpy_reference.summarise(x[: start + 2])
        assert_same(total.inputs["input"], want)


@pytest.mark.each_backend
def test_channels_first_sees_the_same_numbers():
    x = np.random.default_rng(2).random((6, 20, 17, 3)).astype("float32")
    last, first = sketch_of(x), sketch_of(np.moveaxis(x, -1, 1), "channels_first")
    add(last, ops.convert_to_tensor(x))
    add(first, ops.convert_to_tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1))))
    want = last.drain()
    # The fingerprint recognizes a repeated pass of one stream; it is not compared across layouts.
    same = {"layout": "channels_last", "fingerprint": want.fingerprint}
    assert_same(dataclasses.replace(first.drain(), **same), want)


@pytest.mark.each_backend
@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16"])
def test_dtypes(dtype):
    raw = np.random.default_rng(3).integers(0, 256, (6, 8, 8, 3))
    sketch = sketch_of(raw)
    add(sketch, ops.cast(ops.convert_to_tensor(raw.astype("int32")), dtype))
    assert_same(sketch.drain(), numpy_reference.summarise(raw))


@pytest.mark.each_backend
def test_non_finite_values_are_counted_and_left_out():
    x = np.random.default_rng(5).random((8, 6, 6, 3)).astype("float32")
    clean = x.copy()
    x[0, 0, 0, 0] = np.nan
    x[3, :, :, 1] = np.inf
    x[5] = -np.inf
    sketch = sketch_of(x)
    add(sketch, ops.convert_to_tensor(x))
    got = sketch.drain()
    assert got.num_samples == 8
    assert got.nonfinite_samples == 3
    np.testing.assert_array_equal(got.fingerprint.count, [5, 5])
    assert np.isfinite(got.fingerprint.mean).all()
    np.testing.assert_array_equal(got.channels.count, [7, 6, 7])
    rest = np.delete(clean, [3, 5], axis=0)[..., 1]
    assert got.mean[1] == pytest.approx(rest.mean(), rel=1e-5)
    assert np.isfinite(got.minimum).all() and np.isfinite(got.maximum).all()
    assert got.counts.sum() == np.isfinite(x).sum()


@pytest.mark.each_backend
def test_unknown_image_sizes_in_a_compiled_function():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces with unknown sizes")
    import tensorflow as tf

    sketch = Sketch(spec_for("input", (None, None, None, 3), "channels_last"))
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    update = tf.function(lambda x: add(sketch, x), input_signature=signature)
    rng = np.random.default_rng(9)
    for size in (30, 8):
        update(tf.constant(rng.random((4, size, size + 1, 3)).astype("float32")))
    got = sketch.drain()
    assert (got.smallest_size, got.largest_size) == ((8, 9), (30, 31))
    assert got.num_samples == 8


@pytest.mark.each_backend
@pytest.mark.parametrize("shape", [(5,), (4, 3, 3)])
def test_a_value_is_sampled_once_where_the_batch_size_is_not_known(shape):
    """With an unknown batch size, as in a fit, TensorFlow does not infer the number of values."""
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype("float32")
    sketch = sketch_of(x)
    step = lambda batch: sketch.measure(batch, details=False)  # noqa: E731
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        step = tf.function(step, input_signature=[tf.TensorSpec((None, *shape))])
    step(ops.convert_to_tensor(x))
    sketch.count(ops.convert_to_tensor(x))
    assert sketch.drain().counts.sum() == x.size

"""Image attributes equal their definitions in NumPy, and notice the changes that they measure."""

from functools import lru_cache

import keras
import numpy as np
import pytest
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import attributes, names

pytestmark = pytest.mark.backend

CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"
# Attributes in the input's units; all others do not depend on scale or offset.
IN_UNITS = ("brightness", "contrast")


def spec_of(shape, layout=CHANNELS_LAST, dynamic=False):
    channels, size = (shape[-1], shape[1:3]) if layout == CHANNELS_LAST else (shape[1], shape[2:])
    return InputSpec("image", layout, channels, (None, None) if dynamic else size)


def measured(x, layout=CHANNELS_LAST, dynamic=False, compile=False):
    """Returns `{name: (samples,)}`. TensorFlow compiles only if `compile`, as it takes a second."""
    x = np.asarray(x)
    spec = spec_of(x.shape, layout, dynamic)
    values = ops.convert_to_numpy(step_of(spec, x.dtype, compile)(ops.convert_to_tensor(x)))
    assert values.dtype == "float32" and values.shape == (len(x), len(names(spec)))
    return dict(zip(names(spec), values.T, strict=True))


def step_of(spec, dtype, compile=False):
    """Returns the measuring function, compiled if `compile`, and always on JAX.

    JAX compiles single operations anyway, so compiling all at once is quicker.
    """
    if compile or keras.backend.backend() == "jax":
        return compiled_step(spec, dtype)
    return lambda z: attributes(z, spec)


@lru_cache
def compiled_step(spec, dtype):
    def step(z):
        return attributes(z, spec)

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        channels, first = (spec.channels,), spec.layout == CHANNELS_FIRST
        shape = (None, *channels, *spec.size) if first else (None, *spec.size, *channels)
        return tf.function(step, input_signature=[tf.TensorSpec(shape, dtype)])
    if backend == "jax":
        import jax

        return jax.jit(step)
    return step


def oracle(x):
    """Computes the attributes by their definitions in float64, one image at a time."""
    rows = [oracle_of_one(image.astype("float64")) for image in x]
    return {name: np.asarray([row[name] for row in rows]) for name in rows[0]}


def oracle_of_one(image):
    top, left = (max(n - 128, 0) // 16 * 8 for n in image.shape[:2])
    image = image[top : top + 128, left : left + 128]
    channels = image.shape[-1]
    mean, std = image.mean(-1).mean(), image.mean(-1).std()
    luma = (image.mean(-1) - mean) / std
    h, w = luma.shape
    out = {"brightness": mean, "contrast": np.log(std)}
    if 2 <= channels <= 4:
        for c in range(channels):
            out[f"colour_balance_{c}"] = (image[..., c].mean() - mean) / std
        chroma = image - image.mean(-1, keepdims=True)
        variance = ((chroma - chroma.mean((0, 1))) ** 2).mean()
        out["saturation"] = np.log(np.sqrt(variance) / std + 0.01)
    bands, level = [], luma
    for _ in range(min(4, int(np.log2(min(h, w))))):
        rows, columns = (n // 2 for n in level.shape)
        cells = level[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
        bands.append(np.log(cells.var(axis=(1, 3)).mean() + 1e-4))
        level = cells.mean(axis=(1, 3))
    out |= {f"band_{k + 1}": band for k, band in enumerate(bands)}
    out["spectral_slope"] = np.polyfit(np.arange(len(bands)), bands, 1)[0]

    dx, dy = np.diff(luma, axis=1), np.diff(luma, axis=0)
    residual = np.diff(dx, axis=0)
    gx, gy = dx[:-1], dy[:, :-1]
    energy = gx**2 + gy**2
    out["sharpness"] = np.log((energy**2).mean()) / 4
    out["edge_density"] = (energy > 0.25).mean()
    cells = in_cells(residual**2) + 1e-4
    out["noise"] = np.log(cells).mean() / 2
    out["noise_flat"] = -np.log((1 / cells).mean()) / 2
    out["noise_kurtosis"] = np.log((residual**4).mean() / (residual**2).mean() ** 2)
    out["blockiness"] = -np.inf
    if min(h, w) > 8:
        edge = np.abs(dx[:, 7::8]).mean() + np.abs(dy[7::8]).mean()
        out["blockiness"] = np.log(edge / (np.abs(dx).mean() + np.abs(dy).mean()))
    same_x, same_y = np.abs(gx) < 1e-3, np.abs(gy) < 1e-3
    out["equal_neighbours"] = (same_x.mean() + same_y.mean()) / 2
    out["equal_runs"] = (same_x != same_y).mean()
    tensor = np.stack([gx**2, gx * gy, gy**2])
    out["anisotropy"] = direction(*tensor.mean(axis=(1, 2))) / energy.mean()
    out["coherence"] = direction(*map(in_cells, tensor)).mean() / energy.mean()

    border = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
    out["border_level"] = border.mean()
    out["border_spread"] = np.log(border.std() + 0.01)
    away = np.abs(luma - border.mean())
    out["background"] = (away < 0.25).mean()
    y, x = (np.arange(h) + 0.5) / h, (np.arange(w) + 0.5) / w
    weight = away / away.sum()
    cx, cy = (weight * x).sum(), (weight * y[:, None]).sum()
    out["object_x"], out["object_y"] = cx, cy
    out["object_size"] = np.sqrt((weight * ((x - cx) ** 2 + (y[:, None] - cy) ** 2)).sum())

    out["skewness"] = (luma**3).mean()
    out["highlights"] = (luma > luma.max() - 0.05).mean()
    out["shadows"] = (luma < luma.min() + 0.05).mean()
    grid = luma[:: max(h // 32, 1), :: max(w // 32, 1)]
    edges = np.concatenate([[-np.inf], np.linspace(-2, 2, 15), [np.inf]])
    share = np.histogram(grid, edges)[0] / grid.size
    out["entropy"] = -(share * np.log(share + 1e-9)).sum()
    return out


def in_cells(values):
    h, w = (n // 4 for n in values.shape)
    return values[: 4 * h, : 4 * w].reshape(h, 4, w, 4).mean(axis=(1, 3))


def direction(xx, xy, yy):
    return np.sqrt((xx - yy) ** 2 + 4 * xy**2)


def pictures(n, height, width, channels, seed=0):
    """Returns images of smooth blobs with some noise, in 0..255 and not rounded."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 1, (n, height // 4 + 1, width // 4 + 1, channels))
    smooth = np.kron(coarse, np.ones((1, 4, 4, 1)))[:, :height, :width]
    for axis in (1, 2):
        smooth = smooth + np.roll(smooth, 1, axis) + np.roll(smooth, 2, axis)
    return 120 + 5 * smooth + rng.normal(0, 3, smooth.shape)


@pytest.mark.parametrize(
    "shape", [(3, 8, 8, 1), (3, 28, 28, 1), (2, 32, 33, 3), (2, 150, 260, 3), (2, 17, 40, 6)]
)
def test_equals_numpy(shape):
    x = pictures(*shape).astype("float32")
    got, want = measured(x, compile=x.shape[1] in (28, 150)), oracle(x)
    assert list(got) == list(want)
    for name in got:
        if np.isfinite(want[name]).all():
            np.testing.assert_allclose(got[name], want[name], rtol=2e-3, atol=2e-3, err_msg=name)
        else:  # an image of 8 x 8 pixels is one block
            assert name == "blockiness" and not np.isfinite(got[name]).any()


@pytest.mark.thorough
@pytest.mark.parametrize("size", [(28, 30), (140, 200)])
def test_layout_and_unknown_size_change_nothing(size):
    x = pictures(3, *size, 3).round().astype("uint8")
    want = measured(x)
    turned = np.moveaxis(x, -1, 1)
    for got in (
        measured(x, dynamic=True, compile=True),
        measured(turned, CHANNELS_FIRST),
        measured(turned, CHANNELS_FIRST, dynamic=True),
    ):
        for name in want:
            np.testing.assert_allclose(got[name], want[name], 1e-4, 1e-4, err_msg=name)


@pytest.mark.parametrize(
    "scale, offset", [(1 / 255, 0), (1 / 127.5, -1), (1, -117), (1 / 58, -2.1), (1e-3, 10)]
)
def test_scale_and_offset_touch_only_brightness_and_contrast(scale, offset):
    x = pictures(4, 48, 48, 3).round()
    raw = measured(x.astype("float32"))
    fed = measured((x * scale + offset).astype("float32"))
    for name in raw:
        if name not in IN_UNITS:
            np.testing.assert_allclose(fed[name], raw[name], 5e-3, 5e-3, err_msg=name)
    np.testing.assert_allclose(fed["contrast"] - raw["contrast"], np.log(scale), atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_with_a_bad_pixel_is_missing_alone(bad):
    x = pictures(3, 24, 24, 3).astype("float32")
    x[1, 5, 5, 0] = bad
    values = np.stack(list(measured(x).values()))
    assert np.isfinite(values[:, [0, 2]]).all()
    assert not np.isfinite(values[:, 1]).any()


def test_a_video_is_its_first_frame():
    x = pictures(4, 16, 16, 3).astype("float32")
    video = np.stack([x, 0 * x], axis=1)
    spec = InputSpec("video", CHANNELS_LAST, 3, (16, 16))
    got = ops.convert_to_numpy(step_of(spec, "float32")(ops.convert_to_tensor(video)))
    np.testing.assert_allclose(got, np.stack(list(measured(x).values()), 1), 1e-4, 1e-4)

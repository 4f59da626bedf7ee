"""Known preprocessing steps are named, with the line that undoes them; changed scenes are not."""

from functools import cache

import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input
from sklearn.datasets import load_sample_images

from keras_shiftguard import profile
from keras_shiftguard.detection.causes.pipeline_change import explain


@cache
def crops(seed, n=200, size=32):
    """Returns random crops of two real photos, raw RGB."""
    photos = load_sample_images().images
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        photo = photos[rng.integers(2)]
        y, x = (rng.integers(0, side - 4 * size) for side in photo.shape[:2])
        out.append(photo[y : y + 4 * size : 4, x : x + 4 * size : 4])
    return np.stack(out).astype("float32")


FORMS = {
    "raw": lambda x: x,
    "unit": lambda x: x / 255,
    "unit twice": lambda x: x / 255 / 255,
    "tf": lambda x: x / 127.5 - 1,
    "torch": lambda x: preprocess_input(x.copy(), data_format="channels_last", mode="torch"),
    "caffe": lambda x: preprocess_input(x.copy(), data_format="channels_last", mode="caffe"),
    "caffe twice": lambda x: FORMS["caffe"](FORMS["caffe"](x)),
    "unit bgr": lambda x: x[..., ::-1] / 255,
    "torch bgr": lambda x: FORMS["torch"](x)[..., ::-1],
}


@cache
def summary(form, seed):
    (found,) = profile(FORMS[form](crops(seed))).inputs.values()
    return found


def of(x):
    (found,) = profile(x.astype("float32")).inputs.values()
    return found


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.parametrize(
    ("reference", "current", "name"),
    [
        ("unit", "raw", "not rescaled"),
        ("unit", "unit twice", "rescaled twice"),
        ("tf", "raw", "not rescaled"),
        ("raw", "unit", "rescaled"),
        ("unit", "tf", "in -1..1 instead of in 0..1"),
        ("tf", "unit", "in 0..1 instead of in -1..1"),
        ("torch", "raw", "not normalised"),
        ("torch", "unit", "not normalised"),
        ("caffe", "caffe twice", "mean subtracted twice"),
        ("unit", "unit bgr", "channels swapped"),
        ("torch", "torch bgr", "channels swapped"),
    ],
)
def test_a_known_step_is_named_and_undone(reference, current, name):
    # Both profiles are of the same images, so only the preprocessing differs.
    found = explain(summary(reference, 0), summary(current, 0))
    assert found is not None
    assert found.name.split(", ")[0] == name
    x = FORMS[current](crops(0))
    scope = {"x": x, "np": np}
    exec(found.fix, scope)
    want = FORMS[reference](crops(0))
    np.testing.assert_allclose(scope["x"], want, atol=2e-3 * np.ptp(want))
    # `scale` and `offset` are the inverse of the fix.
    turned = want[..., ::-1] if found.swapped else want
    np.testing.assert_allclose(turned * found.scale + found.offset, x, atol=2e-3 * np.ptp(x))
    assert found.effect_size > 0.2


@pytest.mark.parametrize(
    ("reference", "current", "name"),
    [
        ("unit", "raw", "not rescaled"),
        ("unit", "unit twice", "rescaled twice"),
        ("unit", "unit bgr", "channels swapped"),
    ],
)
def test_other_samples_of_the_same_world(reference, current, name):
    found = explain(summary(reference, 0), summary(current, 1))
    assert found is not None
    assert found.name == name


SCENES = {
    "nothing": lambda x: x,
    "dark": lambda x: x * 0.5,
    "very dark": lambda x: x * 0.1,
    "bright": lambda x: np.clip(x + 0.3, 0, 1),
    "flat": lambda x: (x - 0.5) * 0.4 + 0.5,
    "fog": lambda x: x * 0.5 + 0.5,
    "steep": lambda x: np.clip((x - 0.5) * 3 + 0.5, 0, 1),
    "gamma": lambda x: x**2.2,
    "cold": lambda x: np.clip(x * np.array([0.8, 1, 1.25]), 0, 1),
    "colder": lambda x: np.clip(x * np.array([0.6, 1, 1.5]), 0, 1),
    "gray": lambda x: np.repeat(x.mean(-1, keepdims=True), 3, -1),
    "turned colours": lambda x: x[..., [1, 2, 0]],
    "negative": lambda x: 1 - x,
}


@pytest.mark.thorough
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_change_of_the_scene_is_no_preprocessing(scene, scale):
    changed = SCENES[scene](crops(1) / 255)
    assert explain(summary("unit" if scale == 1 else "raw", 0), of(changed * scale)) is None


def test_columns_in_another_unit():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, (300, 5)) * np.array([1, 10, 0.1, 1000, 2])
    y = rng.normal(3, 1, (200, 5)) * np.array([1, 10, 0.1, 1000, 2])
    found = explain(of(x), of(y * 1000))
    assert found.name == "another unit"
    np.testing.assert_array_equal(found.scale, np.full(5, 1000.0))
    assert found.fix == "x = x / 1000"
    assert explain(of(x), of(y)) is None
    assert explain(of(x), of(y * 1.3)) is None  # a factor of 1.3 is no change of unit
    assert explain(of(x), of(y * np.array([1000, 1, 1, 1, 1]))) is None


def test_different_inputs_and_empty_ones_have_no_explanation():
    images, columns = summary("unit", 0), of(np.ones((30, 3)))
    assert explain(images, columns) is None
    assert explain(columns, columns) is None
    bad = of(np.full((4, 8, 8, 3), np.nan))
    assert explain(images, bad) is None

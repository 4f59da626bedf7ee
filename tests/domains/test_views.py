"""Weak and strong views (augmented copies) of images, vectors and signals."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array

from keras_shiftguard.domains.views import Views

pytestmark = pytest.mark.backend


def views_of(x, seed=1, target=None):
    """Returns the weak and the strong view of an array as arrays, with the target at its end."""
    layer = Views()
    layer.build([(None, *x.shape[1:])])
    layer.seed(seed)
    layer.fit_scales(x)
    both = x if target is None else np.concatenate([x, target])
    views = layer(keras.ops.convert_to_tensor(both), source_rows=len(x))
    return [as_array(view) for view in views]


def test_images_stay_in_range_and_the_strong_view_is_further_away(rng):
    coarse = rng.random((24, 4, 4, 3)).astype("float32")
    x = np.kron(coarse, np.ones((1, 4, 4, 1), "float32"))
    weak, strong = views_of(x)
    near, far = (np.abs(view - x).mean() for view in (weak, strong))
    assert 0 < near < 0.5 * far
    assert strong.min() >= x.min() - 1e-4 and strong.max() <= x.max() + 1e-4


@pytest.mark.each_backend
@pytest.mark.parametrize("shape", [(200, 6), (200, 20, 2)], ids=["vectors", "signals"])
def test_the_perturbation_follows_the_scale_of_each_feature(rng, shape):
    x = rng.normal(size=shape).astype("float32")
    scale = np.asarray([1e-3, 1e3] * (shape[-1] // 2), "float32")
    weak, strong = views_of(x)
    np.testing.assert_array_equal(weak, x)
    assert np.isfinite(strong).all() and 0.2 < np.abs(strong - x).mean() < 1.5
    _, scaled = views_of(x * scale)
    np.testing.assert_allclose(scaled / scale, strong, atol=2e-3)
    # The same seed gives the same views, and another seed gives other views.
    np.testing.assert_array_equal(views_of(x)[1], strong)
    assert np.abs(views_of(x, seed=2)[1] - strong).mean() > 0.1


def test_members_that_are_not_numbers_stay(rng):
    x = [rng.normal(size=(8, 3)).astype("float32"), np.arange(16, dtype="int32").reshape(8, 2)]
    layer = Views()
    layer.build([(None, 3), (None, 2)])
    layer.fit_scales(x)
    weak, strong = layer([keras.ops.convert_to_tensor(value) for value in x])
    np.testing.assert_array_equal(as_array(strong[1]), x[1])
    assert np.abs(as_array(strong[0]) - as_array(weak[0])).max() > 0


def test_values_are_taken_from_samples_of_the_same_domain():
    source, target = np.zeros((3, 50), "float32"), np.ones((2, 50), "float32")
    layer = Views()
    layer.build([(None, 50)])
    layer.scales[0][1].assign(np.zeros(50))  # no noise
    _, strong = layer(keras.ops.convert_to_tensor(np.concatenate([source, target])), source_rows=3)
    strong = as_array(strong)
    np.testing.assert_allclose(strong[:3], 0, atol=1e-6)
    assert strong[3:].all()


@pytest.mark.parametrize("shape", [(40, 6), (40, 20, 2), (40, 8, 8, 1)], ids=len)
def test_the_scale_is_that_of_the_source(rng, shape):
    """The views of the source do not depend on the units of the target."""
    x, target = rng.random((2, *shape)).astype("float32")
    alike, other = views_of(x, target=target), views_of(x, target=100 * target)
    for a, b in zip(alike, other, strict=True):
        np.testing.assert_allclose(b[:40], a[:40], atol=1e-6)


def test_whole_numbers_are_rounded(rng):
    """Cut off instead, images of 0 and 1 would lose most of their white."""
    x = np.kron(rng.integers(0, 2, (200, 4, 4, 1)), np.ones((1, 3, 3, 1))).astype("uint8")
    weak, _ = views_of(x)
    assert np.mean(weak) == pytest.approx(x.mean(), abs=0.03)
    assert set(np.unique(weak)) == {0, 1}

"""MMD and CORAL: values compared with NumPy, and invariances."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array, gradients_of

from keras_shiftguard.adaptation.domains.distances import BANDWIDTHS, conditional_mmd, coral, mmd

pytestmark = pytest.mark.backend


def expected_mmd(a, b, w):
    pooled = np.concatenate([a[:48], b[:48]])
    d2 = ((pooled[:, None] - pooled[None]) ** 2).sum(-1).ravel()
    median = np.sort(d2)[len(d2) // 2]

    def gram(x, y):
        d = ((x[:, None] - y[None]) ** 2).sum(-1) / median
        return np.mean([np.exp(-d / (2 * s)) for s in BANDWIDTHS], axis=0)

    pairs = np.outer(w, w) * (1 - np.eye(len(a)))
    across = (w[:, None] * gram(a, b)).sum() / (w.sum() * len(b))
    off = 1 - np.eye(len(b))
    own = (gram(a, a) * pairs).sum() / pairs.sum()
    return own + (gram(b, b) * off).sum() / off.sum() - 2 * across


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def test_mmd_as_in_numpy(rng):
    a, b = rng.normal(size=(20, 3)), rng.normal(0.5, 1, size=(14, 3))
    w = rng.uniform(0.2, 2, 20)
    got = as_array(mmd(tensor(a), tensor(b), tensor(w)))
    np.testing.assert_allclose(got, expected_mmd(a, b, w), atol=2e-5)


def test_mmd_is_unbiased_and_grows(rng):
    same = [
        float(as_array(mmd(tensor(rng.normal(size=(30, 4))), tensor(rng.normal(size=(30, 4))))))
        for _ in range(40)
    ]
    assert abs(np.mean(same)) < 3 * np.std(same) / 40**0.5 + 1e-4
    far = mmd(tensor(rng.normal(size=(30, 4))), tensor(rng.normal(2, 1, size=(30, 4))))
    assert as_array(far) > 5 * np.std(same)


def test_weights_undo_another_mix_of_classes(rng):
    y = np.repeat([0, 1], [50, 10])
    source = tensor(rng.normal(size=(60, 2)) + 4 * y[:, None])
    ty = np.repeat([0, 1], [10, 50])
    target = tensor(rng.normal(size=(60, 2)) + 4 * ty[:, None])
    plain = as_array(mmd(source, target))
    weighted = as_array(mmd(source, target, tensor(np.where(y == 0, 0.2, 5.0))))
    by_class = as_array(
        conditional_mmd(source, target, tensor(np.eye(2)[y]), tensor(np.eye(2)[ty]))
    )
    assert weighted < 0.2 * plain and by_class < 0.4 * plain


def test_coral_is_free_of_scale_and_zero_for_the_same(rng):
    a, b = rng.normal(size=(40, 5)), rng.normal(0.3, 2, size=(30, 5))
    one, ten = (
        as_array(coral(tensor(a), tensor(b))),
        as_array(coral(tensor(10 * a), tensor(10 * b))),
    )
    np.testing.assert_allclose(one, ten, rtol=1e-4)
    np.testing.assert_allclose(as_array(coral(tensor(a), tensor(a))), 0, atol=1e-6)


def test_spreading_out_does_not_pay(rng):
    """CORAL has no gradient along the scale of the features."""
    a, b = tensor(rng.normal(size=(20, 3))), tensor(rng.normal(1, 1, size=(20, 3)))
    scale = keras.Variable(1.0)
    (gradient,) = gradients_of(lambda: coral(a * scale, b * scale), [scale])
    assert abs(float(gradient)) < 1e-4

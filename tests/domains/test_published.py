"""Parts of the adaptation methods, compared with the published formulas in NumPy."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array
from keras import ops

from keras_shiftguard.domains.alignment.adamatch import AdaMatch
from keras_shiftguard.domains.alignment.adversarial import DomainAdversarial
from keras_shiftguard.domains.alignment.discrepancy import coral, mmd
from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.domains.pair import Pair
from keras_shiftguard.statistics.classes import log_probabilities

pytestmark = pytest.mark.backend


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, "float32"))


@pytest.mark.each_backend
@pytest.mark.parametrize("classes", [70, 80])
def test_random_projections_keep_the_products_of_the_multilinear_map(rng, classes):
    """Long et al. (2018), theorem 2: projections have the product `<f, f'> <p, p'>` on average.

    With 70 classes, features and probabilities have equal sizes, but their matrices must differ.
    """
    width = 70
    layer = DomainAdversarial(classes, (4,))
    layer.build((None, width))
    features, probabilities = np.eye(width)[0], np.eye(classes)[0]
    a, b = (as_array(projection.value) for projection in layer.projections)
    assert a.shape == (70, 1024) and b.shape == (classes, 1024)
    projected = (features @ a) * (probabilities @ b) / np.sqrt(1024)
    assert projected @ projected == pytest.approx(1.0, abs=0.4)  # two equal matrices would give 3
    # The head gets this projection (equation 6).
    f, p = rng.normal(size=(6, width)), softmax(rng.normal(size=(6, classes)))
    x = (f @ a) * (p @ b) / np.sqrt(1024)
    hidden, logit = (d.get_weights() for d in (layer.hidden[0], layer.logit))
    expected = np.maximum(x @ hidden[0] + hidden[1], 0) @ logit[0] + logit[1]
    found = as_array(layer(tensor(f), tensor(p), tensor(1.0)))
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-3, atol=1e-4)


def test_the_discrepancy_does_not_depend_on_the_place_of_the_features(rng):
    """Squared distances of features far from zero lose no digits. `test_step` has the formula."""
    a, b = rng.normal(size=(20, 8)), rng.normal(0.5, 1, size=(16, 8))
    near, far = (float(mmd(tensor(a + offset), tensor(b + offset))) for offset in (0, 1000))
    assert near > 0.01 and far == pytest.approx(near, abs=1e-4)


def test_one_sample_has_no_spread_that_could_be_aligned(rng):
    many, one = tensor(rng.normal(size=(20, 8))), tensor(rng.normal(size=(1, 8)))
    for loss in (mmd, coral):
        assert float(loss(one, many)) == 0 == float(loss(many, one))
        assert float(loss(many, many[:2])) != 0


def test_logarithms_of_probabilities_do_not_underflow():
    z = np.array([[50.0, 0.0, -50.0], [0.1, 0.2, 0.3]])
    expected = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(as_array(log_probabilities(tensor(z))), expected, rtol=1e-5)
    p = softmax(np.array([[1.0, 0.0], [3.0, -1.0]]))
    np.testing.assert_allclose(as_array(log_probabilities(tensor(p))), np.log(p), rtol=1e-4)
    column = np.array([[40.0], [-40.0]])
    found = as_array(log_probabilities(tensor(column)))
    np.testing.assert_allclose(found, [[-40, 0], [0, -40]], atol=1e-4)


def test_adamatch_averages_the_class_shares_of_batches():
    """With momentum, the shares of a batch are averaged with those of earlier batches."""
    layer = AdaMatch(2, momentum=0.5)
    layer.build((None, 2))
    batches = [np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.2, 0.8], [0.2, 0.8]])]
    mean = target_mean = weight = 0.0
    for p in batches:
        target = p[::-1] * 0.5 + 0.25
        as_tensors = [ops.convert_to_tensor(a.astype("float32")) for a in (p, target)]
        found = as_array(layer.labels(Pair(None, None, *as_tensors)))
        weight = 0.5 * weight + 0.5
        mean = 0.5 * mean + 0.5 * p.mean(axis=0)
        target_mean = 0.5 * target_mean + 0.5 * target.mean(axis=0)
        expected = target * (mean / weight) / (target_mean / weight)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    kept = as_array(layer.averages.value)
    broken = tensor([[np.nan, 1.0]])
    layer.labels(Pair(None, None, broken, broken))
    np.testing.assert_array_equal(as_array(layer.averages.value), kept)
    layer.restart()
    assert not as_array(layer.averages.value).any()


def test_class_shares_are_aligned_half_of_the_way():
    """A class that the target lacks is predicted less often than in the source."""
    source = np.full((8, 2), 0.5)
    target = np.array([[0.9, 0.1]] * 8)
    pair = Pair(None, None, tensor(source), tensor(target))
    layer = AdaMatch(2)
    np.testing.assert_allclose(as_array(layer.labels(pair)), source, rtol=1e-4)
    layer.alignment.assign(0.5)
    # sqrt(.5 / .9) * .9 to sqrt(.5 / .1) * .1 is 3 to 1
    np.testing.assert_allclose(as_array(layer.labels(pair)), [[0.75, 0.25]] * 8, rtol=1e-4)
    layer.restart()
    assert as_array(layer.alignment.value) == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_model_that_an_earlier_release_saved_is_loaded(number):
    """0.2.0 had only a mix of classes, which is no longer used; averages and an exponent came."""
    saved = [np.array([0.5, 1.5]), np.full((3, 2), 0.3), np.array(0.5)][:number]
    layer = AdaMatch(2, momentum=0.5)
    layer.load_own_variables({str(i): value for i, value in enumerate(saved)})
    assert as_array(layer.averages.value).any() == (number > 1)
    assert as_array(layer.alignment.value) == (0.5 if number > 2 else 1)


def test_a_strong_view_that_is_surely_wrong_counts_fully():
    """Berthelot et al. (2022): the loss is the cross-entropy of the logits, here about 43."""
    p = np.array([[0.95, 0.05], [0.05, 0.95]])
    strong = np.array([[0.0, 30.0], [60.0, 0.0]])
    pair = Pair(
        *(None, None),
        *(tensor(p), tensor(p)),
        strong_log_probabilities=log_probabilities(tensor(strong)),
    )
    layer = AdaMatch(2)
    aligned = p * p.mean(axis=0) / p.mean(axis=0)
    log_p = strong - np.log(np.exp(strong).sum(axis=1, keepdims=True))
    expected = -(aligned * log_p).sum(axis=1).mean() / 2  # halved, like the loss of the source
    assert expected > 20
    assert float(layer.loss(pair, tensor(1.0), 1.0)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("activation", ["softmax", None, "sigmoid"])
def test_interpolated_answers_are_of_the_same_kind(rng, activation):
    """Berthelot et al. (2022), section 3.1. Probabilities are interpolated by their logits."""
    inputs = keras.Input((3,))
    features = keras.layers.Dense(4, name="features")(inputs)
    normalised = keras.layers.BatchNormalization(scale=False)(features)
    units = 1 if activation == "sigmoid" else 5
    base = keras.Model(inputs, keras.layers.Dense(units, activation)(normalised))
    model = DomainAdaptationModel(base, "features", "adamatch", verbose=0)
    x = tensor(rng.normal(size=(16, 3)))
    both = ops.concatenate([x, x + 3.0], axis=0)
    with_target = model.split.features_and_outputs(both, training=True)[1][:16]
    alone = as_array(model.split.features_and_outputs(x, training=True)[1])
    found = as_array(model.interpolated(with_target, x, 7))
    share = as_array(keras.random.uniform((16, units), seed=7))
    one, other = as_array(with_target), alone
    if activation == "softmax":
        expected = softmax(share * np.log(one) + (1 - share) * np.log(other))
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    elif activation == "sigmoid":
        logits = [np.log(p / (1 - p)) for p in (one, other)]
        expected = 1 / (1 + np.exp(-(share * logits[0] + (1 - share) * logits[1])))
    else:
        expected = share * one + (1 - share) * other
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)

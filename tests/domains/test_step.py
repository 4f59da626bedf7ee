"""One training step of each method, against the same step written in NumPy.

This shows that loss, reversed gradient and new weights are the same on every backend.
"""

import keras
import numpy as np
import pytest

from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.io.batches import SOURCE, TARGET

pytestmark = pytest.mark.backend
RATE, PROGRESS, STRONG = 0.1, 0.4, 1.7
# Constants of the methods, written out here, so that a change in the package is noticed.
CONFIDENCE, CORAL_WEIGHT = 0.9, 100
BANDWIDTHS = (1 / 8, 1 / 4, 1 / 2, 1, 2)
METHODS = ("dann", "cdan", "cdan+e", "mmd", "coral", "adamatch", "augmentation", "adamatch+dann")


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def network(weights, x):
    """Returns features and class probabilities of the small network of this test."""
    features = np.tanh(x @ weights[0] + weights[1])
    return features, softmax(features @ weights[2] + weights[3])


def cross_entropy(p, y):
    return -np.log(p[np.arange(len(y)), y])


def numpy_mmd(a, b):
    both = np.concatenate([a, b])
    d2 = ((both[:, None] - both[None]) ** 2).sum(-1)
    scale = NumpyStep.frozen.setdefault("scale", d2.sum() / (len(both) * (len(both) - 1)))
    k = np.mean([np.exp(-d2 / (2 * w * scale)) for w in BANDWIDTHS], axis=0)
    n = len(a)
    own, other, across = k[:n, :n], k[n:, n:], k[:n, n:]
    m = len(b)
    return (own.sum() - n) / (n * (n - 1)) + (other.sum() - m) / (m * (m - 1)) - 2 * across.mean()


class NumpyStep:
    """The losses of a step, as functions of the weights of the network and of the domain head."""

    frozen: dict = {}  # values of the first call, constants for the gradient

    def __init__(self, names, x, target, y):
        self.names, self.x, self.target, self.y = names, x, target, y
        NumpyStep.frozen = {}

    def freeze(self, name, value):
        return self.frozen.setdefault(name, value)

    def task(self, weights):
        """Returns the loss without the domain head: cross-entropy plus terms of the method."""
        features, p = network(weights, self.x)
        target_features, target_p = network(weights, self.target)
        loss = cross_entropy(p, self.y).mean()
        if {"adamatch", "augmentation"} & set(self.names):
            strong = network(weights, STRONG * self.x)[1]
            loss = (loss + cross_entropy(strong, self.y).mean()) / 2
        if "adamatch" in self.names:
            aligned = target_p * p.mean(axis=0) / target_p.mean(axis=0)
            labels = self.freeze("labels", aligned / aligned.sum(axis=1, keepdims=True))
            sure = self.freeze("sure", labels.max(axis=1) >= CONFIDENCE * p.max(axis=1).mean())
            assert 0 < sure.sum() < len(sure)
            log_p = np.log(network(weights, STRONG * self.target)[1])
            rise = 0.5 - np.cos(min(np.pi, 2 * np.pi * PROGRESS)) / 2
            loss += 0.5 * rise * (-(labels * log_p).sum(axis=1) * sure).mean()
        if "mmd" in self.names:
            loss += numpy_mmd(features, target_features)
        if "coral" in self.names:
            gap = np.cov(features.T) - np.cov(target_features.T)
            loss += CORAL_WEIGHT * (gap**2).sum() / (4 * features.shape[1] ** 2)
        return loss

    def domain(self, weights, head):
        """Returns the loss of the domain head."""
        losses = []
        for x, sign, name in ((self.x, 1, "p"), (self.target, -1, "target_p")):
            seen, p = network(weights, x)
            certainty = 1 + np.exp((p * np.log(p + 1e-6)).sum(axis=1))
            p = self.freeze(name, p)
            if "cdan" in self.names:
                seen = (p[:, :, None] * seen[:, None, :]).reshape(len(x), -1)
            hidden = np.maximum(seen @ head[0] + head[1], 0)
            values = np.logaddexp(0, sign * (hidden @ head[2] + head[3])[:, 0])
            w = certainty if "e" in self.names else np.ones(len(x))
            losses.append((w * values).sum() / self.freeze(f"sum of {name}", w.sum()))
        return np.sum(losses)


def gradients(loss, weights):
    """Returns the gradients of a loss by central differences."""
    found = []
    for k, w in enumerate(weights):
        g = np.zeros_like(w)
        for i in np.ndindex(*w.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [v.copy() for v in weights]
                moved[k][i] += step
                values.append(loss(moved))
            g[i] = (values[0] - values[1]) / 2e-5
        found.append(g)
    return found


# Together they have all that a step can have: a head, a weighted loss, views, target labels.
EACH_BACKEND = ("cdan+e", "adamatch+dann")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.each_backend if name in EACH_BACKEND else ())
        for name in METHODS
    ],
)
def test_a_step_is_the_published_one(name):
    rng = np.random.default_rng(3)
    x, target = rng.normal(size=(12, 3)), rng.normal(0.4, 1.2, size=(10, 3))
    y = rng.integers(0, 3, 12)
    weights = [rng.normal(size=s) for s in ((3, 4), (4,), (4, 3), (3,))]
    inputs = keras.Input((3,))
    features = keras.layers.Dense(4, activation="tanh", name="features")(inputs)
    base = keras.Model(inputs, keras.layers.Dense(3)(features))
    names = tuple(name.split("+"))
    options = {"entropy": "e" in names, "verbose": 0}
    if {"dann", "cdan"} & set(names):
        options["units"] = (5,)
    if {"adamatch", "augmentation"} & set(names):
        options["augmentation"] = keras.layers.Rescaling(STRONG)
    methods = tuple(each for each in names if each != "e")
    model = DomainAdaptationModel(base, "features", methods, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss, run_eagerly=True)
    base.set_weights(weights)
    heads = [m for m in model.methods if m.name in ("dann", "cdan")]
    head = []
    for layer in heads:
        for dense in (layer.hidden[0], layer.logit):
            head += [rng.normal(size=dense.kernel.shape), rng.normal(size=dense.bias.shape)]
            dense.set_weights(head[-2:])
    model.steps.assign(10.0)
    model.steps_done.assign(10 * PROGRESS)
    logs = model.train_on_batch(
        {SOURCE: x.astype("float32"), TARGET: target.astype("float32")}, y, return_dict=True
    )

    step = NumpyStep(names, x, target, y)
    task = step.task(weights)
    domain = step.domain(weights, head) if head else 0.0
    np.testing.assert_allclose(logs["loss"], task + domain, rtol=2e-4)
    reversal = 2 / (1 + np.exp(-10 * PROGRESS)) - 1
    moved = gradients(step.task, weights)
    if head:
        back = gradients(lambda w: step.domain(w, head), weights)
        moved = [a - reversal * b for a, b in zip(moved, back, strict=True)]
        of_head = gradients(lambda h: step.domain(weights, h), head)
        now = [w for layer in (heads[0].hidden[0], heads[0].logit) for w in layer.get_weights()]
        for before, g, after in zip(head, of_head, now, strict=True):
            np.testing.assert_allclose(after, before - RATE * g, atol=2e-5)
    for before, g, after in zip(weights, moved, base.get_weights(), strict=True):
        np.testing.assert_allclose(after, before - RATE * g, atol=5e-5)
    assert float(keras.ops.convert_to_numpy(model.steps_done)) == 10 * PROGRESS + 1

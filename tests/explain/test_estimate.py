"""Estimates of accuracy without labels, on digits and a table whose labels the test knows."""

import json

import keras
import numpy as np
import pytest
import small_fits

import keras_shiftguard as sg
from keras_shiftguard.explain.estimates.moved_mix import MovedMix


@pytest.fixture(scope="module")
def digits():
    """Training, reference and other digits, 8 x 8, each with labels."""
    x, y = small_fits.digits()
    return [(x[part], y[part]) for part in np.split(np.arange(len(x)), [700, 1250])]


@pytest.fixture(scope="module")
def model(digits):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(*digits[0], epochs=10, batch_size=32, verbose=0)
    return model


def accuracy(model, x, y):
    return float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())


@pytest.mark.thorough
def test_it_is_near_the_accuracy_and_its_interval_holds_it(model, digits):
    _, reference, (x, y) = digits
    rng = np.random.default_rng(1)
    for shifted in (x, np.clip(x + rng.normal(0, 0.35, x.shape), 0, 1)):
        shifted = shifted.astype("float32")
        estimate = sg.estimate_accuracy(model, shifted, reference)
        truth = accuracy(model, shifted, y)
        assert abs(estimate.value - truth) < 0.08
        assert estimate.interval[0] <= truth <= estimate.interval[1]
        assert set(estimate.by_method) == {"ATC", "DoC", "COT", "regression", "BBSE"}
        assert not estimate.note
        assert f"about {100 * estimate.value:.1f} %" in str(estimate)
        assert json.loads(json.dumps(estimate.to_dict()))["value"] == estimate.value
    assert "reference" in estimate._repr_html_()


def test_another_class_mix_of_a_table():
    """A classifier of few positives finds few of many, and nothing but their number has changed."""

    def rows(size, positive, rng):
        y = (rng.random(size) < positive).astype(int)
        return rng.normal(0.9 * y[:, None], 1.0, (size, 4)).astype("float32"), y

    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    model.fit(*rows(3000, 0.1, rng), epochs=10, verbose=0)
    reference, (x, y) = rows(2000, 0.1, rng), rows(1000, 0.5, rng)
    truth = float(((model.predict(x, verbose=0)[:, 0] > 0.5) == y).mean())
    estimate = sg.estimate_accuracy(model, x, reference)
    assert truth < estimate.reference_accuracy - 0.15
    assert estimate.interval[0] <= truth <= estimate.interval[1]
    assert estimate.by_method["regression"] > estimate.value + 0.05
    assert estimate.value == estimate.by_method["BBSE"] and "Only the class mix" in str(estimate)
    assert estimate.to_dict()["note"] == estimate.note
    # With noise, the mix is not all that differs.
    noisy = x + rng.normal(0, 2.0, x.shape).astype("float32")
    assert not sg.estimate_accuracy(model, noisy, reference).note


def test_a_class_that_the_reference_lacks_is_no_other_mix(rng):
    def predictions(mix, size):
        """Returns probabilities and labels of four classes; a tenth is taken for the next one."""
        y = rng.choice(3, size, p=mix)
        p = np.full((size, 4), 0.03)
        p[np.arange(size), (y + (rng.random(size) < 0.1)) % 3] = 0.91
        return p + rng.uniform(0, 0.01, p.shape), y

    known = MovedMix.of(*predictions([0.6, 0.2, 0.2], 2000))
    data, _ = predictions([0.2, 0.6, 0.2], 1000)
    assert known.is_all(data)
    data[:300] = [0.0, 0.0, 0.1, 0.9]  # a class without any label
    assert not known.is_all(data)


def test_arguments_without_an_answer(model, digits):
    (x, y), reference, _ = digits
    with pytest.raises(sg.BadInputError, match="alpha"):
        sg.estimate_accuracy(model, x, reference, alpha=2)
    with pytest.raises(sg.BadInputError, match="does not take"):
        sg.estimate_accuracy(model, x[:, :4], reference)
    for wrong in (x, None, 0.9, "published", "no/such.profile"):
        with pytest.raises(sg.BadInputError, match="labelled"):
            sg.estimate_accuracy(model, x, wrong)
    regression = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    regression.add(keras.layers.Dense(1))
    regression.compile("sgd", "mse")
    with pytest.raises(sg.BadInputError, match="regression"):
        sg.estimate_accuracy(regression, x, reference)
    # A profile, or few samples, are no error, but there is nothing to rest a value on.
    by_profile = sg.estimate_accuracy(model, x, sg.profile(reference, model=model))
    assert by_profile.value is None and by_profile.interval is None
    assert set(by_profile.by_method) == {"DoC"} and "pass labelled data" in str(by_profile)
    few = sg.estimate_accuracy(model, x, (reference[0][:40], reference[1][:40]))
    assert few.value is None and "50 labelled samples" in str(few)


@pytest.mark.parametrize("name", ["data", "reference"])
def test_outputs_that_are_nan_are_an_error(digits, name):
    """They would count as class 0."""
    layers = keras.layers  # without relu, which turns NaN into 0 on TensorFlow
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    _, (x, y), (other, _) = digits
    broken = (other if name == "data" else x).copy()
    broken[:7] = np.nan
    with pytest.raises(sg.BadInputError, match=rf"NaN or infinity for 7 of [\d,]+ .*`{name}`"):
        if name == "data":
            sg.estimate_accuracy(model, broken, (x, y))
        else:
            sg.estimate_accuracy(model, other, (broken, y))

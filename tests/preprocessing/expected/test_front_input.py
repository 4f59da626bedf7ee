"""Preprocessing layers in front of a network that is not recognized: what input they expect."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from photos import imagenet_photos

import keras_shiftguard as sg
from keras_shiftguard import InputConvention
from keras_shiftguard.conventions import IMAGENET_MEAN, IMAGENET_STD
from keras_shiftguard.preprocessing.expected.front_input import before_own_layers
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

RAW = imagenet_photos(64)[0].round().astype("float32")
VARIANCE = [s**2 for s in IMAGENET_STD]


def network(*front, channels=3, body=None):
    """Returns a small network with these layers in front of its first weights."""
    keras.utils.set_random_seed(0)
    body = body or [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((64, 64, channels)), *front, *body, layers.Dense(3)])
    for layer in (*body, model.layers[-1]):
        if layer.weights:
            layer.bias.assign(np.ones(layer.bias.shape))  # not initial, as after training
    return model


def adapted(images=RAW):
    norm = layers.Normalization()
    norm.adapt(images)
    return norm


def to_unit():
    return layers.Rescaling(1 / 255)


FRONTS = {
    "tutorial": (lambda: [to_unit()], "raw"),
    "augmented": (lambda: [keras.Sequential([layers.RandomFlip("horizontal")]), to_unit()], "raw"),
    "resized": (lambda: [layers.Resizing(32, 32), layers.Rescaling(1 / 127.5, -1)], "raw"),
    "torch": (lambda: [to_unit(), layers.Normalization(-1, IMAGENET_MEAN, VARIANCE)], "raw"),
    "torch of [0, 1]": (lambda: [layers.Normalization(-1, IMAGENET_MEAN, VARIANCE)], "unit"),
    "from [0, 1]": (lambda: [layers.Rescaling(2.0, -1.0)], "unit"),
    "from [-1, 1]": (lambda: [layers.Rescaling(0.5, 0.5)], "tf"),
    "back to pixels": (lambda: [layers.Rescaling(255.0)], "unit"),
    "function": (lambda: [layers.Lambda(lambda x: x / 127.5 - 1.0)], "raw"),
    "nothing": (list, None),
    "augmentation alone": (lambda: [layers.RandomFlip("horizontal")], None),
    "adapted to [0, 1]": (lambda: [adapted(RAW / 255)], None),
    "adapted to 12 bits": (lambda: [adapted(16 * RAW)], None),
    "standardised one by one": (lambda: [layers.Lambda(lambda x: x - ops.mean(x))], None),
    "learned": (lambda: [layers.BatchNormalization()], None),
}


@pytest.mark.parametrize("name", FRONTS)
def test_what_the_layers_are_made_for(name):
    front, mode = FRONTS[name]
    (answer,) = expect_from_structure(network(*front()))
    assert (answer.convention.mode, answer.speaks) == (mode or "unknown", mode is not None)
    if mode is not None:
        assert answer.convention.channel_order == "rgb"
        assert "The model's own layers compute" in answer.evidence[0]


def test_a_normalization_that_was_adapted_to_raw_pixels():
    """Its numbers do not show the order: they are those of the images that it was adapted to."""
    dark = 0.5 * RAW.mean(axis=-1, keepdims=True)
    gray = network(adapted(dark), channels=1)
    assert before_own_layers(gray, 0)[0] == InputConvention("raw", "gray")
    model = network(adapted())
    assert sg.diagnose(model, RAW).status == sg.diagnose(model, RAW[..., ::-1]).status == "ok"
    wrong = sg.diagnose(model, RAW / 255)
    assert wrong.status == "mismatch" and "x = x * 255.0" in str(wrong)


def two_inputs(merge):
    left, right = keras.Input((16, 16, 3), name="left"), keras.Input((16, 16, 3), name="right")
    return keras.Model([left, right], merge(left, right))


def apart(left, right):
    return layers.Add()([layers.Conv2D(2, 3)(left / 255.0), layers.Conv2D(2, 3)(right)])


def repeated(scale):
    x = keras.Input((16, 16, 1))
    return keras.Model(x, layers.Conv2D(2, 3)(layers.Concatenate()([x, x, x]) / scale))


@pytest.mark.parametrize(
    ("model", "position", "order"),
    [
        (lambda: network(to_unit(), channels=1), 0, "gray"),
        (lambda: network(to_unit(), channels=4), 0, "unknown"),
        (lambda: network(to_unit(), body=[layers.Flatten()]), 0, "rgb"),
        (lambda: repeated(255.0), 0, "gray"),
        (lambda: repeated(1.0), 0, None),  # a gray image that is only repeated says nothing
        (lambda: two_inputs(apart), 0, "rgb"),
        (lambda: two_inputs(apart), 1, None),
        (lambda: two_inputs(lambda a, b: layers.Conv2D(2, 3)((a + b) / 255.0)), 0, None),
    ],
    ids=["gray", "four", "dense", "repeated", "only repeated", "left", "right", "mixed"],
)
def test_other_models(model, position, order):
    found = before_own_layers(model(), position)
    assert (found and found[0]) == (order and InputConvention("raw", order))


def test_the_verdict_of_a_tutorial_model():
    model = network(to_unit())
    assert sg.diagnose(model, RAW).status == "ok"
    wrong = sg.diagnose(model, RAW / 255)
    assert (wrong.status, wrong.expected.mode, wrong.observed.mode) == ("mismatch", "raw", "unit")
    assert wrong.advice == "x = x * 255.0"
    # What the user states in `expects=` has priority over the layers.
    said = sg.diagnose(model, RAW / 255, expects="unit")
    assert said.status == "ok" and "own layers are made for raw" in str(said.evidence)


def test_images_standardised_one_by_one_may_be_what_the_model_has_learned():
    model = network(to_unit())
    axes = (1, 2, 3)
    images = (RAW - RAW.mean(axes, keepdims=True)) / RAW.std(axes, keepdims=True)
    found = sg.diagnose(model, images)
    assert (found.status, found.expected.mode, found.standardised) == ("unknown", "raw", True)
    assert found.fix is None and found.advice == ""
    assert sg.Diagnosis.from_dict(found.to_dict()).standardised
    said = sg.diagnose(model, images, expects="tf")
    assert said.status == "mismatch" and said.advice.startswith("x = x / 127.5 - 1.0  # ")


@pytest.mark.parametrize("start", [0.0, -2.0], ids=["zeros", "rare classes"])
def test_training_from_scratch_is_no_mismatch_but_has_a_hint(start):
    last = layers.Dense(3, bias_initializer=keras.initializers.Constant(start))
    body = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), last]
    model = keras.Sequential([keras.Input((64, 64, 3)), to_unit(), *body])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = sg.ShiftGuard(verbose=0)
    model.fit(RAW / 255, np.zeros(len(RAW)), callbacks=[guard], verbose=0)
    assert guard.diagnosis.status == "ok" and guard.diagnosis.trained_here
    assert "the images may be scaled twice" in str(guard.diagnosis)
    assert guard.verdict.state == "look" and guard.verdict.step == "print(guard.diagnosis)"

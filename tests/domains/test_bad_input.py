"""Errors before training: models, arguments and data that domain adaptation cannot use."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array, network
from domains.adapted import adapted

from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.domains.feature_split import Split
from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.errors import BadInputError, ShiftWarning

Dense = keras.layers.Dense
X = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
Y = np.arange(64) % 2
SEVERAL, BINARY = np.stack([Y, np.ones(64, int)], axis=1), "binary_crossentropy"
# Only some samples of the source are measured; one of the others has another class.
MANY, SELDOM = (
    np.zeros((2000, 2), "float32"),
    np.where(np.arange(2000) == 1, 7, np.arange(2000) % 2),
)

NET = {"feature_layer": "net"}
TOKENS = np.random.default_rng(0).integers(0, 7, (64, 5)).astype("int32")
IMAGES = np.random.default_rng(0).random((64, 4, 4, 1)).astype("float32")


def of_images():
    layers = [keras.layers.Flatten(), Dense(4), Dense(2)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def of_sigmoids():
    return keras.Sequential([network(), keras.layers.Activation("sigmoid")])


def of_tokens():
    layers = [keras.layers.Embedding(7, 3), keras.layers.GlobalAveragePooling1D(), Dense(4)]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *layers, Dense(2)])


def frozen():
    model = network()
    model.trainable = False
    return model


def refused(match, x=X, y=Y, target=X, model=None, loss="sparse_categorical_crossentropy", **kw):
    base = None if model is None else model()
    built = adapted(kw.pop("method", "dann"), base, loss=loss, **{"feature_layer": None, **kw})
    before = built.base.get_weights()
    with pytest.raises(BadInputError, match=match):
        built.fit(x, y, target_data=target, verbose=0)
    for a, b in zip(built.base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("match", "kw"),
    [
        ("shape", {"target": np.zeros((20, 3), "float32")}),
        ("dtype", {"target": np.zeros((20, 2), "int32")}),
        ("dtype", {"target": np.full((20, 2), "a")}),
        ("not finite", {"target": np.full((20, 2), np.nan, "float32")}),
        ("`target_data` is empty", {"target": X[:0]}),
        ("`target_data` must be data, not a path", {"target": "photos/"}),
        ("3 samples", {"target": X[:3]}),
        ("same inputs", {"target": {"a": X}}),
        ("no labels", {"y": None}),
        ("single class", {"y": np.zeros(64, int)}),
        ("0 to 1", {"y": np.arange(64) % 3}),
        ("labels are .*'a'", {"y": np.full(64, "a")}),
        ("regression", {"loss": "mse", "method": "cdan"}),
        ("regression", {"loss": "mse", "method": ("mmd", "adamatch")}),
        ("one class for each sample", {"y": SEVERAL, "loss": BINARY, "method": "adamatch"}),
        ("run from 0 to 7", {"x": MANY, "y": SELDOM}),
        ("/ 255", {"x": IMAGES, "target": 255 * IMAGES, "model": of_images}),
        (r"\* 255", {"x": 255 * IMAGES, "target": IMAGES, "model": of_images}),
        ("image.resize", {"x": IMAGES, "target": IMAGES[:, :3, :3], "model": of_images}),
        ("all its layers are frozen", {"model": frozen}),
        (
            "ends in 2 sigmoids",
            {"y": SEVERAL, "model": of_sigmoids, "loss": BINARY, "method": "auto", **NET},
        ),
        (
            "'auto' needs .* pass `augmentation=`",
            {"x": TOKENS, "target": TOKENS, "model": of_tokens, "method": "auto"},
        ),
    ],
)
def test_streams(match, kw):
    refused(match, **kw)


def test_an_augmentation_must_change_something():
    augmentation = AdaptiveAugmentation()
    images = {"x": IMAGES, "target": IMAGES, "model": of_images}
    how = {"method": "adamatch", "augmentation": augmentation, "feature_layer": None}
    refused("`augmentation` changes no sample", **images, **how)
    augmentation.set_strengths({"noise": 0.5})
    loss = "sparse_categorical_crossentropy"
    adapted(base=of_images(), loss=loss, **how).fit(IMAGES, Y, target_data=IMAGES, verbose=0)


def test_what_can_be_used_is_used_and_said(capsys):
    """Several labels for each sample; a validation of one sample; a target with labels."""
    built = adapted(loss="binary_crossentropy", verbose=1)
    one = {"validation_data": (X[:1], SEVERAL[:1])}
    built.fit(X, SEVERAL, target_data=(X + 1, Y), verbose=0, **one)
    assert np.isnan(built.looks[-1].source_accuracy) and built.looks[-1].distance > 0
    assert "holds labels: they are left out" in capsys.readouterr().out


def test_a_step_of_the_models_class_is_not_ignored_in_silence():
    class Own(keras.Model):
        def test_step(self, data):
            return super().test_step(data)

    inputs = keras.Input((2,))
    model = Own(inputs, Dense(2)(Dense(4, name="features")(inputs)))
    with pytest.warns(ShiftWarning, match="Own itself defines `test_step`"):
        DomainAdaptationModel(model, verbose=0)


def test_ignored_labels_are_left_out():
    y = Y.copy()
    y[::7] = 255
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = adapted("auto", loss=loss)
    model.fit(X, y, target_data=X + 1, validation_data=(X, y), verbose=0)
    right = model.predict(X, verbose=0).argmax(axis=1) == y
    assert model.looks[-1].source_accuracy == pytest.approx(right[y != 255].mean())
    refused("run from 0 to 255", y=y)


def test_the_order_of_a_dict_of_inputs_does_not_matter():
    inputs = {name: keras.Input((2,), name=name) for name in ("a", "b")}
    features = Dense(4, name="features")(keras.layers.Concatenate()(list(inputs.values())))
    model = adapted(base=keras.Model(inputs, Dense(2)(features)))
    target = {"b": X + 1, "a": X}
    history = model.fit({"a": X, "b": X}, Y, target_data=target, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("match", "kw"),
    [
        ("method", {"method": "magic"}),
        ("method", {"method": ()}),
        ("`method` must be", {"method": 3}),
        ("method", {"method": ("dann", "dann")}),
        ("method", {"method": ("auto", "dann")}),
        ("strength", {"strength": -1}),
        ("`strength` must be", {"strength": "1"}),
        ("entropy", {"entropy": True}),
        ("`units` must be a tuple", {"units": 0}),
        ("`units` is an option of", {"units": (50,), "method": ("mmd", "adamatch")}),
        ("`augmentation` must be a Keras layer", {"augmentation": "strong"}),
        (r"none of these. Candidates: \['first', 'features'\]", {"feature_layer": "x"}),
        ("is the output", {"feature_layer": "answer"}),
        ("must be a keras.Model", {"model": "net"}),
        ("no split point", {"model": keras.Sequential([Dense(2)])}),
        ("no split point", {"model": keras.Sequential([keras.Input((2,)), Dense(2)])}),
        (
            "no layer of it has weights",
            {"model": keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])},
        ),
        (
            "one row of numbers",
            {"model": keras.Sequential([keras.Input((4, 2)), Dense(3), Dense(2)])},
        ),
    ],
)
def test_arguments(match, kw):
    with pytest.raises(BadInputError, match=match):
        DomainAdaptationModel(**{"model": network(), "verbose": 0, **kw})


def test_the_default_split_is_the_input_of_the_head(capsys):
    DomainAdaptationModel(network())
    assert "'features', the input of the head" in capsys.readouterr().out
    layers = [Dense(3, name="features"), Dense(2), keras.layers.Softmax()]
    first = keras.Sequential([keras.Input((2,)), *layers])
    # The same layers in a second model, and in a model to which layers are added one by one, as
    # Keras does when it loads a model.
    grown = keras.Sequential([keras.Input((2,)), Dense(2)])
    for layer in layers:
        grown.add(layer)
    for model in (first, grown):
        split = Split(model)
        features, outputs = map(as_array, split.features_and_outputs(X))
        assert split.name == "features" and features.shape == (len(X), 3)
        np.testing.assert_allclose(outputs, as_array(model(X)), rtol=1e-6)


def test_a_split_of_weighted_samples_without_labels():
    model = adapted()
    weights = np.ones(64, "float32")
    with pytest.raises(BadInputError, match="no labels"):
        model.fit(X, sample_weight=weights, validation_split=0.25, target_data=X, verbose=0)

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


def refused(match, x=X, y=Y, target=X, model=None, loss="sparse_categorical_crossentropy", **kw):
    built = adapted(kw.pop("method", "dann"), model, loss=loss, **{"feature_layer": None, **kw})
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
    ],
)
def test_streams(match, kw):
    refused(match, **kw)


def test_a_method_with_classes_refuses_several_sigmoids():
    model = keras.Sequential([network(), keras.layers.Activation("sigmoid")])
    how = {"loss": "binary_crossentropy", "method": "auto", "feature_layer": "net"}
    refused("ends in 2 sigmoids", y=np.eye(2)[Y], model=model, **how)


def test_samples_with_several_labels_can_be_aligned():
    built = adapted(loss="binary_crossentropy")
    built.fit(X, SEVERAL, target_data=X + 1, verbose=0)
    assert np.isnan(built.looks[-1].source_accuracy) and built.looks[-1].distance > 0


@pytest.mark.parametrize("name", ["compute_loss", "compute_metrics", "test_step"])
def test_a_step_of_the_models_class_is_not_ignored_in_silence(name):
    def own(self, *args, **kwargs):
        return getattr(keras.Model, name)(self, *args, **kwargs)

    inputs = keras.Input((2,))
    features = Dense(4, name="features")(inputs)
    model = type("Own", (keras.Model,), {name: own})(inputs, Dense(2)(features))
    with pytest.warns(ShiftWarning, match=f"Own itself defines `{name}`"):
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


def test_validation_of_a_single_sample_is_not_measured():
    model = adapted()
    model.fit(X, Y, target_data=X + 1, validation_data=(X[:1], Y[:1]), verbose=0)
    assert all(np.isfinite(look.distance) for look in model.looks)


def image_model():
    layers = [keras.layers.Flatten(), Dense(4), Dense(2)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


IMAGES = np.random.default_rng(0).random((64, 4, 4, 1)).astype("float32")


@pytest.mark.parametrize(
    ("match", "x", "target"),
    [
        ("/ 255", IMAGES, 255 * IMAGES),
        (r"\* 255", 255 * IMAGES, IMAGES),
        ("image.resize", IMAGES, np.zeros((20, 5, 5, 1), "float32")),
    ],
)
def test_images_of_another_range_get_the_fix(match, x, target):
    refused(match, x, Y, target, image_model())


def test_an_augmentation_must_change_something():
    model, augmentation = image_model(), AdaptiveAugmentation()
    how = {"method": "adamatch", "augmentation": augmentation}
    refused("`augmentation` changes no sample", IMAGES, Y, IMAGES, model, **how)
    augmentation.set_strengths({"noise": 0.5})
    how |= {"loss": "sparse_categorical_crossentropy", "feature_layer": None}
    adapted(base=model, **how).fit(IMAGES, Y, target_data=IMAGES, verbose=0)


def test_tokens_need_an_augmentation_of_ones_own():
    inputs = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(7, 3)(inputs)
    x = keras.layers.Dense(4)(keras.layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, Dense(2)(x))
    tokens = np.random.default_rng(0).integers(0, 7, (64, 5)).astype("int32")
    refused("'auto' needs .* pass `augmentation=`", tokens, Y, tokens, model, method="auto")


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
    ],
)
def test_arguments(match, kw):
    with pytest.raises(BadInputError, match=match):
        DomainAdaptationModel(network(), verbose=0, **kw)


class Own(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("match", "model"),
    [
        ("must be a keras.Model", lambda: "net"),
        ("no split point", Own),
        ("no split point", lambda: keras.Sequential([keras.Input((2,)), Dense(2)])),
        (
            "no layer of it has weights",
            lambda: keras.Sequential([keras.Input((2,)), keras.layers.ReLU()]),
        ),
        (
            "one row of numbers",
            lambda: keras.Sequential([keras.Input((4, 2)), Dense(3), Dense(2)]),
        ),
    ],
)
def test_models_without_a_split_point(match, model):
    with pytest.raises(BadInputError, match=match):
        Split(model())


def test_the_default_split_is_named(capsys):
    DomainAdaptationModel(network())
    assert "'features', the input of the head" in capsys.readouterr().out
    layers = [Dense(3, name="features"), Dense(2), keras.layers.Softmax()]
    activated = keras.Sequential([keras.Input((2,)), *layers])
    # The same layers in a second model, and in a model to which layers are added one by one, as
    # Keras does when it loads a model.
    second = keras.Sequential([keras.Input((2,)), *layers])
    grown = keras.Sequential([keras.Input((2,))])
    for layer in (Dense(4), Dense(3, name="features"), Dense(2), keras.layers.Softmax()):
        grown.add(layer)
    for model in (activated, second, grown):
        split = Split(model)
        features, outputs = map(as_array, split.features_and_outputs(X))
        assert split.name == "features" and features.shape == (len(X), 3)
        np.testing.assert_allclose(outputs, as_array(model(X)), rtol=1e-6)


def test_labels_of_the_target_are_said_to_be_left_out(capsys):
    model = adapted(verbose=1)
    model.fit(X, Y, target_data=(X, Y), verbose=0)
    assert "holds labels: they are left out" in capsys.readouterr().out


def test_a_split_of_weighted_samples_without_labels():
    model = adapted()
    weights = np.ones(64, "float32")
    with pytest.raises(BadInputError, match="no labels"):
        model.fit(X, sample_weight=weights, validation_split=0.25, target_data=X, verbose=0)

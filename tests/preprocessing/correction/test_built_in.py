"""A model with a built-in fix predicts as on corrected images, and loads without this package."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_shiftguard.errors import BadInputError, ShiftWarning
from keras_shiftguard.preprocessing.correction.built_in import apply_correction
from keras_shiftguard.preprocessing.correction.convention import InputConvention, layer_between
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnosis import Diagnosis

pytestmark = pytest.mark.backend

UNIT, CAFFE = InputConvention("unit"), InputConvention("caffe", "bgr")
RAW, TF = InputConvention("raw"), InputConvention("tf")
FIX, TO_RAW = (layer_between(UNIT, each, "channels_last") for each in (CAFFE, RAW))
ODD = InputCorrection((1.0, 2.0, 3.0), (0.0, -1.0, 0.5), (1, 2, 0), "channels_last")
EXTRA = np.ones((6, 2), "float32")
RAW_IMAGES = np.random.default_rng(4).integers(0, 256, (4, 10, 9, 3)).astype("uint8")


def fixed(x, fix=FIX):
    return np.asarray(fix(x))


def images(n=6, order="last"):
    x = np.random.default_rng(3).random((n, 10, 9, 3)).astype("float32")
    return x if order == "last" else np.moveaxis(x, -1, 1)


def head(x):
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(0.01, dtype="float32")(x))
    return layers.Dense(3, activation="softmax", name="scores")(layers.Flatten()(x))


def functional():
    x = keras.Input((10, 9, 3), name="picture")
    return keras.Model(x, head(x), name="small")


def sequential():
    return keras.Sequential(
        [keras.Input((10, 9, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    )


@keras.saving.register_keras_serializable(package="test_corrected")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv, self.scores = layers.Conv2D(4, 3), layers.Dense(3)

    def call(self, x):
        if isinstance(x, dict):
            x = x["left"] - x["right"]
        return self.scores(ops.mean(self.conv(x), (1, 2)))


def subclassed():
    model = Subclassed()
    model(images(2))
    return model


def two_inputs(as_dict=False):
    left, right = keras.Input((10, 9, 3), name="left"), keras.Input((10, 9, 3), name="right")
    extra = keras.Input((2,), name="extra")
    both = layers.Concatenate()([head(left), layers.Flatten()(right), extra])
    outputs = [layers.Dense(2, name="a")(both), layers.Dense(3, name="b")(both)]
    if as_dict:
        inputs = {"left": left, "right": right, "extra": extra}
        return keras.Model(inputs, dict(zip("ab", outputs, strict=True)), name="two")
    return keras.Model([left, right, extra], outputs, name="two")


def close(model, x, reference):
    for a, b in zip(
        keras.tree.flatten(model.predict(x, verbose=0)), keras.tree.flatten(reference), strict=True
    ):
        b = ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize(
    ("make", "fix"),
    [(functional, FIX), (functional, ODD), (sequential, FIX), (subclassed, FIX)],
    ids=["functional", "any permutation", "sequential", "subclassed"],
)
def test_predictions_are_those_on_corrected_images(make, fix):
    model = make()
    wrong = model.predict(images(), verbose=0)
    reference = model.predict(fixed(images(), fix), verbose=0)
    assert np.abs(wrong - reference).max() > 1e-3  # the fix changes the predictions
    corrected = apply_correction(model, fix)
    close(corrected, images(), reference)
    # The weights are shared, none are added, and the model itself is unchanged.
    assert len(corrected.weights) == len(model.weights)
    assert all(a is b for a, b in zip(corrected.weights, model.weights, strict=True))
    close(model, images(), wrong)


def test_a_model_that_takes_integers_gets_rounded_ones():
    x = keras.Input((10, 9, 3), dtype="uint8")
    model = keras.Model(x, ops.cast(x, "int32"))
    raw = np.arange(2 * 10 * 9 * 3).reshape(2, 10, 9, 3) % 256
    corrected = apply_correction(model, layer_between(TF, RAW, "channels_last"))
    np.testing.assert_array_equal(corrected.predict(TF.from_raw(raw), verbose=0), raw)


@pytest.mark.parametrize("global_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("order", ["first", "last"])
def test_either_layout_under_either_default(order, global_format):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(global_format)
    try:
        fix = layer_between(UNIT, CAFFE, f"channels_{order}")
        x = keras.Input((10, 9, 3) if order == "last" else (3, 10, 9))
        fed = images(order=order)
        close(apply_correction(keras.Model(x, x * 2.0), fix), fed, 2 * fixed(fed, fix))
    finally:
        keras.config.set_image_data_format(before)


def test_mixed_precision_does_not_round_the_pixels():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        x = keras.Input((10, 9, 3))
        model = keras.Model(x, layers.Rescaling(1.0, dtype="float32", name="plain")(x))
        corrected = apply_correction(model, FIX)
        close(corrected, images(), fixed(images()))
        assert corrected.output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_several_inputs():
    fed = [images(), images() * 2 - 1, EXTRA]
    named = dict(zip(("left", "right", "extra"), fed, strict=True))
    fix_right = layer_between(InputConvention("tf", "bgr"), RAW, "channels_last")
    model = two_inputs()
    reference = model([fixed(fed[0]), fixed(fed[1], fix_right), fed[2]])
    corrected = apply_correction(model, {"left": FIX, "right": fix_right})
    close(corrected, fed, reference)
    close(corrected, named, reference)
    assert corrected.output_names == ["a", "b"]
    # Only one input has a fix. Its name is its number, as for data without names.
    only = apply_correction(model, {"input_1": fix_right})
    close(only, fed, model([fed[0], fixed(fed[1], fix_right), fed[2]]))
    keyed = two_inputs(as_dict=True)
    wanted = keyed({**named, "left": fixed(fed[0])})
    close(apply_correction(keyed, {"left": FIX}), named, wanted)


def test_a_subclassed_model_with_a_dict():
    model = Subclassed()
    data = {"left": images(), "right": images()[::-1].copy()}
    model(data)
    reference = model({"left": fixed(data["left"]), "right": data["right"]})
    close(apply_correction(model, {"left": FIX}), data, reference)


class Stubborn(keras.Model):
    def call(self, x):
        raise RuntimeError("only real tensors, please")


@pytest.mark.parametrize(
    ("make", "fix", "words"),
    [
        (two_inputs, FIX, "2 image inputs: say which"),
        (two_inputs, {"middle": FIX}, "no input 'middle'. Its inputs: .*'left', 'right'"),
        (Stubborn, FIX, "(?s)dataset.map.*only real tensors"),
    ],
)
def test_what_cannot_be_corrected(make, fix, words):
    with pytest.raises(BadInputError, match=words):
        apply_correction(make(), fix)


@pytest.mark.thorough
def test_it_stays_compiled():
    model = functional()
    y = np.arange(6) % 3
    loss, metrics = {"scores": "sparse_categorical_crossentropy"}, {"scores": ["accuracy"]}
    model.compile("adam", loss=loss, metrics=metrics)
    corrected = apply_correction(model, FIX)
    expected = model.evaluate(fixed(images()), y, verbose=0, return_dict=True)
    found = corrected.evaluate(images(), y, verbose=0, return_dict=True)
    assert set(found) == set(expected) >= {"accuracy", "loss"}
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
    before = [np.array(w) for w in model.get_weights()]
    corrected.fit(images(), y, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_loss_of_the_users_own():
    def my_loss(y_true, y_pred):
        return ops.mean(ops.square(y_pred), axis=-1)

    model = functional()
    model.compile("sgd", my_loss)
    with pytest.warns(ShiftWarning, match="corrected model is not compiled"):
        corrected = apply_correction(model, FIX)
    close(corrected, images(), model(fixed(images())))


def test_through_the_diagnosis():
    model, two = functional(), two_inputs()
    verdict = Diagnosis("mismatch", CAFFE, UNIT, fix=FIX)
    close(verdict.apply(model), images(), model(fixed(images())))
    both = Diagnosis.worst({"left": verdict, "right": Diagnosis("ok", UNIT, UNIT)})
    fed = [images(), images(), EXTRA]
    close(both.apply(two), fed, two([fixed(fed[0]), *fed[1:]]))


LOADER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "keras_shiftguard":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import keras, numpy as np

for path in sys.argv[1:]:
    fed, wanted = (list(np.load(f"{path}.{name}.npz").values()) for name in ("fed", "wanted"))
    model = keras.models.load_model(path)
    found = model.predict(fed if len(fed) > 1 else fed[0], verbose=0)
    for a, b in zip(keras.tree.flatten(found), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
assert "keras_shiftguard" not in sys.modules
print("loaded", len(sys.argv) - 1)
"""


@pytest.mark.thorough
def test_saved_files_load_without_this_package(tmp_path):
    x = keras.Input((3, 10, 9))
    flat = keras.Model(x, layers.Dense(2)(layers.Flatten()(x)))
    integer = keras.Input((10, 9, 3), dtype="uint8")
    whole = keras.Model(integer, head(ops.cast(integer, "float32")))
    first = layer_between(UNIT, CAFFE, "channels_first")
    cases = [
        (apply_correction(functional(), FIX), [images()]),
        (apply_correction(functional(), ODD), [images()]),
        (apply_correction(sequential(), FIX), [images()]),
        (apply_correction(functional(), layer_between(RAW, CAFFE, "channels_last")), [RAW_IMAGES]),
        (apply_correction(flat, first), [images(order="first")]),
        (apply_correction(whole, TO_RAW), [images()]),
        (apply_correction(two_inputs(), {"left": FIX, "right": TO_RAW}), [images()] * 2 + [EXTRA]),
    ]
    cases[0][0].compile("adam", "mse")
    paths = [f"{i}.keras" for i in range(len(cases))]
    for path, (model, fed) in zip(paths, cases, strict=True):
        model.save(tmp_path / path)
        wanted = model.predict(fed if len(fed) > 1 else fed[0], verbose=0)
        np.savez(tmp_path / f"{path}.fed.npz", *fed)
        np.savez(tmp_path / f"{path}.wanted.npz", *keras.tree.flatten(wanted))
    done = subprocess.run(
        [sys.executable, "-c", LOADER, *paths],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith(f"loaded {len(cases)}")

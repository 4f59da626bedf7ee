"""`diagnose`: its verdicts, and clear errors for bad input before the model runs."""

import keras
import numpy as np
import pytest
from keras import layers
from remembering import remember

import keras_shiftguard as sg

pytestmark = pytest.mark.backend


def two_inputs(names=("left", "right"), channels=(3, 3)):
    inputs = [keras.Input((32, 32, c), name=n) for n, c in zip(names, channels, strict=True)]
    return keras.Model(inputs, layers.Conv2D(2, 3)(inputs[0] + inputs[1]))


def small(channels=3, front=()):
    body = [layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    return keras.Sequential([keras.Input((32, 32, channels)), *front, *body])


@pytest.fixture(scope="module")
def mobile_net():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(
        weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=4
    )


@pytest.fixture(scope="module")
def trained(mobile_net):
    """Returns a copy of the network with the batch-norm memory of images in [-1, 1]."""
    coarse = np.random.default_rng(1).integers(0, 256, (16, 4, 4, 3))
    return remember(mobile_net, np.kron(coarse, np.ones((1, 8, 8, 1))) / 127.5 - 1.0)


def test_untrained_weights_convict_nobody(mobile_net, raw_images):
    assert sg.diagnose(mobile_net, raw_images / 127.5 - 1.0).status == "ok"
    found = sg.diagnose(mobile_net, raw_images)
    assert (found.status, found.expected.mode, found.observed.mode) == ("unknown", "tf", "raw")
    assert "these weights look untrained" in str(found)


@pytest.mark.parametrize(
    "channels", [3, *(pytest.param(n, marks=pytest.mark.thorough) for n in (2, 4))]
)
def test_right_and_wrong(channels, rng):
    keras.utils.set_random_seed(0)
    norm, pool = layers.BatchNormalization(), layers.GlobalAveragePooling2D()
    conv = layers.Conv2D(8, 3, use_bias=False)
    coarse = np.kron(rng.integers(0, 256, (48, 4, 4, channels)), np.ones((1, 8, 8, 1)))
    raw = np.clip(coarse + rng.normal(0, 8, coarse.shape), 0, 255).round().astype("float32")
    model = remember(
        keras.Sequential([keras.Input((32, 32, channels)), conv, norm, pool]), raw / 255
    )
    right = sg.diagnose(model, raw / 255)
    assert right.status == "ok" and right.fix is None
    wrong = sg.diagnose(model, raw)
    assert (wrong.status, wrong.expected.mode, wrong.observed.mode) == ("mismatch", "unit", "raw")
    assert wrong.advice == "x = x / 255.0"
    np.testing.assert_allclose(
        wrong.apply(model).predict(raw, verbose=0), model.predict(raw / 255, verbose=0), atol=1e-4
    )
    model.compile("sgd", "mse")
    guard = sg.ShiftGuard(on_mismatch="fix", verbose=0)
    with pytest.warns(sg.ShiftWarning, match="Corrected inside fit"):
        model.fit(raw, np.zeros((48, 8)), batch_size=16, epochs=1, verbose=0, callbacks=[guard])
    assert guard.diagnosis.status == "mismatch" and guard.diagnosis.expected.mode == "unit"


@pytest.mark.thorough
def test_doubled_preprocessing_inside_the_model(trained, raw_images):
    front = layers.Rescaling(1 / 127.5, offset=-1, name="to_tf")
    outer = keras.Sequential([keras.Input((32, 32, 3)), front, trained])
    assert sg.diagnose(outer, raw_images).status == "ok"
    found = sg.diagnose(outer, raw_images / 127.5 - 1.0)
    assert found.status == "mismatch" and "in its layer 'to_tf'. Remove one" in str(found.evidence)


def test_max_samples(raw_images):
    model = small()
    assert sg.diagnose(model, raw_images, max_samples=np.int64(9)).num_samples == 9
    many = np.tile(raw_images, (9, 1, 1, 1))  # more than one batch
    assert sg.diagnose(model, many, max_samples=140).num_samples == 140


def test_a_model_without_images():
    found = sg.diagnose(keras.Sequential([keras.Input((4,)), layers.Dense(1)]), np.ones((8, 4)))
    assert "Needed: images of shape (batch, height, width, channels); none" in str(found)


@pytest.mark.thorough
def test_several_inputs_are_judged_one_by_one(trained, raw_images):
    left, right = keras.Input((32, 32, 3), name="left"), keras.Input((32, 32, 3), name="right")
    twice = keras.Model(
        {"left": left, "right": right}, layers.Add()([trained(left), trained(right)])
    )
    for fed, status in ((raw_images / 127.5 - 1.0, "ok"), (raw_images, "unknown")):
        diagnosis = sg.diagnose(twice, {"left": raw_images / 127.5 - 1.0, "right": fed})
        # The network reads the left input first, so its batch norm can judge only the left input.
        found = {name: d.status for name, d in diagnosis.by_input.items()}
        assert found == {"left": "ok", "right": status} and diagnosis.status == status
    said = sg.diagnose(twice, {"left": raw_images, "right": fed}, expects={"left": "tf"})
    assert said.by_input["left"].status == said.status == "mismatch"


def test_the_line_to_paste_says_which_of_several_inputs_it_is_for(raw_images):
    found = sg.diagnose(two_inputs(), [raw_images / 255.0, raw_images], expects="unit")
    assert found.by_input["left"].status == "ok" and found.status == "mismatch"
    assert found.advice == "x = x / 255.0  # x: the input 'right'"
    with pytest.raises(sg.BadInputError, match="A tuple is .x, y., with labels; pass several"):
        sg.diagnose(two_inputs(), (raw_images, raw_images))


def test_the_line_to_paste_works_on_tensors(raw_images):
    casts = {"torch": "x.float()", "tensorflow": "tf.cast(x, tf.float32)"}
    cast = casts.get(keras.backend.backend(), 'x.astype("float32")')
    x = keras.ops.convert_to_tensor(raw_images.astype("uint8"))
    found = sg.diagnose(two_inputs(), [x, x], expects="tf").by_input
    wanted = f"x = {cast}; x = x / 127.5 - 1.0  # x: the input 'right'"
    assert found["right"].advice == wanted


def test_one_statement_is_not_of_a_mask_beside_the_images(raw_images):
    model = two_inputs(("image", "mask"), (3, 1))
    masks = (raw_images[..., :1] > 99).astype("float32")
    images = raw_images / 127.5 - 1.0
    for expects in ("tf", {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}):
        found = sg.diagnose(model, [images, masks], expects=expects).by_input
        assert (found["image"].status, found["mask"].status) == ("ok", "unknown")
        assert "not for 'mask'" in found["mask"].hints[-1].sentence
        assert not found["image"].hints
    both = sg.diagnose(model, [images, masks], expects={"image": "tf", "mask": "unit"})
    assert both.status == "ok" and not both.hints
    # Without colors, the statement is of all inputs.
    found = sg.diagnose(two_inputs(channels=(1, 1)), [images[..., :1], masks], expects="tf")
    assert [each.status for each in found.by_input.values()] == ["ok", "mismatch"]


@pytest.mark.parametrize("transposed", [False, True])
def test_a_model_with_the_channels_first(raw_images, transposed):
    """The layout of the channels is that of the model's layers, not the default of Keras."""
    images = keras.Input((32, 32, 3) if transposed else (3, 32, 32))
    x = layers.Permute((3, 1, 2))(images) if transposed else images
    x = layers.Conv2D(4, 3, data_format="channels_first")(x)
    model = keras.Model(images, layers.GlobalAveragePooling2D(data_format="channels_first")(x))
    fed = raw_images if transposed else raw_images.transpose(0, 3, 1, 2)
    wrong = sg.diagnose(model, fed, expects="torch")
    assert wrong.status == "mismatch"
    scope = {"keras": keras, "np": np, "x": fed.astype("float32")}
    exec(wrong.advice, scope)
    want = sg.InputConvention("torch").from_raw(raw_images)
    want = want if transposed else want.transpose(0, 3, 1, 2)
    for found in (scope["x"], keras.ops.convert_to_numpy(wrong.fix(fed))):
        np.testing.assert_allclose(found, want, atol=1e-3)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda x: x.transpose(0, 3, 1, 2), r"Received: .*np.moveaxis\(x, 1, -1\)"),
        (lambda x: x[0], r"takes shape \(any, 32, 32, 3\).*Add the batch dimension"),
        (lambda x: x[..., :1], r"Received: \(16, 32, 32, 1\)"),
        (lambda x: x[:0], "empty"),
        (lambda x: (x, np.zeros(3)), "same number of samples"),
        (list, r"A list is taken for several inputs; stack images with np.stack\(images\)"),
        (lambda x: {"picture": x, "other": x}, "input 'input', which `data` lacks"),
        (lambda x: "photos/", "must be data, not a path"),
    ],
)
def test_bad_data(raw_images, change, words):
    with pytest.raises(sg.BadInputError, match=words):
        sg.diagnose(small(), change(raw_images))


def test_bad_arguments(raw_images):
    for wrong, words in (
        (3, "must be a keras.Model, or the path"),
        ("model.keras", "no saved model at 'model.keras'"),
        (__file__, "Keras cannot load"),
    ):
        with pytest.raises(sg.BadInputError, match=words):
            sg.diagnose(wrong, raw_images)
    with pytest.raises(sg.BadInputError, match="max_samples=0"):
        sg.diagnose(small(), raw_images, max_samples=0)


def test_non_finite_pixels(raw_images):
    model, x = small(), raw_images / 127.5 - 1.0
    x[0, 0, 0, 0] = np.nan
    diagnosis = sg.diagnose(model, (x, np.linspace(-5, 5, 16)))  # labels that fit no model
    sentences = [*diagnosis.evidence, *(hint.sentence for hint in diagnosis.hints)]
    assert any("finite" in sentence for sentence in sentences)
    assert sg.diagnose(model, np.full_like(x, np.nan)).status == "mismatch"


class Cleaned(layers.Layer):
    """Puts 0 in place of NaN, as models of satellite images without clouds do."""

    def call(self, x):
        return keras.ops.where(keras.ops.isnan(x), 0.0, x)


@pytest.mark.parametrize(
    ("front", "value", "status"),
    [([Cleaned()], np.nan, "unknown"), ([], np.nan, "mismatch"), ([Cleaned()], np.inf, "mismatch")],
)
def test_what_the_model_cleans_itself_is_no_mismatch(raw_images, front, value, status):
    x = np.repeat(raw_images / 255, [1] * (len(raw_images) - 1) + [30], axis=0)
    x[-25:] = value  # only the broken images count
    assert sg.diagnose(small(front=front), x).status == status


@pytest.mark.parametrize(("expects", "comment"), [(("caffe", "bgr"), True), (("tf", "rgb"), False)])
def test_a_line_that_reverses_the_channels_says_what_it_assumes(raw_images, expects, comment):
    found = sg.diagnose(small(), raw_images / 255, expects=sg.InputConvention(*expects))
    assert found.status == "mismatch"
    said = "# assumes that x is RGB; if cv2 read the images, first: x = x[..., ::-1]"
    assert found.advice.endswith(said) == comment
    images = {"x": raw_images / 255, "keras": keras}
    exec(found.advice, images)  # a comment at its end
    wanted = sg.InputConvention(*expects).from_raw(raw_images)
    np.testing.assert_allclose(np.asarray(images["x"]), wanted, atol=1e-2)

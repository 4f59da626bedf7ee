"""Every line of advice is run, and must give the same result as the correction layer."""

import importlib
import itertools

import keras
import numpy as np
import pytest

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.advice import advice_line, for_tensors
from keras_shiftguard.preprocessing.correction.convention import InputConvention, layer_between
from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES

TEN = [InputConvention(mode, order) for mode in MODES for order in ("rgb", "bgr")]
KNOWN = (None, "ResNet50", "MobileNetV2", "DenseNet121", "EfficientNetB0")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")
RAW, UNIT, TF, CAFFE = (
    InputConvention(*each) for each in (("raw",), ("unit",), ("tf",), ("caffe", "bgr"))
)


def paste(line, x):
    """Runs the line as in a user's notebook, and returns `x`."""
    package = keras.backend.backend()
    module = {package.replace("tensorflow", "tf"): importlib.import_module(package)}
    names = {"x": x, "np": np, "keras": keras, **module}
    exec(line, names)
    return np.asarray(names["x"], dtype="float64")


def check(expected, observed, architecture=None, levels=1e-3, layout="channels_last"):
    line = advice_line(expected, observed, architecture, layout)
    assert "\n" not in line
    x = observed.from_raw(PIXELS)
    x = x if layout == "channels_last" else np.moveaxis(x, -1, 1)
    before = x.copy()
    wanted = np.asarray(layer_between(observed, expected, layout)(before))
    unit = np.max(np.abs(expected.scale))  # one gray level
    assert np.abs(paste(line, x) - wanted).max() < levels * unit, line
    assert (line == "") == (np.abs(wanted - before).max() < 1e-6 * unit)
    return line


@pytest.mark.parametrize("observed", TEN, ids=str)
def test_every_pair_of_conventions(observed):
    # With a known architecture the line may be shorter, but has the same result.
    for expected, architecture in itertools.product(TEN, KNOWN):
        check(expected, observed, architecture)
        if architecture in (None, "ResNet50"):
            check(expected, observed, architecture, layout="channels_first")


@pytest.mark.backend
def test_the_lines_a_person_would_write():
    keras_line = "x = keras.applications.{}.preprocess_input({})".format
    assert check(CAFFE, UNIT, "ResNet50") == keras_line("resnet", "x * 255.0")
    assert check(CAFFE, RAW, "VGG16") == keras_line("vgg16", "x")
    bgr = InputConvention("raw", "bgr")
    assert check(TF, bgr, "Xception") == keras_line("xception", "x[..., ::-1]")
    assert check(RAW, UNIT, "EfficientNetB0") == "x = x * 255.0"
    assert check(RAW, bgr) == "x = x[..., ::-1]"
    assert check(TF, UNIT) == "x = x * 2.0 - 1.0"
    # The `preprocess_input` of ResNet50 would be wrong here.
    assert check(UNIT, RAW, "ResNet50") == "x = x / 255.0"
    # An unknown channel order is not treated as a swap.
    assert advice_line(InputConvention("unknown", "unknown"), RAW) == ""
    line = advice_line(CAFFE, InputConvention("unit", "unknown"))
    assert "::-1" not in line and "preprocess_input" not in line


@pytest.mark.backend
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_integers_and_tensors_survive_the_line(order):
    for expected, mode in itertools.product(TEN, ("raw", "unit")):
        observed = InputConvention(mode, order)
        x = PIXELS if mode == "raw" else observed.from_raw(PIXELS).astype("float32")
        wanted = np.asarray(layer_between(observed, expected, "channels_last")(x))
        tensor, line = keras.ops.convert_to_tensor(x), advice_line(expected, observed, "ResNet50")
        is_integer = x.dtype.kind == "u"
        lines = {for_tensors(line, data, is_integer) for data in (tensor, {"input": tensor})}
        (changed,) = lines | {for_tensors(line, (tensor, np.zeros(2)), is_integer)}
        assert for_tensors(line, x, True) == line
        for result in (paste(changed, tensor) if changed else x, paste(line, x.copy())):
            np.testing.assert_allclose(result, wanted, atol=1e-3 * np.max(expected.scale))


def test_fitted_conventions_get_few_digits_and_stay_close():
    rng = np.random.default_rng(1)
    for expected, per_channel in itertools.product(TEN, (False, True)):
        scale = np.exp(rng.uniform(-9, 2, 3 if per_channel else 1)) * np.ones(3)
        offset = scale * rng.uniform(-200, 200, 3 if per_channel else 1)
        observed = InputConvention("custom", "rgb", tuple(scale), tuple(offset))
        assert len(check(expected, observed, levels=0.03)) < 140
    twice = InputConvention("custom", "rgb", (1 / 255**2,) * 3, (0.0,) * 3)
    assert check(RAW, twice, levels=0.03) == "x = x * 65025.0"
    signs = InputConvention("custom", "rgb", (1.0,) * 3, (0.5, -0.5, -0.5))
    assert check(RAW, signs) == "x = x + np.float32([-0.5, 0.5, 0.5])"


def test_one_channel():
    observed, torch = InputConvention("raw", "gray"), InputConvention("torch", "gray")
    x = PIXELS[..., :1].astype("float32")
    wanted = np.asarray(layer_between(observed, torch, "channels_last")(x))
    np.testing.assert_allclose(paste(advice_line(torch, observed), x), wanted, atol=1e-4)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_line_of_each_network_is_that_of_keras(architecture):
    """A line that names `preprocess_input` gives what the network's own module gives."""
    raw = PIXELS.astype("float32")
    modes = {expected: advice_line(expected, RAW, architecture) for expected in TEN[::2] + [CAFFE]}
    named = {each: line for each, line in modes.items() if ".preprocess_input(" in line}
    named = {each: line for each, line in named.items() if "imagenet_utils" not in line}
    for expected, line in named.items():
        module = line.split(".")[2]
        assert hasattr(getattr(keras.applications, module), architecture)
        np.testing.assert_allclose(paste(line, raw.copy()), expected.from_raw(PIXELS), atol=1e-4)
    takes_raw = architecture.startswith(("MobileNetV3", "Efficient", "ConvNeXt"))
    assert len(named) == (0 if takes_raw else 1)

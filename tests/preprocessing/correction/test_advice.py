"""Every line of advice is run, and must give the same result as the correction layer."""

import importlib
import itertools

import keras
import numpy as np
import pytest

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.advice import (
    MODULES,
    _module,
    advice_line,
    for_tensors,
)
from keras_shiftguard.preprocessing.correction.convention import InputConvention, layer_between

TEN = [InputConvention(mode, order) for mode in MODES for order in ("rgb", "bgr")]
ARCHITECTURES = [
    name
    for name in dir(keras.applications)
    if callable(getattr(keras.applications, name)) and not name.startswith("_")
]
RAW = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")


def paste(line, x):
    """Runs the line as in a user's notebook, and returns `x`."""
    package = keras.backend.backend()
    module = {package.replace("tensorflow", "tf"): importlib.import_module(package)}
    names = {"x": x, "np": np, "keras": keras, **module}
    exec(line, names)
    return np.asarray(names["x"], dtype="float64")


def check(expected, observed, architecture=None, levels=1e-3):
    line = advice_line(expected, observed, architecture)
    assert "\n" not in line
    x = observed.from_raw(RAW)
    before = x.copy()
    wanted = np.asarray(layer_between(observed, expected, "channels_last")(before))
    unit = np.max(np.abs(expected.scale))  # one gray level
    assert np.abs(paste(line, x) - wanted).max() < levels * unit, line
    assert (line == "") == (np.abs(wanted - before).max() < 1e-6 * unit)
    return line


@pytest.mark.parametrize("observed", TEN, ids=str)
@pytest.mark.parametrize("expected", TEN, ids=str)
def test_every_pair_of_conventions(expected, observed):
    check(expected, observed)
    # With a known architecture the line may be shorter, but has the same result.
    for architecture in ("ResNet50", "MobileNetV2", "DenseNet121", "EfficientNetB0"):
        check(expected, observed, architecture)


@pytest.mark.backend
def test_the_lines_a_person_would_write():
    convention = InputConvention
    caffe, tf, raw = convention("caffe", "bgr"), convention("tf"), convention("raw")
    keras_line = "x = keras.applications.{}.preprocess_input({})".format
    assert check(caffe, convention("unit"), "ResNet50") == keras_line("resnet", "x * 255.0")
    assert check(caffe, raw, "VGG16") == keras_line("vgg16", "x")
    assert check(tf, raw, "ResNet50V2") == keras_line("resnet_v2", "x")
    assert check(tf, convention("raw", "bgr"), "Xception") == keras_line("xception", "x[..., ::-1]")
    assert check(raw, convention("unit"), "EfficientNetB0") == "x = x * 255.0"
    assert check(tf, convention("tf", "bgr"), "ResNet50V2") == "x = x[..., ::-1]"
    assert check(raw, convention("raw", "bgr")) == "x = x[..., ::-1]"
    assert check(tf, convention("unit")) == "x = x * 2.0 - 1.0"
    assert check(convention("unit"), raw) == "x = x / 255.0"
    # The `preprocess_input` of ResNet50 would be wrong here.
    unusual = check(convention("unit"), raw, "ResNet50")
    assert unusual == "x = x / 255.0"


@pytest.mark.backend
def test_uint8_images_survive_the_line():
    for expected in TEN:
        for order in ("rgb", "bgr"):
            observed = InputConvention("raw", order)
            wanted = np.asarray(layer_between(observed, expected, "channels_last")(RAW))
            result = paste(advice_line(expected, observed, "ResNet50"), RAW.copy())
            np.testing.assert_allclose(result, wanted, atol=1e-3 * np.max(expected.scale))


@pytest.mark.backend
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_tensors_survive_the_line(order):
    for expected, observed in itertools.product(TEN, map(InputConvention, ("raw", "unit"))):
        observed = InputConvention(observed.mode, order)
        x = RAW if observed.mode == "raw" else observed.from_raw(RAW).astype("float32")
        wanted = np.asarray(layer_between(observed, expected, "channels_last")(x))
        tensor, line = keras.ops.convert_to_tensor(x), advice_line(expected, observed, "ResNet50")
        for data in (tensor, (tensor, np.zeros(2)), {"input": tensor}):
            changed = for_tensors(line, data, x.dtype.kind == "u")
            result = paste(changed, tensor) if changed else x
            np.testing.assert_allclose(result, wanted, atol=1e-3 * np.max(expected.scale))
        assert for_tensors(line, x, True) == line


@pytest.mark.parametrize("observed", TEN, ids=str)
def test_channels_first(observed):
    x = np.moveaxis(observed.from_raw(RAW), -1, 1)
    for expected in TEN:
        for architecture in (None, "ResNet50", "DenseNet121"):
            line = advice_line(expected, observed, architecture, "channels_first")
            layer = layer_between(observed, expected, "channels_first")
            wanted = np.asarray(layer(x.copy()))
            unit = np.max(np.abs(expected.scale))
            assert np.abs(paste(line, x.copy()) - wanted).max() < 1e-3 * unit, line


def test_fitted_conventions_get_few_digits_and_stay_close():
    rng = np.random.default_rng(1)
    for expected, per_channel in itertools.product(TEN, (False, True)):
        scale = np.exp(rng.uniform(-9, 2, 3 if per_channel else 1)) * np.ones(3)
        offset = scale * rng.uniform(-200, 200, 3 if per_channel else 1)
        observed = InputConvention("custom", "rgb", tuple(scale), tuple(offset))
        line = check(expected, observed, levels=0.03)
        assert len(line) < 140, line
    twice = InputConvention("custom", "rgb", (1 / 255**2,) * 3, (0.0,) * 3)
    assert check(InputConvention("raw"), twice, levels=0.03) == "x = x * 65025.0"


def test_one_channel():
    observed, expected = InputConvention("raw", "gray"), InputConvention("unit", "gray")
    assert advice_line(expected, observed) == "x = x / 255.0"
    torch = InputConvention("torch", "gray")
    x = RAW[..., :1].astype("float32")
    wanted = np.asarray(layer_between(observed, torch, "channels_last")(x))
    np.testing.assert_allclose(paste(advice_line(torch, observed), x), wanted, atol=1e-4)


def test_nothing_is_advised_where_nothing_is_known():
    unknown = InputConvention("unknown", "unknown")
    assert advice_line(unknown, TEN[0]) == advice_line(TEN[0], unknown) == ""
    # An unknown channel order is not treated as a swap.
    line = advice_line(InputConvention("caffe", "bgr"), InputConvention("unit", "unknown"))
    assert "::-1" not in line and "preprocess_input" not in line


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_modules_are_those_of_keras(architecture):
    found = _module(architecture)
    raw = RAW.astype("float32")
    if found is None:  # its `preprocess_input` changes nothing
        start = max((s for s in MODULES if architecture.startswith(s)), default="", key=len)
        assert start == "MobileNetV3" or "Efficient" in architecture or "ConvNeXt" in architecture
        return
    module, mode = found
    home = getattr(keras.applications, module)
    assert hasattr(home, architecture)
    order = {"caffe": "bgr"}.get(mode, "rgb")
    result = np.asarray(home.preprocess_input(raw.copy()))
    np.testing.assert_allclose(result, InputConvention(mode, order).from_raw(RAW), atol=1e-4)


def test_all_forty_architectures_were_asked():
    assert len(ARCHITECTURES) >= 40


def test_offsets_of_one_size_and_two_signs():
    observed = InputConvention("custom", "rgb", (1.0,) * 3, (0.5, -0.5, -0.5))
    assert check(InputConvention("raw"), observed) == "x = x + np.float32([-0.5, 0.5, 0.5])"
    check(InputConvention("unit"), observed)

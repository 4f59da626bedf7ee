"""The line of Python that turns what the user has into what is expected."""

from itertools import product

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between

# Where Keras keeps the `preprocess_input` of an architecture, by how its name
# begins; the longest beginning wins. Only those that do something: the others
# (EfficientNet, MobileNetV3, ConvNeXt) return their input as it is.
MODULES = {
    "DenseNet": ("densenet", "torch"),
    "InceptionResNetV2": ("inception_resnet_v2", "tf"),
    "InceptionV3": ("inception_v3", "tf"),
    "MobileNet": ("mobilenet", "tf"),
    "MobileNetV2": ("mobilenet_v2", "tf"),
    "MobileNetV3": None,
    "NASNet": ("nasnet", "tf"),
    "ResNet": ("resnet", "caffe"),
    "VGG16": ("vgg16", "caffe"),
    "VGG19": ("vgg19", "caffe"),
    "Xception": ("xception", "tf"),
}
NATURAL_ORDER = {"caffe": "bgr", "torch": "rgb", "tf": "rgb"}  # of preprocess_input
# How exact the line is, in grey levels. Named conventions are known exactly; a
# fitted one is not worth more digits than the fit is good for.
EXACT, FITTED = 2e-4, 0.01


def advice_line(
    expected: InputConvention,
    observed: InputConvention,
    architecture: str | None = None,
    data_format: str = "channels_last",
) -> str:
    """One line that turns `x`, as fed, into what the model expects.

    It needs `import keras` or `import numpy as np`, and leaves out what does
    nothing. Empty where a convention is unknown or nothing is to be done.

    Args:
        expected: What the model must receive.
        observed: What `x` holds.
        architecture: Name in `keras.applications`, if known.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        For instance `"x = keras.applications.resnet.preprocess_input(x * 255.0)"`.
    """
    if not (expected.is_known and observed.is_known):
        return ""
    last = data_format == "channels_last"
    levels = FITTED if "custom" in (expected.mode, observed.mode) else EXACT
    swapped = "x[..., ::-1]" if last else "x[:, ::-1]"
    function = None
    if observed.mode != expected.mode and observed.channel_order in ("rgb", "bgr"):
        function = _preprocess_input(expected, architecture)
    if function is not None:
        pixels = swapped if observed.channel_order == "bgr" else "x"
        raw = InputConvention("raw", observed.channel_order)
        _, scale, offset = affine_between(observed, raw)
        # Only where the way back to raw pixels is the same for all channels.
        if _same(scale, levels / 255 * scale[0]) and _same(offset, levels):
            inner = _affine(pixels, scale[:1], offset[:1], levels, levels, last)
            name, arguments = function
            arguments += "" if last else ', data_format="channels_first"'
            return f"x = keras.applications.{name}.preprocess_input({inner}{arguments})"
    permutation, scale, offset = affine_between(observed, expected)
    pixels = "x" if permutation is None else swapped
    # One grey level of raw pixels is `expected.scale` in the result.
    error = levels * float(np.max(np.abs(expected.scale or 1.0)))
    line = _affine(pixels, scale, offset, error, levels, last)
    return "" if line == "x" else f"x = {line}"


def _preprocess_input(
    expected: InputConvention, architecture: str | None
) -> tuple[str, str] | None:
    """The `(module, arguments)` whose `preprocess_input` gives `expected`."""
    if expected.channel_order != NATURAL_ORDER.get(expected.mode):
        return None
    module = _module(architecture) if architecture else None
    if module is not None and module[1] == expected.mode:
        return module[0], ""
    # "tf" is plain arithmetic; a function call would be the longer way.
    return None if expected.mode == "tf" else ("imagenet_utils", f', mode="{expected.mode}"')


def _module(architecture: str) -> tuple[str, str] | None:
    if architecture.startswith("ResNet") and architecture.endswith("V2"):
        return "resnet_v2", "tf"
    fitting = [start for start in MODULES if architecture.startswith(start)]
    return MODULES[max(fitting, key=len)] if fitting else None


def _affine(
    x: str,
    scale: tuple[float, ...],
    offset: tuple[float, ...],
    level: float,
    levels: float,
    last: bool,
) -> str:
    """The shortest way to write `x * scale + offset`, at most `level` off.

    `levels` is the same error in grey levels: the factor has 255 to spoil.
    """
    gain, bias = np.asarray(scale), np.asarray(offset)
    gain_error = np.abs(gain) * levels / 255

    def word(values: np.ndarray, error: np.ndarray) -> str:
        return _literal(values, np.broadcast_to(error, values.shape), last)

    if np.all(np.abs(gain - 1) <= gain_error):
        return _plus(x, bias, word(np.abs(bias), np.asarray(level)))
    shift, inverse = bias / gain, 1 / gain
    times = word(gain, gain_error)
    over = word(inverse, gain_error * inverse**2)
    if np.all(np.abs(bias) <= level):
        return min(f"{x} * {times}", f"{x} / {over}", key=len)
    after = word(np.abs(bias), np.asarray(level))
    before = word(np.abs(shift), level / np.abs(gain))
    ways = [_plus(f"{x} {sign} {by}", bias, after) for sign, by in (("*", times), ("/", over))]
    ways += [f"({_plus(x, shift, before)}) {sign} {by}" for sign, by in (("*", times), ("/", over))]
    return min(ways, key=len)


def _plus(x: str, values: np.ndarray, word: str) -> str:
    """`x + values`, where `word` is how the absolute values are written."""
    if set(word) <= set("0.") or not np.any(values):
        return x
    if np.all(values <= 0):
        return f"{x} - {word}"
    if np.all(values >= 0):
        return f"{x} + {word}"
    signed = iter(np.sign(values))
    inside, _, rest = word.partition("[")[2].partition("]")
    terms = [("-" if next(signed) < 0 else "") + term for term in inside.split(", ")]
    return f"{x} + np.float32([{', '.join(terms)}]){rest[1:]}"


def _literal(values: np.ndarray, error: np.ndarray, last: bool) -> str:
    """Python for one number for all channels, or for one each."""
    if _same(tuple(values), float(error.min())):
        return _short(float(values.mean()), float(error.min()))
    terms = [_short(float(v), float(e)) for v, e in zip(values, error, strict=True)]
    # float32 keeps a float32 `x` what it is, and makes uint8 a float.
    array = f"np.float32([{', '.join(terms)}])"
    return array if last else f"{array}.reshape(-1, 1, 1)"


def _short(value: float, error: float) -> str:
    """The number with as few digits as are needed; always a float."""
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) <= error:
            break
    text = repr(float(text))
    return text[:-2] if "e" in text and ".0e" in text else text


def _same(values: tuple[float, ...], error: float) -> bool:
    return all(abs(a - b) <= error for a, b in product(values, values))

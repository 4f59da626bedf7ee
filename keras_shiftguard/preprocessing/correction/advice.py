"""Writes the line of Python that turns the input as fed into the input as expected."""

import re
from typing import Any

import keras
import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES

# Channel order of the result of `preprocess_input`, by mode.
PREPROCESS_INPUT_ORDER = {"caffe": "bgr", "torch": "rgb", "tf": "rgb"}
# Largest error of the result in gray levels, from rounding the numbers in the line. A convention.
MAX_ERROR = 2e-4
# Python that turns a tensor of whole numbers into floats, by the package of its type.
AS_FLOATS = {
    "tensorflow": "tf.cast(x, tf.float32)",
    "torch": "x.float()",
    "jaxlib": 'x.astype("float32")',
}


def advice_line(
    expected: InputConvention,
    observed: InputConvention,
    architecture: str | None = None,
    data_format: str = "channels_last",
) -> str:
    """Returns one line of Python that turns `x`, as fed, into what the model expects.

    The line may need `import keras` or `import numpy as np`. Steps that change nothing are left
    out. The line is empty if a convention is unknown or if no change is needed.

    Args:
        expected: What the model must receive.
        observed: The convention of `x`.
        architecture: Name in `keras.applications`, if known.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        For instance `"x = keras.applications.resnet.preprocess_input(x * 255.0)"`.
    """
    if not (expected.is_known and observed.is_known):
        return ""
    channels_last = data_format == "channels_last"
    swapped = "x[..., ::-1]" if channels_last else "x[:, ::-1]"
    function = None
    if observed.mode != expected.mode and observed.channel_order in ("rgb", "bgr"):
        function = _preprocess_input(expected, architecture)
    if function is not None:
        pixels = swapped if observed.channel_order == "bgr" else "x"
        raw = InputConvention("raw", observed.channel_order)
        _, scale, offset = affine_between(observed, raw)
        # `preprocess_input` fits only if one scale and offset for all channels give raw pixels.
        if np.ptp(scale) <= MAX_ERROR / 255 * scale[0] and np.ptp(offset) <= MAX_ERROR:
            inner = _affine(pixels, scale[:1], offset[:1], MAX_ERROR, channels_last)
            name, arguments = function
            arguments += "" if channels_last else ', data_format="channels_first"'
            return f"x = keras.applications.{name}.preprocess_input({inner}{arguments})"
    permutation, scale, offset = affine_between(observed, expected)
    pixels = "x" if permutation is None else swapped
    # One gray level of raw pixels is `expected.scale` in the result.
    max_error = MAX_ERROR * float(np.max(np.abs(expected.scale or 1.0)))
    line = _affine(pixels, scale, offset, max_error, channels_last)
    return "" if line == "x" else f"x = {line}"


def for_tensors(line: str, data: Any, is_whole: bool) -> str:
    """Returns a line of advice that also works if `x` is a tensor and not a NumPy array.

    TensorFlow has no arithmetic of whole numbers and floats, `preprocess_input` leaves tensors of
    whole numbers whole, and PyTorch has no steps below zero. `x` comes from `data`.
    """
    first = next(iter(keras.tree.flatten(data)), None)
    modules = {base.__module__.partition(".")[0] for base in type(first).__mro__}
    library = next((name for name in AS_FLOATS if name in modules), None)
    if library is None or not line.startswith("x = "):
        return line
    if library == "torch":
        line = line.replace("x[..., ::-1]", "x.flip(-1)").replace("x[:, ::-1]", "x.flip(1)")
        line = re.sub(r"np\.float32\((\[.*?\])\)", r"torch.tensor(\1, device=x.device)", line)
    return f"x = {AS_FLOATS[library]}; {line}" if is_whole else line


def _preprocess_input(
    expected: InputConvention, architecture: str | None
) -> tuple[str, str] | None:
    """Returns the module of a `preprocess_input` that gives `expected`, and further arguments.

    The result is None if there is no such function, or if arithmetic is shorter to write.
    """
    if expected.channel_order != PREPROCESS_INPUT_ORDER.get(expected.mode):
        return None
    network = ARCHITECTURES.get(architecture or "")
    # The function of a network that preprocesses its input itself changes nothing.
    if network is not None and not network.inside and network.mode == expected.mode:
        name = network.name if network.family == "VGG" else network.family
        return re.sub(r"(?<=n)(?=R)|(?=V\d$)", "_", name).lower(), ""
    # "tf" is one scale and offset, which is shorter to write than a function call.
    return None if expected.mode == "tf" else ("imagenet_utils", f', mode="{expected.mode}"')


def _affine(
    x: str,
    scale: tuple[float, ...],
    offset: tuple[float, ...],
    max_error: float,
    channels_last: bool,
) -> str:
    """Returns the shortest Python expression for `x * scale + offset`, up to `max_error`."""
    gain, bias = np.asarray(scale), np.asarray(offset)
    gain_error = np.abs(gain) * MAX_ERROR / 255

    def plus(term: str, values: np.ndarray, error: np.ndarray) -> str:
        if np.all(np.abs(values) <= error):
            return term
        sign, values = ("-", -values) if np.all(values <= 0) else ("+", values)
        return f"{term} {sign} {_literal(values, error, channels_last)}"

    error = np.full(bias.shape, max_error)
    if np.all(np.abs(gain - 1) <= gain_error):
        return plus(x, bias, error)
    scalings = (
        f"* {_literal(gain, gain_error, channels_last)}",
        f"/ {_literal(1 / gain, gain_error / gain**2, channels_last)}",
    )
    ways = [plus(f"{x} {scaling}", bias, error) for scaling in scalings]
    shifted = plus(x, bias / gain, error / np.abs(gain))
    return min([*ways, *(f"({shifted}) {scaling}" for scaling in scalings)], key=len)


def _literal(values: np.ndarray, error: np.ndarray, channels_last: bool) -> str:
    """Returns Python for one number if it suffices for all channels, else for an array."""
    if np.ptp(values) <= error.min():
        return _short(float(values.mean()), float(error.min()))
    terms = [_short(float(v), float(e)) for v, e in zip(values, error, strict=True)]
    # A float32 array keeps the dtype of a float32 `x`, and turns uint8 into a float.
    array = f"np.float32([{', '.join(terms)}])"
    return array if channels_last else f"{array}.reshape(-1, 1, 1)"


def _short(value: float, error: float) -> str:
    """Returns Python for the float with as few digits as `error` allows."""
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) <= error:
            break
    text = repr(float(text))
    return text[:-2] if "e" in text and ".0e" in text else text

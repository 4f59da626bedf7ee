"""Garbled images: a wrong memory layout or color space, which no scale and offset can correct.

The images themselves show such an error. In a wrong layout, neighboring pixels differ more than in
a normal picture. In a wrong color space, the channels do not vary together as red, green and blue
do.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.hints.content import overflow_hints
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import MAX_TRIAL_IMAGES, MIN_IMAGES, MIN_SPAN

# The limits were chosen on photos of 224 and 32 pixels; CIFAR photos agree. Roughness of the
# repaired images divided by that of the images as fed, in the worse of the two directions: up to
# 0.7 if the images are garbled, 1 for noise such as radar, else 1.5 or more. Conventions, checked
# in docs/benchmarks/preprocessing-verdicts.md.
MAX_LAYOUT_ROUGHNESS = 0.8
# Deviation divided by that of channel 1: chroma 0.2, colors 1. Correlation with other channels: hue
# about 0, colors above 0.85. A convention, checked in the same page.
MAX_OF_NO_COLOR = 0.45


@dataclass(frozen=True)
class Garbling:
    """A suspected garbling of images, and how to undo it.

    Args:
        what: What the images are, such as "channels-first memory that was read as channels-last".
        images: The repaired images in the convention and layout of the input, float32.
        advice: A line of Python that undoes the garbling, or a comment that says what to change.
        sentence: The evidence, with numbers.
        is_plain: Whether the images alone are clear evidence. For HSV they are not: in images of
            unusual colors, the channels may not vary together either.
        roughness: For a layout, the difference of neighboring pixels after the repair, divided by
            that before.
    """

    what: str
    images: np.ndarray
    advice: str
    sentence: str
    is_plain: bool = True
    roughness: float = 1.0

    def hint(self) -> Hint:
        """Returns the hint on a garbling of which the images are clear evidence, but no proof."""
        what, more = self.what, ""
        if what.endswith("RGB"):  # the pixels alone do not distinguish chroma and Lab
            what = what.replace(" in place", " or Lab in place")
            more = " This is right if the model was trained on such images."
        return Hint("garbled", f"The images may be {what}. {self.sentence}{more}", 0.6)


def find_garbling(
    images: np.ndarray, observed: InputConvention, channels_first: bool = False
) -> Garbling | None:
    """Returns how three-channel images seem to be garbled; None if they look like pictures.

    The result is also None for fewer than 4 images, a side below 16 pixels, or non-finite values.

    Args:
        images: `(n, height, width, 3)`, or `(n, 3, height, width)` if `channels_first`.
        observed: The convention of the images. Color spaces are checked only if the convention is
            known.
        channels_first: Whether the input takes the channels first.
    """
    x = np.asarray(images)[:MAX_TRIAL_IMAGES].astype("float32")
    if x.ndim != 4 or x.shape[1 if channels_first else 3] != 3 or len(x) < MIN_IMAGES:
        return None
    pictures = np.moveaxis(x, 1, -1) if channels_first else x
    if min(pictures.shape[1:3]) < 16 or not np.isfinite(pictures).all():
        return None
    layouts = (
        _of_layout(pictures, channels_first),
        _of_raw_layout(pictures, observed, channels_first),
    )
    found = [layout for layout in layouts if layout is not None]
    if found:
        return min(found, key=lambda layout: layout.roughness)
    return _of_colours(pictures, observed, channels_first)


def _of_layout(x: np.ndarray, channels_first: bool) -> Garbling | None:
    """Returns a suspected wrong memory layout, or None. `x` has the channels last."""
    n, height, width, _ = x.shape
    planes = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    # `as_first` has the repaired images if the memory of `x` was written with the channels first,
    # `as_last` if it was written with the channels last.
    as_first = np.moveaxis(np.ascontiguousarray(x).reshape(n, 3, height, width), 1, -1)
    as_last = planes.reshape(n, height, width, 3)
    first, last = "channels-first", "channels-last"
    back = "" if not channels_first else ".transpose(0, 3, 1, 2)"
    front = "x" if not channels_first else "x.transpose(0, 2, 3, 1)"
    for undone, written, read, line in (
        (as_first, first, last, f"{front}.reshape(-1, 3, {height}, {width}).transpose(0, 2, 3, 1)"),
        (as_last, last, first, f"{front}.transpose(0, 3, 1, 2).reshape(-1, {height}, {width}, 3)"),
    ):
        ratios = _roughness(undone) / _roughness(x)
        worse = np.median(ratios.max(axis=0))  # of the two directions
        if worse < MAX_LAYOUT_ROUGHNESS and np.mean(np.log(ratios).mean(axis=0) < 0) > 0.75:
            share = f"{100 * worse:.0f} %"
            return Garbling(
                f"{written} memory that was read as {read}",
                _as_fed(undone, channels_first),
                f"x = {line}{back}",
                f"Read as {written} memory, neighbouring pixels differ {share} as much.",
                roughness=float(worse),
            )
    return None


def _of_raw_layout(
    x: np.ndarray, observed: InputConvention, channels_first: bool
) -> Garbling | None:
    """Returns a suspected wrong layout of images from which the means were subtracted later.

    Every channel then has a mean of its own, which makes the repaired images rough.
    """
    if not observed.is_known:
        return None
    scale, offset = np.asarray(observed.scale), np.asarray(observed.offset)
    if np.ptp(scale) == np.ptp(offset) == 0:
        return None
    raw = ((x - offset) / scale).astype("float32")
    shape = (1, 3, 1, 1) if channels_first else (1, 1, 1, 3)
    found = []
    # `preprocess_input` also reverses the channels before it subtracts the means in BGR order.
    for step in (1, -1) if observed.channel_order == "bgr" else (1,):
        layout = _of_layout(raw[..., ::step], channels_first)
        if layout is not None:
            images = layout.images[:, ::step] if channels_first else layout.images[..., ::step]
            images = images * scale.reshape(shape) + offset.reshape(shape)
            advice = f"{layout.advice}  # in front of the normalisation"
            found.append(replace(layout, images=images.astype("float32"), advice=advice))
    return min(found, key=lambda layout: layout.roughness, default=None)


def _of_colours(x: np.ndarray, observed: InputConvention, channels_first: bool) -> Garbling | None:
    """Returns a suspected color space other than RGB, or None. `x` has the channels last."""
    if not observed.is_known:
        return None
    scale, offset = np.asarray(observed.scale), np.asarray(observed.offset)
    raw = (x - offset) / scale
    std = raw.std(axis=(1, 2)) + 1e-6
    mean = np.median(raw.mean(axis=(1, 2)), axis=0)
    spread = np.median(std[:, 1:] / std[:, :1], axis=0)
    is_chroma = np.all(spread < MAX_OF_NO_COLOR) and np.all(np.abs(mean[1:] - 128) < MIN_SPAN)
    if is_chroma:
        # OpenCV stores red chroma before blue. In photos, red chroma has the higher mean, because
        # skin, wood and warm light are reddish.
        red_first = bool(mean[1] > mean[2])
        name, code = ("YCrCb", "YCrCb") if red_first else ("YCbCr", "YCbCr")
        text = (
            f"The second and third channel vary {spread[0]:.2f} and {spread[1]:.2f} times as much "
            f"as the first, around {mean[1]:.0f} and {mean[2]:.0f}: chroma, not colours."
        )
        undone = _from_chroma(raw, red_first)
    else:
        centred = raw - raw.mean(axis=(1, 2), keepdims=True)
        covariance = (centred[..., :1] * centred[..., 1:]).mean(axis=(1, 2))
        correlation = np.median(covariance / (std[:, :1] * std[:, 1:]), axis=0)
        # Colors vary together, in one direction or the other. Where 8-bit values overflow they do
        # not, though the color space is right; of HSV, only hue begins again at black.
        has_hue = np.all(np.abs(correlation) < MAX_OF_NO_COLOR)
        if not has_hue or overflow_hints(raw[..., 1:], InputConvention("raw", "gray")):
            return None
        name, code = "HSV", "HSV"
        text = (
            f"The first channel hardly varies with the others (correlation {correlation[0]:.2f} "
            f"and {correlation[1]:.2f}): hue, not a colour."
        )
        undone = _from_hue(raw)
    return Garbling(
        f"{name} in place of RGB",
        _as_fed((undone * scale + offset).astype("float32"), channels_first),
        f"# read the images as RGB: the code in front of this converts them to {code}",
        text,
        is_plain=bool(is_chroma),
    )


def _as_fed(images: np.ndarray, channels_first: bool) -> np.ndarray:
    return np.moveaxis(images, -1, 1) if channels_first else images


def _roughness(x: np.ndarray) -> np.ndarray:
    """Returns the mean difference of neighboring pixels, down and across, `(2, n)`.

    The difference is not divided by the contrast, because a wrong layout can raise the contrast: it
    mixes the channels, and these may differ much, as in a retina scan, which is red all over.
    """
    down = np.abs(np.diff(x, axis=1)).mean(axis=(1, 2, 3))
    across = np.abs(np.diff(x, axis=2)).mean(axis=(1, 2, 3))
    return np.stack([down, across]) + 1e-9


def _from_chroma(raw: np.ndarray, red_first: bool) -> np.ndarray:
    """Converts luma and chroma, as in JPEG files (ITU-T T.871), to RGB in 0..255."""
    luma, red, blue = raw[..., 0], raw[..., 1] - 128, raw[..., 2] - 128
    if not red_first:
        red, blue = blue, red
    rgb = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return np.clip(np.stack(rgb, axis=-1), 0, 255)


def _from_hue(raw: np.ndarray) -> np.ndarray:
    """Converts hue, saturation and value to RGB in 0..255. Hue runs to 180 (OpenCV) or 255."""
    hue_end = 180.0 if raw[..., 0].max() <= 180 else 255.0
    sixth = np.clip(raw[..., 0] / hue_end, 0, 1) * 6
    saturation, value = np.clip(raw[..., 1] / 255, 0, 1), raw[..., 2]
    # A color is lowered by a share that grows with its distance from the hue and with saturation.
    colours = []
    for shift in (5, 3, 1):
        k = (shift + sixth) % 6
        colours.append(value * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1)))
    return np.stack(colours, axis=-1)

"""Hypotheses: what a model may expect, and the map from the images as fed to each.

Most are named conventions. What else may explain the images is compared with them, but has no fix:
negatives, paler training images, and images that were standardised one by one.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.conventions import MODES, MODES_WITHOUT_ORDER
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.limits import QUARTER
from keras_shiftguard.preprocessing.witnesses.feed import FAR_FACTOR
from keras_shiftguard.profiles import InputSummary

Kind = tuple[str, bool]  # a mode, and whether dark and bright are exchanged
STANDARDISED: Kind = ("standardised", False)  # each image by itself


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A convention that the model may expect.

    Args:
        mode: Mode of the convention; `"custom"` if scale and offset follow from the structure of
            the model, or from the mean and deviation of the data. `"as fed"` is the convention of
            the images as fed, if no other hypothesis leaves the images unchanged.
        swap: Whether the channels of the images as fed must be reversed.
        means: The order of the per-channel means at the model's input: `"rgb"` or
            `"bgr"`; None if all channels have the same mean.
        inverted: Whether dark and bright are exchanged in the images as fed.
        scale: Scale from raw pixels to the convention, `(channels,)`.
        offset: Offset from raw pixels to the convention, `(channels,)`.
        transform: The map from the images as fed to the convention.
        has_fix: Whether the images can be brought into the convention. False for what else may
            explain them, see `_without_fix`.
    """

    mode: str
    swap: bool
    means: str | None
    inverted: bool
    scale: np.ndarray
    offset: np.ndarray
    transform: Transform
    has_fix: bool = True

    @property
    def kind(self) -> Kind:
        """The mode, and whether it is inverted."""
        return self.mode, self.inverted

    @property
    def has_usual_means(self) -> bool:
        """Whether the per-channel means, if there are any, are in the usual order of the mode."""
        return self.means in (None, "bgr" if self.mode == "caffe" else "rgb")

    @property
    def is_identity(self) -> bool:
        """Whether the transform leaves the images as they are fed.

        The deviation of a data set is estimated from some images, to a few percent.
        """
        scale, offset = (np.asarray(v) for v in self.transform[1:3])
        error = 0.1 if self.mode == "custom" else 0.03
        return (
            self.has_fix
            and self.transform.permutation is None
            and bool(np.allclose(scale, 1, rtol=error))
            and bool(np.all(np.abs(offset) < error / 3 * 255 * np.abs(self.scale)))
        )


def hypotheses_for(
    observed: InputConvention, summary: InputSummary, known: InputConvention | None
) -> list[Hypothesis]:
    """Returns all hypotheses to try on an input; one of them leaves the images as fed.

    Those without a fix come last.
    """
    channels = summary.num_channels
    fed_scale = np.broadcast_to(np.asarray(observed.scale, "float64"), channels)
    fed_offset = np.broadcast_to(np.asarray(observed.offset, "float64"), channels)
    found: list[Hypothesis] = []

    def add(mode: str, means: str | None, scale: np.ndarray, offset: np.ndarray) -> None:
        """Adds the hypotheses of one convention.

        Images with three channels are tried as fed and with swapped channels. Images with one
        channel are tried as fed and inverted.
        """
        for swap in (False, True) if channels == 3 else (False,):
            for inverted in (False, True) if channels == 1 else (False,):
                step = -1 if swap else 1
                from_scale, from_offset = fed_scale[::step], fed_offset[::step]
                gain = scale / from_scale
                bias = offset - gain * from_offset
                if inverted:  # raw becomes 255 - raw
                    gain, bias = -gain, offset + scale * 255 + gain * from_offset
                order = tuple(range(channels))[::-1] if swap else None
                transform = Transform(order, tuple(gain.tolist()), tuple(bias.tolist()))
                found.append(Hypothesis(mode, swap, means, inverted, scale, offset, transform))

    for mode, form in MODES.items():
        scale, offset = np.asarray(form.scale), np.asarray(form.offset)
        if mode in MODES_WITHOUT_ORDER:
            add(mode, None, np.full(channels, scale[0]), np.full(channels, offset[0]))
        elif channels == 3:
            add(mode, "rgb", scale, offset)
            add(mode, "bgr", scale[::-1], offset[::-1])
    if known is not None and known.mode == "custom":
        scale = np.broadcast_to(np.asarray(known.scale), channels)
        offset = np.broadcast_to(np.asarray(known.offset), channels)
        add("custom", known.channel_order if np.ptp(offset) else None, scale, offset)
    else:
        # The model may expect images standardized with the mean and deviation of the data set, as
        # is usual for MNIST. For ordinary photos, this convention is almost the same as "torch",
        # and would take its name. Of dark or pale images it may be another one: without it, "torch"
        # got a fix that did harm.
        raw_mean, raw_std = own_levels(observed, summary)
        if channels != 3 or _is_unlike_photos(raw_mean, raw_std):
            add("custom", None, 1 / raw_std, -raw_mean / raw_std)
    if not any(h.is_identity for h in found):
        means = observed.channel_order if np.ptp(fed_offset) else None
        identity = Transform(None, (1.0,) * channels, (0.0,) * channels)
        found.append(Hypothesis("as fed", False, means, False, fed_scale, fed_offset, identity))
    return [*found, *_without_fix(found, fed_scale, fed_offset)]


def own_levels(observed: InputConvention, summary: InputSummary) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each channel in raw pixels, `(channels,)` each."""
    scale, offset = (
        np.broadcast_to(np.asarray(v, "float64"), summary.num_channels)
        for v in (observed.scale, observed.offset)
    )
    std = summary.std / np.abs(scale)
    # A constant channel, such as an unused alpha, has no deviation of its own.
    return (summary.mean - offset) / scale, np.where(std > 1e-6, std, max(std.max(), 1e-6))


def _without_fix(
    hypotheses: list[Hypothesis], scale: np.ndarray, offset: np.ndarray
) -> list[Hypothesis]:
    """Returns what else may explain the images.

    `scale` and `offset` are those of the images as fed.

    The first filters mostly respond to edges. Training images with half the contrast halve their
    responses, and so do pixel values of half the size. So low contrast of the training images
    explains as well why another mode with smaller numbers fits. Gray images are seldom photos;
    often they are faces, digits or scans, whose contrast may be any. So for them, paler training
    images are also tried in the next mode with larger numbers. Images in color may be negatives,
    and those of the training may have been standardised one by one.
    """
    fed = next(h for h in hypotheses if h.is_identity)
    channels = len(scale)
    gray = offset + 127.5 * scale
    contrast = 1 - 2 * QUARTER / 255  # of images that just span the middle half
    paler = np.full(channels, contrast), (1 - contrast) * gray
    negative = np.full(channels, -1.0), 2 * gray
    found = []
    if any(_factor(h, 1 / FAR_FACTOR, 0.99) for h in hypotheses):
        found.append(replace(fed, transform=AS_FED.after(*paler)))
    if channels == 3:
        found.append(replace(fed, inverted=True, transform=AS_FED.after(*negative)))
        for swap in (False, True):  # the raw pixels, in both orders
            to_raw = Transform((2, 1, 0) if swap else None, each=True)
            to_raw = to_raw.after(1 / scale, -offset / scale)
            found.append(
                replace(fed, mode=STANDARDISED[0], means=None, swap=swap, transform=to_raw)
            )
    if channels == 1:
        larger = [h for h in hypotheses if h.mode in MODES and _factor(h, 1.01, FAR_FACTOR)]
        found += [replace(h, transform=h.transform.after(*paler)) for h in larger[:1]]
    return [replace(each, has_fix=False) for each in found]


def _is_unlike_photos(mean: np.ndarray, std: np.ndarray) -> bool:
    """Whether the levels of images in color are surely not those of ordinary photos."""
    photos = MODES["torch"]
    standardised = mean * photos.scale + photos.offset
    spread = std * photos.scale
    return bool(np.abs(standardised).max() > 0.5 or spread.min() < 1 / 1.3 or spread.max() > 1.3)


def _factor(hypothesis: Hypothesis, least: float, most: float) -> bool:
    """Whether a hypothesis multiplies the pixel values by a factor between two numbers."""
    scale = np.asarray(hypothesis.transform.scale)
    return bool(np.all((np.abs(scale) > least) & (np.abs(scale) < most)))

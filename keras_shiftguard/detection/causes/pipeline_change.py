"""Detection of a change of the pipeline: a known preprocessing step in only one of two streams.

Two streams of one data set in two forms (`conventions.Form`) differ by one affine map for each
channel. If the mean, deviation, quantiles and extremes of the streams are far apart, and such a map
between known forms takes one to the other, then the pipelines differ and not the scenes. A change
of brightness or contrast is not one of these maps: it leaves a range of 0..1 as it is.
"""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.conventions import Form, change_in_words, forms
from keras_shiftguard.detection.causes.channel_order import (
    Levels,
    balance_swapped,
    channels_swapped,
)
from keras_shiftguard.detection.causes.explanation import (
    MAX_NOISE,
    TIGHT,
    Explanation,
    affine,
    listed,
    span_of,
)
from keras_shiftguard.detection.causes.unit_change import explain_columns
from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import stream_name
from keras_shiftguard.io.code_lines import digits
from keras_shiftguard.profiles import InputSummary

# A scale above this (or below its inverse) cannot come from another scene. The limits of the fit
# are then wide, so that a map is found even if the stream holds other classes as well. A
# convention, checked in docs/benchmarks/causes.md.
DRASTIC = 20.0
# How far the streams may be apart after the map: means (in standard deviations), logarithms of the
# standard deviations, quantiles (in standard deviations), and extremes (in units of the range).
# LOOSE is for a drastic scale, TIGHT of `explanation.py` for all others. A convention, checked in
# docs/benchmarks/causes.md.
LOOSE = (0.6, 0.5, 0.9, 0.15)
# Each form maps the values back to raw pixels, which span some part of 0..255. A form is plausible
# if that part is at least this share of the largest part under any form. A convention, checked in
# docs/benchmarks/causes.md.
MIN_RELATIVE_SPAN = 0.7


class _Match(NamedTuple):
    """A map between two forms that fits; the smallest one is preferred.

    Matches are ordered by fewer steps, only a swap, forms under which the reference spans more of
    0..255, and a closer fit, with a small penalty for a swap.

    Args:
        num_steps: Number of forms with two steps.
        is_other_form: Whether the two forms differ, and not only the channel order.
        span: Part of 0..255 that the raw pixels of the reference span, with a minus sign.
        misfit: Largest remaining difference relative to its limit; the map fits if it is at most 1.
        source: Form of the reference.
        target: Form of the current stream.
        swapped: Whether the current stream has the channels in the reverse order.
    """

    num_steps: int
    is_other_form: bool
    span: float
    misfit: float
    source: Form
    target: Form
    swapped: bool


def explain(
    reference: InputSummary,
    current: InputSummary,
    *,
    stream: str = "current",
    against: str = "reference",
) -> Explanation | None:
    """Finds the preprocessing step that explains the difference of two streams.

    `stream` and `against` name `current` and `reference` in the sentence. The result is None if no
    known map explains the difference, if there is no difference, if the layouts or numbers of
    channels differ, or if a channel has no finite value.
    """
    if (reference.layout, reference.num_channels) != (current.layout, current.num_channels):
        return None
    for summary in (reference, current):
        if summary.num_measured == 0 or not np.isfinite([summary.minimum, summary.maximum]).all():
            return None
    if not reference.is_image:
        return explain_columns(reference, current, stream, against)
    match = _best(reference, current)
    if match is None:
        return None
    *_, source, target, swapped = match
    # `current = reference * scale + offset`, in the channel order of `current`.
    order = slice(None, None, -1 if swapped else 1)
    scale = target.scale / source.scale[order]
    offset = target.offset - source.offset[order] * scale
    name = "channels swapped"
    if source.steps != target.steps:
        name = f"{change_in_words(source, target)}{', channels swapped' if swapped else ''}"
    first = reference.layout == "channels_first"
    pixels = ("x[:, ::-1]" if first else "x[..., ::-1]") if swapped else "x"
    return Explanation(
        name=name,
        said=_said(match, name, scale, offset, reference, current, stream, against),
        scale=scale,
        offset=offset,
        swapped=swapped,
        effect_size=_effect(reference, current),
        fix=f"x = {affine(pixels, (1 / scale)[order], (-offset / scale)[order], first)}",
    )


def _best(reference: InputSummary, current: InputSummary) -> _Match | None:
    """Returns the preferred map that fits; None if no map fits, or if no map is needed."""
    before, after = Levels.of(reference), Levels.of(current)
    noise = _noise(reference, current)
    misfit_without_map = _misfit(before, after, TIGHT, noise)
    known = forms(reference.num_channels)
    sources, targets = (_plausible(known, levels) for levels in (before, after))
    pairs = [(a, b) for a in sources for b in targets if not (a.has_two_steps and b.has_two_steps)]
    if not any(a is b for a, b in pairs):
        pairs.append((known[0], known[0]))  # finds a swap even if the form is unknown
    found = []
    for source, target in pairs:
        match = _fitted(source, target, before, after, reference, current)
        if match.misfit > 1 or not (match.is_other_form or match.swapped):
            continue
        if not match.is_other_form or match.misfit < 0.5 * misfit_without_map:
            found.append(match)
    return min(found, key=lambda m: (*m[:3], m.misfit + 0.1 * m.swapped)) if found else None


def _plausible(known: tuple[Form, ...], levels: Levels) -> list[Form]:
    """Returns the forms that the values can be in, by `MIN_RELATIVE_SPAN`.

    Values that fill 0..1, for example, are not taken for a half of -1..1.
    """
    spans = [(form.span(levels.low, levels.high), form) for form in known]
    widest = max(span for span, _ in spans)
    return [form for span, form in spans if span > 0 and span >= MIN_RELATIVE_SPAN * widest]


def _fitted(
    source: Form,
    target: Form,
    before: Levels,
    after: Levels,
    reference: InputSummary,
    current: InputSummary,
) -> _Match:
    """Returns the map from `source` to `target`, with its misfit.

    The misfit is measured after both streams were mapped back to raw pixels.

    `before` and `after` are the levels of `reference` and `current`.
    """
    # From here on, `before` and `after` are levels of raw pixels.
    before = before.mapped(1 / source.scale, -source.offset / source.scale)
    after = after.mapped(1 / target.scale, -target.offset / target.scale)
    drastic = not 1 / DRASTIC < float((target.scale / source.scale).mean()) < DRASTIC
    limits, noise = LOOSE if drastic else TIGHT, _noise(reference, current)
    error = noise[0] * float(before.std.mean())
    after_reversed = after.reversed()
    swapped = channels_swapped(before, after, error)
    if np.ptp(source.offset) == 0 == np.ptp(target.offset):
        swapped |= balance_swapped(reference.features, current.features)
    misfit = _misfit(before, after_reversed if swapped else after, limits, noise)
    if "" != source.order != target.order != "" and not swapped:
        # In both forms the numbers of the channels differ, in one form in RGB order and in the
        # other in BGR order (the values of black and white show the order). So the channels were
        # swapped after the step, unless the map with a swap fits much worse.
        misfit_if_swapped = _misfit(before, after_reversed, limits, noise)
        if misfit_if_swapped <= misfit + 0.5:
            swapped, misfit = True, misfit_if_swapped
    span = float(np.ptp([before.low.min(), before.high.max()])) / 255
    num_steps = source.has_two_steps + target.has_two_steps
    is_other_form = source is not target
    return _Match(num_steps, is_other_form, -round(span, 1), misfit, source, target, swapped)


def _misfit(
    first: Levels,
    second: Levels,
    limits: tuple[float, float, float, float],
    noise: tuple[float, float],
) -> float:
    """Returns the largest of five differences between two streams, each divided by its limit.

    `limits` is `LOOSE` or `TIGHT`, and `noise` the result of `_noise`.
    """
    span = np.maximum(first.high - first.low, 1e-30)
    std, second_std = (np.maximum(v, 1e-4 * span) for v in (first.std, second.std))
    level, width = (min(BEYOND_CHANCE * v, MAX_NOISE) for v in noise)
    return float(
        max(
            np.max(np.abs(second.mean - first.mean) / std) / (limits[0] + level),
            np.max(np.abs(np.log(second_std / std))) / (limits[1] + width),
            np.max(np.abs(second.quantiles - first.quantiles).mean(1) / std) / (limits[2] + level),
            np.max(np.abs(second.low - first.low) / span) / limits[3],
            np.max(np.abs(second.high - first.high) / span) / limits[3],
        )
    )


def _noise(reference: InputSummary, current: InputSummary) -> tuple[float, float]:
    """Returns the standard errors of two differences between streams of these sizes.

    The first difference is that of the means, in standard deviations of the pixels. The second is
    that of the logarithms of the standard deviations.
    """
    parts = [(s, max(float(s.std.mean()), 1e-30)) for s in (reference, current)]
    mean = sum(float(s.sample_mean.std) ** 2 / std**2 / s.num_measured for s, std in parts)
    width = sum(float(s.sample_std.std) ** 2 / std**2 / s.num_measured for s, std in parts)
    return float(np.sqrt(mean)), float(np.sqrt(width))


# --- in words ----------------------------------------------------------------


def _said(
    match: _Match,
    name: str,
    scale: np.ndarray,
    offset: np.ndarray,
    reference: InputSummary,
    current: InputSummary,
    stream: str,
    against: str,
) -> Said:
    """Returns what is said of a map: what differs, with the values in both streams."""
    stream, against = stream_name(stream), stream_name(against)
    spans = f"(range {span_of(current)} against {span_of(reference)})"
    means = f"{listed(current.mean)} in {stream} against {listed(reference.mean)} in {against}"
    if name == "channels swapped":
        return Said(f"Red and blue are swapped in {stream}", f"mean of the channels {means}")
    also = ", and red and blue are swapped" if match.swapped else ""
    if np.ptp(scale) == 0 and not offset.any():
        factor = float(scale[0])
        times = f"{digits(factor)} times" if factor > 1 else f"1/{digits(1 / factor)}"
        is_missing = name.startswith("not rescaled")
        reason = f": x / 255 is missing in {stream}" if is_missing else ""
        if match.target.steps == ("unit", "unit"):
            reason = ": they were divided by 255 twice"
        sentence = f"The values of {stream} images are {times} as large as in {against}{reason}"
    else:
        sentence = (
            f"{stream.capitalize()} images are {match.target.in_words()}, "
            f"those of {against} are {match.source.in_words()}"
        )
    return Said(f"{sentence}{also} {spans}")


def _effect(reference: InputSummary, current: InputSummary) -> float:
    """Returns the largest difference between the streams in a channel's mean or deviation.

    The unit is the standard deviation of the samples' means in the reference, or a thousandth of
    the pixels' standard deviation if the means hardly vary.
    """
    spread = max(float(reference.sample_mean.std), 1e-3 * float(reference.std.max()), 1e-30)
    apart = np.abs([current.mean - reference.mean, current.std - reference.std])
    return float(apart.max() / spread)

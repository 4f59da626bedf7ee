"""Detection of a change of the pipeline: a known preprocessing step in only one of two streams.

Two streams of one data set in two forms (`conventions.Form`) differ by one affine map for each
channel. If such a map between known forms takes the mean, deviation, quantiles and extremes of
one stream to those of the other, and without it they are far apart, then the pipelines differ
and not the scenes. A change of brightness or contrast is not one of these maps: it leaves a
range of 0..1 as it is.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import Form, change_in_words, forms
from keras_shiftguard.detection.causes.channel_order import (
    Levels,
    balance_swapped,
    channels_swapped,
)
from keras_shiftguard.detection.causes.explanation import (
    Explanation,
    affine,
    digits,
    listed,
    span_of,
)
from keras_shiftguard.detection.causes.unit_change import explain_columns
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputSummary

# A scale this far from 1 cannot be a change of the scene. Then the fit need not be tight, so
# that the stream may hold other classes as well.
DRASTIC = 20.0
# How far mean, log deviation, quantiles (in deviations) and extremes (in ranges) may be apart
# after the map: LOOSE for a drastic scale, TIGHT for all others.
LOOSE = (0.6, 0.5, 0.9, 0.15)
TIGHT = (0.08, 0.08, 0.12, 0.05)
MIN_RELATIVE_SPAN = 0.7  # span of 0..255 in a form, relative to the form with the largest span
SIGMAS = 4.0  # standard errors that are added to these limits
MAX_NOISE = 0.25  # the most that they may add


@dataclass(frozen=True)
class _Match:
    """A map `current = reference * scale + offset` between two forms, and how well it fits.

    Args:
        scale: Scale of each channel, `(channels,)`.
        offset: Offset of each channel, `(channels,)`.
        swapped: Whether the channels are in reverse order.
        misfit: Largest remaining difference, in units of the allowed one.
        span: Part of 0..255 that the raw pixels of the reference span.
        source: Form of the reference.
        target: Form of the current stream.
    """

    scale: np.ndarray
    offset: np.ndarray
    swapped: bool
    misfit: float
    span: float
    source: Form
    target: Form

    @property
    def name(self) -> str:
        """Name of the difference, as in `Explanation.name`."""
        if self.source.steps == self.target.steps:
            return "channels swapped"
        name = change_in_words(self.source, self.target)
        return f"{name}, channels swapped" if self.swapped else name

    @property
    def effort(self) -> tuple[int, int, float, float]:
        """Sort key of maps that fit, the preferred one first.

        Preferred are fewer steps, then a wider span from black to white, then a
        closer fit, with a small penalty for a swap.
        """
        doubled = self.source.has_two_steps + self.target.has_two_steps
        fit = self.misfit + 0.1 * self.swapped
        return doubled, self.source is not self.target, -round(self.span, 1), fit


def explain(
    reference: InputSummary,
    current: InputSummary,
    *,
    stream: str = "current",
    against: str = "reference",
) -> Explanation | None:
    """Finds the preprocessing step that explains the difference of two streams.

    Args:
        reference: Summary of an input in one stream.
        current: Summary of the same input in the other stream.
        stream: Name of `current` in the sentence.
        against: Name of `reference` in the sentence.

    Returns:
        The explanation; None if no known map explains the difference, or if
        there is no difference.
    """
    if (reference.layout, reference.num_channels) != (current.layout, current.num_channels):
        return None
    for summary in (reference, current):
        if summary.num_samples == 0 or not np.isfinite([summary.minimum, summary.maximum]).all():
            return None
    if not reference.is_image:
        return explain_columns(reference, current, stream, against)
    match = _best(reference, current)
    if match is None:
        return None
    return Explanation(
        name=match.name,
        sentence=_sentence(match, reference, current, stream, against),
        scale=match.scale,
        offset=match.offset,
        swapped=match.swapped,
        effect_size=_effect(reference, current),
        fix=_fix(match, reference.layout),
    )


def _best(reference: InputSummary, current: InputSummary) -> _Match | None:
    """Returns the preferred map that fits; None if none does, or none is needed."""
    here, there = Levels.of(reference), Levels.of(current)
    noise = _noise(reference, current)
    same = _misfit(here, there, TIGHT, noise)
    known = forms(reference.num_channels)
    sources, targets = (_plausible(known, levels) for levels in (here, there))
    pairs = [(a, b) for a in sources for b in targets if not (a.has_two_steps and b.has_two_steps)]
    if not any(a is b for a, b in pairs):
        pairs.append((known[0], known[0]))  # to find a swap in an unknown form
    found = []
    for source, target in pairs:
        match = _fitted(source, target, here, there, reference, current)
        if match.misfit > 1 or (source is target and not match.swapped):
            continue
        if source is target or match.misfit < 0.5 * same:
            found.append(match)
    return min(found, key=lambda match: match.effort) if found else None


def _plausible(known: tuple[Form, ...], levels: Levels) -> list[Form]:
    """Returns the forms that the values can be in, without those of which they span little.

    Values that fill 0..1, for example, are not taken for half of -1..1.
    """
    spans = [(form.span(levels.low, levels.high), form) for form in known]
    most = max(span for span, _ in spans)
    return [form for span, form in spans if span > 0 and span >= MIN_RELATIVE_SPAN * most]


def _fitted(
    source: Form,
    target: Form,
    here: Levels,
    there: Levels,
    reference: InputSummary,
    current: InputSummary,
) -> _Match:
    """Returns the map from `source` to `target`, with its misfit after both are raw pixels."""
    before = here.mapped(1 / source.scale, -source.offset / source.scale)
    after = there.mapped(1 / target.scale, -target.offset / target.scale)
    drastic = not 1 / DRASTIC < float((target.scale / source.scale).mean()) < DRASTIC
    limits, noise = LOOSE if drastic else TIGHT, _noise(reference, current)
    error = noise[0] * float(before.std.mean())
    crossed = after.reversed()
    swapped = channels_swapped(before, after, error)
    if np.ptp(source.offset) == 0 == np.ptp(target.offset):
        swapped |= balance_swapped(reference.features, current.features)
    misfit = _misfit(before, crossed if swapped else after, limits, noise)
    if "" != source.order != target.order != "" and not swapped:
        # The values of black and white show the order of the numbers of each form. If the
        # orders differ, the channels were swapped after the step, unless the fit is worse.
        other = _misfit(before, crossed, limits, noise)
        swapped, misfit = (True, other) if other <= misfit + 0.5 else (False, misfit)
    turn = slice(None, None, -1 if swapped else 1)
    scale = target.scale / source.scale[turn]
    offset = target.offset - source.offset[turn] * scale
    span = float(np.ptp([before.low.min(), before.high.max()])) / 255
    return _Match(scale, offset, swapped, misfit, span, source, target)


def _misfit(
    first: Levels,
    second: Levels,
    limits: tuple[float, float, float, float],
    noise: tuple[float, float],
) -> float:
    """Returns the largest difference, in units of the allowed one."""
    span = np.maximum(first.high - first.low, 1e-30)
    std, other = (np.maximum(v, 1e-4 * span) for v in (first.std, second.std))
    level, width = (min(SIGMAS * v, MAX_NOISE) for v in noise)
    return float(
        max(
            np.max(np.abs(second.mean - first.mean) / std) / (limits[0] + level),
            np.max(np.abs(np.log(other / std))) / (limits[1] + width),
            np.max(np.abs(second.quantiles - first.quantiles).mean(1) / std) / (limits[2] + level),
            np.max(np.abs(second.low - first.low) / span) / limits[3],
            np.max(np.abs(second.high - first.high) / span) / limits[3],
        )
    )


def _noise(reference: InputSummary, current: InputSummary) -> tuple[float, float]:
    """Returns the standard errors of the difference between two streams of these sizes.

    The first is that of a mean, in standard deviations of the pixels, the second that of the
    logarithm of a standard deviation.
    """
    parts = [(s, max(float(s.std.mean()), 1e-30)) for s in (reference, current)]
    mean = sum(float(s.sample_mean.std) ** 2 / std**2 / s.num_samples for s, std in parts)
    width = sum(float(s.sample_std.std) ** 2 / std**2 / s.num_samples for s, std in parts)
    return float(np.sqrt(mean)), float(np.sqrt(width))


# --- in words ----------------------------------------------------------------


def _sentence(
    match: _Match, reference: InputSummary, current: InputSummary, stream: str, against: str
) -> str:
    """Returns the sentence of an explanation."""
    stream, against = stream_name(stream), stream_name(against)
    spans = f"(range {span_of(current)} against {span_of(reference)})"
    means = f"{listed(current.mean)} in {stream} against {listed(reference.mean)} in {against}"
    if match.source.steps == match.target.steps:
        return f"Red and blue are swapped in {stream}: mean of the channels {means}."
    also = ", and red and blue are swapped" if match.swapped else ""
    uniform = np.ptp(match.scale) == 0 and not match.offset.any()
    if uniform:
        factor = float(match.scale[0])
        size = f"{digits(factor)} times" if factor > 1 else f"1/{digits(1 / factor)}"
        missing = ": x / 255 is missing there" if match.name.startswith("not rescaled") else ""
        if match.target.steps == ("unit", "unit"):
            missing = ": they were divided by 255 twice"
        sentence = f"{stream.capitalize()} images are {size} as large as in {against}{missing}"
    else:
        sentence = (
            f"{stream.capitalize()} images are {match.target.in_words()}, "
            f"those of {against} are {match.source.in_words()}"
        )
    return f"{sentence}{also} {spans}."


def _fix(match: _Match, layout: str) -> str:
    """Returns the line of Python that turns `current` into the form of the reference."""
    turn = slice(None, None, -1 if match.swapped else 1)
    scale, offset = (1 / match.scale)[turn], (-match.offset / match.scale)[turn]
    first = layout == "channels_first"
    pixels = ("x[:, ::-1]" if first else "x[..., ::-1]") if match.swapped else "x"
    return f"x = {affine(pixels, scale, offset, first)}"


def _effect(reference: InputSummary, current: InputSummary) -> float:
    """Returns the effect size, in standard deviations of the sample means.

    If these hardly vary, it is in thousandths of the standard deviation of the pixels.
    """
    spread = max(float(reference.sample_mean.std), 1e-3 * float(reference.std.max()), 1e-30)
    apart = np.abs([current.mean - reference.mean, current.std - reference.std])
    return float(apart.max() / spread)

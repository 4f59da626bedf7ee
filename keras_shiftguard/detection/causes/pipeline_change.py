"""Does a known step of preprocessing explain the difference of two streams?

Two streams of one data set in two forms (`forms.py`) differ by one affine map
for each channel. If such a map between known forms takes the mean, deviation,
quantiles and extremes of one stream to those of the other, and without it they
are far apart, then the pipelines differ, not the world. A change of brightness
or contrast does not land on one of these maps: 0..1 stays 0..1 under it.
"""

from dataclasses import dataclass

import numpy as np

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
from keras_shiftguard.detection.forms import Form, difference_in_words, forms
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputSummary

# Scales this far from 1 cannot be a change of the scene: other classes may
# then be in the stream as well, and the fit need not be tight.
DRASTIC = 20.0
# How far mean, log deviation, quantiles (in deviations) and extremes (in
# ranges) may be apart after the map: where the scale is drastic, and elsewhere.
LOOSE = (0.6, 0.5, 0.9, 0.15)
TIGHT = (0.08, 0.08, 0.12, 0.05)
FULL = 0.7  # of the span in the form that is filled most
SIGMAS = 4.0  # standard errors that a sample may be off besides
MOST_NOISE = 0.25  # that a small sample may add to these


@dataclass(frozen=True)
class _Match:
    """A map that fits: `current = reference * scale + offset`, and how well."""

    scale: np.ndarray
    offset: np.ndarray
    swapped: bool
    misfit: float
    span: float
    source: Form
    target: Form

    @property
    def name(self) -> str:
        if self.source.steps == self.target.steps:
            return "channels swapped"
        name = difference_in_words(self.source, self.target)
        return f"{name}, channels swapped" if self.swapped else name

    @property
    def effort(self) -> tuple[int, int, float, float]:
        """What to prefer among maps that fit, the least first.

        Fewer steps, then forms that are used from black to white, then the
        closer fit, then no swap.
        """
        accidents = self.source.is_accident + self.target.is_accident
        fit = self.misfit + 0.1 * self.swapped
        return accidents, self.source is not self.target, -round(self.span, 1), fit


def explain(
    reference: InputSummary,
    current: InputSummary,
    *,
    stream: str = "current",
    against: str = "reference",
) -> Explanation | None:
    """Names the step of preprocessing in which two streams differ.

    Args:
        reference: Summary of the one stream.
        current: Summary of the other; the same layout and channels.
        stream: What to call `current` in the sentence.
        against: What to call `reference`.

    Returns:
        None where no known map explains the difference, or where there is none.
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
    """The map that fits best, in the fewest steps; None if nothing is to be mapped."""
    here, there = Levels.of(reference), Levels.of(current)
    noise = _noise(reference, current)
    same = _misfit(here, there, TIGHT, noise)
    known = forms(reference.num_channels)
    sources, targets = (_plausible(known, levels) for levels in (here, there))
    pairs = [(a, b) for a in sources for b in targets if not (a.is_accident and b.is_accident)]
    if not any(a is b for a, b in pairs):
        pairs.append((known[0], known[0]))  # whatever it is: nothing but a swap, perhaps
    found = []
    for source, target in pairs:
        match = _fitted(source, target, here, there, reference, current)
        if match.misfit > 1 or (source is target and not match.swapped):
            continue
        if source is target or match.misfit < 0.5 * same:
            found.append(match)
    return min(found, key=lambda match: match.effort) if found else None


def _plausible(known: tuple[Form, ...], levels: Levels) -> list[Form]:
    """Forms that the values can be in. What fills 0..1 is not half of -1..1."""
    spans = [(form.span(levels.low, levels.high), form) for form in known]
    most = max(span for span, _ in spans)
    return [form for span, form in spans if span > 0 and span >= FULL * most]


def _fitted(
    source: Form,
    target: Form,
    here: Levels,
    there: Levels,
    reference: InputSummary,
    current: InputSummary,
) -> _Match:
    """How well both streams agree once both are raw pixels again."""
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
        # Black and white show in which order the numbers stand. Unless the
        # pixels speak against it, all was turned around after the step.
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
    """The largest difference in units of what is allowed."""
    span = np.maximum(first.high - first.low, 1e-30)
    std, other = (np.maximum(v, 1e-4 * span) for v in (first.std, second.std))
    level, width = (min(SIGMAS * v, MOST_NOISE) for v in noise)
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
    """Standard errors between two such samples.

    Of a mean in deviations of the pixels, and of the logarithm of a deviation.
    """
    parts = [(s, max(float(s.std.mean()), 1e-30)) for s in (reference, current)]
    mean = sum(float(s.sample_mean.std) ** 2 / std**2 / s.num_samples for s, std in parts)
    width = sum(float(s.sample_std.std) ** 2 / std**2 / s.num_samples for s, std in parts)
    return float(np.sqrt(mean)), float(np.sqrt(width))


# --- in words ----------------------------------------------------------------


def _sentence(
    match: _Match, reference: InputSummary, current: InputSummary, stream: str, against: str
) -> str:
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
        told = f"{stream.capitalize()} images are {size} as large as in {against}{missing}"
    else:
        told = (
            f"{stream.capitalize()} images are {match.target.in_words()}, "
            f"those of {against} are {match.source.in_words()}"
        )
    return f"{told}{also} {spans}."


def _fix(match: _Match, layout: str) -> str:
    """The line that turns `current` into the form of the reference."""
    turn = slice(None, None, -1 if match.swapped else 1)
    scale, offset = (1 / match.scale)[turn], (-match.offset / match.scale)[turn]
    first = layout == "channels_first"
    pixels = ("x[:, ::-1]" if first else "x[..., ::-1]") if match.swapped else "x"
    return f"x = {affine(pixels, scale, offset, first)}"


def _effect(reference: InputSummary, current: InputSummary) -> float:
    """In deviations of the sample means, or of pixels where these do not vary."""
    spread = max(float(reference.sample_mean.std), 1e-3 * float(reference.std.max()), 1e-30)
    apart = np.abs([current.mean - reference.mean, current.std - reference.std])
    return float(apart.max() / spread)

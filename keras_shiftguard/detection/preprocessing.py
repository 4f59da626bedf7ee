"""Does a known step of preprocessing explain the difference of two streams?

Two streams of one data set in two forms (`forms.py`) differ by one affine map
for each channel. If such a map between known forms takes the mean, deviation,
quantiles and extremes of one stream to those of the other, and without it they
are far apart, then the pipelines differ, not the world. A change of brightness
or contrast does not land on one of these maps: 0..1 stays 0..1 under it.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.channel_order import Levels, balance_swapped, channels_swapped
from keras_shiftguard.detection.forms import Form, difference_in_words, forms
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
MIN_ROWS = 20
MOST_COLUMNS = 0.8  # share of the columns that must agree on a factor
# Units that columns are kept in: thousandths, percent, bytes, seconds.
FACTORS = (10.0, 60.0, 100.0, 255.0, 256.0, 1000.0, 3600.0, 1e4, 65535.0, 1e5, 1e6)


@dataclass(frozen=True)
class Explanation:
    """A step that was done in one of two streams only.

    Args:
        name: `"not rescaled"`, `"rescaled twice"`, `"channels swapped"`, ...
        sentence: One plain sentence with numbers.
        scale: Of each channel, `current = reference * scale + offset`,
            `(channels,)`; the channels of `current` count.
        offset: `(channels,)`.
        swapped: Whether the channels are in the other order.
        effect_size: How far the means or deviations of the channels are
            apart, whichever is more, in standard deviations of the reference's
            sample means; not signed.
        fix: A line of Python that turns `x` of `current` into what the
            reference holds; for channels last.
    """

    name: str
    sentence: str
    scale: np.ndarray
    offset: np.ndarray
    swapped: bool
    effect_size: float
    fix: str


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
        return _columns(reference, current, stream, against)
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
    stream, against = noun(stream), noun(against)
    spans = f"(range {_span(current)} against {_span(reference)})"
    means = f"{_listed(current.mean)} in {stream} against {_listed(reference.mean)} in {against}"
    if match.source.steps == match.target.steps:
        return f"Red and blue are swapped in {stream}: mean of the channels {means}."
    also = ", and red and blue are swapped" if match.swapped else ""
    uniform = np.ptp(match.scale) == 0 and not match.offset.any()
    if uniform:
        factor = float(match.scale[0])
        size = f"{_number(factor)} times" if factor > 1 else f"1/{_number(1 / factor)}"
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
    return f"x = {_affine(pixels, scale, offset, first)}"


def _affine(x: str, scale: np.ndarray, offset: np.ndarray, first: bool) -> str:
    tiny = 1e-4 * 255 * float(np.abs(scale).max())
    if np.ptp(scale) < 1e-6 * abs(scale[0]):
        factor = float(scale[0])
        rounder = len(_number(1 / factor)) < len(_number(factor))
        if factor != 1:
            x = f"{x} / {_number(1 / factor)}" if rounder else f"{x} * {_number(factor)}"
    else:
        x = f"{x} * {_array(scale, first)}"
    if np.ptp(offset) < tiny:
        number = float(offset.mean())
        return x if abs(number) < tiny else f"{x} {'+-'[number < 0]} {_number(abs(number))}"
    return f"{x} + {_array(offset, first)}"


def _array(values: np.ndarray, first: bool) -> str:
    listed = f"np.array([{', '.join(_number(v) for v in values)}])"
    return f"{listed}.reshape(-1, 1, 1)" if first else listed


def _number(value: float) -> str:
    return f"{value:.6g}"


def _span(summary: InputSummary) -> str:
    return f"{summary.minimum.min():.3g}..{summary.maximum.max():.3g}"


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{v:.3g}" for v in values)


def noun(stream: str) -> str:
    """What a stream is called in a sentence."""
    return "training" if stream == "train" else stream


# --- columns -----------------------------------------------------------------


def _columns(
    reference: InputSummary, current: InputSummary, stream: str, against: str
) -> Explanation | None:
    """One known factor for all columns: another unit, or a division left out."""
    used = (reference.std > 0) & (current.std > 0)
    if used.sum() < 2 or min(reference.num_samples, current.num_samples) < MIN_ROWS:
        return None
    ratio = current.std[used] / reference.std[used]
    middle = float(np.exp(np.median(np.log(ratio))))
    known = [f**sign for f in FACTORS for sign in (1, -1)]
    factor = min(known, key=lambda f: abs(np.log(middle / f)))
    noise = np.sqrt(1 / reference.num_samples + 1 / current.num_samples)
    # Heavy tails make the deviation of a column uncertain, so most must agree.
    fits = np.abs(np.log(ratio / factor)) < TIGHT[1] + SIGMAS * noise
    moved = np.abs(current.mean / factor - reference.mean)[used]
    fits &= moved < (TIGHT[0] + SIGMAS * noise) * reference.std[used]
    if fits.mean() < MOST_COLUMNS or abs(np.log(middle / factor)) > TIGHT[1]:
        return None
    effect = float(np.max(np.abs(current.mean - reference.mean)[used] / reference.std[used]))
    size = f"{_number(factor)} times" if factor > 1 else f"1/{_number(1 / factor)}"
    stream, against = noun(stream), noun(against)
    whole = np.full(reference.num_channels, factor)
    return Explanation(
        name="another unit" if factor not in (255.0, 1 / 255.0) else _rescaled(factor),
        sentence=(
            f"All columns of {stream} are {size} as large as in {against} "
            f"(range {_span(current)} against {_span(reference)})."
        ),
        scale=whole,
        offset=np.zeros(reference.num_channels),
        swapped=False,
        effect_size=effect,
        fix=f"x = {_affine('x', 1 / whole, np.zeros(1), False)}",
    )


def _rescaled(factor: float) -> str:
    return "not rescaled" if factor > 1 else "rescaled once more"


def _effect(reference: InputSummary, current: InputSummary) -> float:
    """In deviations of the sample means, or of pixels where these do not vary."""
    spread = max(float(reference.sample_mean.std), 1e-3 * float(reference.std.max()), 1e-30)
    apart = np.abs([current.mean - reference.mean, current.std - reference.std])
    return float(apart.max() / spread)

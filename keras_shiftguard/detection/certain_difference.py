"""Differences of a whole stream that need no test: another shape, order or size, flat images."""

import numpy as np

from keras_shiftguard.detection.causes.channel_order import QUANTILES
from keras_shiftguard.detection.causes.pipeline_change import DRASTIC, explain
from keras_shiftguard.detection.families import Shares, StreamNames
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P
from keras_shiftguard.detection.words.column_names import in_other_order, without_partner
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import stream_name
from keras_shiftguard.io.code_lines import quoted
from keras_shiftguard.io.tables import are_reordered
from keras_shiftguard.profiles import InputSummary

# Largest misfit of quantiles after a linear map of one stream to the other, as a share of the
# range. A convention.
MAX_MISFIT = 0.1
# A smaller factor may be another exposure, or augmentation. Values in [0, 1] have a deviation of at
# most 0.5, so dividing by it makes at least 2. A convention.
MIN_FACTOR = 2.0
MAX_IN_LINE = 20  # columns that a line to paste names. A convention.
# Values so near to 0, 1 or 255, as a share of it, are black or white. A convention.
NEAR_END = 1e-3


def certain_difference(
    names: StreamNames, name: str, now: InputSummary, before: InputSummary, shares: Shares
) -> Finding | None:
    """Returns a finding on a property that only one of the two streams has, in all its samples.

    The result is None if there is no such property. The effect size is that of the shares 1 and 0,
    in standard deviations between samples, as for missing values. The p-value is the probability
    that dividing the distinct samples at random separates them like this. `shares` are those of
    `families.Shares`.
    """
    found = _in_words(name, now, before, *map(stream_name, names))
    if found is None:
        return None
    family, said, fix = found
    n, m = now.num_samples, before.num_samples
    pooled = n / (n + m)
    distinct, others = n * shares[0], m * shares[1]
    by_chance = hypergeometric_two_sided(distinct, distinct, distinct, distinct + others)
    effect = 1 / float(np.sqrt(max(pooled * (1 - pooled), 1e-12)))
    return Finding(
        feature=name,
        kind="preprocessing",
        family=family,
        effect_size=effect,
        interval=(effect, effect),
        p_value=max(float(by_chance[0]), SMALLEST_P),
        since=None,
        fix=fix,
        said=said,
        **names._asdict(),
    )


def _in_words(
    name: str, now: InputSummary, before: InputSummary, here: str, there: str
) -> tuple[str, Said, str] | None:
    """Returns the family of a difference, what is said of it, and the line that undoes it.

    The result is None if there is no difference; the line is "" if none is known.
    """
    if shape_of(now) != shape_of(before):
        unit = "channels" if now.is_image and before.is_image else "numbers in the last axis"
        shapes = f"{now.num_channels} {unit} ({now.layout}) in {here}"
        return (
            "other",
            Said(
                f"Input {name!r} has another shape",
                f"{shapes} against {before.num_channels} ({before.layout}) in {there}"
                f"{without_partner(now, before, here, there)}",
            ),
            "",
        )
    if are_reordered(now.columns, before.columns):
        names = ", ".join(map(quoted, before.columns))
        line = (
            f"x = x[[{names}]]" if len(before.columns) <= MAX_IN_LINE else "x = x[x_train.columns]"
        )
        return "other", in_other_order(name, now, before, here, there), line
    if not now.is_image or not min(*now.smallest_size, *before.smallest_size):
        return None
    if _is_flat(now) and not _is_flat(before):
        return (
            "other",
            Said(
                f"All {here} images are flat",
                "within each image, all pixels have the same value "
                f"(mean {float(now.sample_mean.mean):.3g})",
                cause=f"A failing loader gives such images. Those in {there} are not flat",
            ),
            "",
        )
    if is_in_another_range(now, before):
        factor, offset = _linear_map(now, before)
        ranges = f"{_range(now)}, against {_range(before)} in {there}"
        if not factor:
            unknown = "No known step of preprocessing turns one into the other"
            words = f"{here.capitalize()} images have another range: {ranges}"
            return "preprocessing", Said(words, cause=unknown), ""
        times = f"{factor:.4g} times" if factor > 1 else f"1/{1 / factor:.4g}"
        also = f", {'minus' if offset < 0 else 'plus'} {abs(offset):.4g}" if offset else ""
        words = f"The values of {here} images are about {times} as large{also} (range {ranges})"
        inside = f"(x {'+-'[offset > 0]} {abs(offset):.4g})" if offset else "x"
        by = f"/ {factor:.4g}" if factor > 1 else f"* {1 / factor:.4g}"
        return "preprocessing", Said(words), f"x = {inside} {by}"
    for side in (0, 1):
        if (
            now.smallest_size[side] > before.largest_size[side]
            or before.smallest_size[side] > now.largest_size[side]
        ):
            sizes = f"{_size(now)} against {_size(before)} in {there}"
            return "resolution", Said(f"{here.capitalize()} images have another size", sizes), ""
    return None


def is_in_another_range(now: InputSummary, before: InputSummary) -> bool:
    """Whether images have another range than others, and no known step explains it.

    Either their values leave the range of the others by far, as computed tomography in Hounsfield
    units (-400..1000) does against a window of 0..1. Or only one of both fills 0..1 or 0..255, and
    the other one has the same values on another scale, as if standardised with its own mean.
    """
    if shape_of(now) != shape_of(before) or not (now.num_measured and before.num_measured):
        return False
    ends = [(float(each.quantile(0.02)), float(each.quantile(0.98))) for each in (now, before)]
    spans = [high - low for low, high in ends]
    if not np.isfinite(ends).all() or min(spans) <= 0:
        return False
    (low, high), (least, most) = ends if spans[0] > spans[1] else ends[::-1]
    leaves = high > most + DRASTIC * min(spans) or low < least - DRASTIC * min(spans)
    is_rescaled = _fills_pixels(now) != _fills_pixels(before) and _has_other_scale(now, before)
    return (leaves or is_rescaled) and explain(before, now) is None


def _fills_pixels(summary: InputSummary) -> bool:
    """Whether the values fill 0..1 or 0..255, as pixels do before they are standardised."""
    low, high = _ends(summary)
    return any(abs(low) < NEAR_END * top > abs(high - top) for top in (1.0, 255.0))


def _has_other_scale(now: InputSummary, before: InputSummary) -> bool:
    """Whether the extremes and the quantiles differ by one linear map, and below black as well."""
    factor, offset = _linear_map(now, before)
    if 1 / MIN_FACTOR < factor < MIN_FACTOR or not factor:
        return False
    if min(float(each.minimum.min()) for each in (now, before)) > -NEAR_END:
        return False
    here, there = _ends(now), _ends(before)
    misfit = max(abs(a * factor + offset - b) for a, b in zip(there, here, strict=True))
    return misfit < MAX_MISFIT * (here[1] - here[0])


def _linear_map(now: InputSummary, before: InputSummary) -> tuple[float, float]:
    """Returns the factor and the offset that make the values of `now` from those of `before`.

    They are those of the extremes if these fit, which are exact where both streams reach black and
    white, else those of the quantiles. Returns (0, 0) if no such map fits all quantiles, as for
    values that were clipped.
    """
    here, there = (np.array([float(s.quantile(p)) for p in QUANTILES]) for s in (now, before))
    span = here[-1] - here[0]
    for last, first in (_ends(now), _ends(before)), ((here[0], here[-1]), (there[0], there[-1])):
        factor = (last[1] - last[0]) / (first[1] - first[0])
        offset = last[0] - factor * first[0]
        misfit = float(np.abs(here - factor * there - offset).max() / span)
        if misfit < MAX_MISFIT:
            return float(factor), float(offset) if abs(offset) > NEAR_END * span else 0.0
    return 0.0, 0.0


def _ends(summary: InputSummary) -> tuple[float, float]:
    """Returns the smallest and the largest value."""
    return float(summary.minimum.min()), float(summary.maximum.max())


def one_sample_tells(now: InputSummary, before: InputSummary) -> bool:
    """Whether the streams differ in their shape or the order of their columns."""
    return shape_of(now) != shape_of(before) or are_reordered(now.columns, before.columns)


def shape_of(summary: InputSummary) -> tuple[str, int]:
    """Returns the layout and the number of channels."""
    return summary.layout, summary.num_channels


def _is_flat(summary: InputSummary) -> bool:
    """Whether every image has the same value in all its pixels."""
    deviation = summary.sample_std
    return bool(deviation.count > 0 and deviation.mean <= 1e-6 * abs(summary.sample_mean.mean))


def _range(summary: InputSummary) -> str:
    """Returns the range of the values, such as `0 to 1`."""
    low, high = _ends(summary)
    return f"{low:.4g} to {high:.4g}"


def _size(summary: InputSummary) -> str:
    """Returns the range of image sizes, such as `28 x 28 to 32 x 32`."""
    small, large = (" x ".join(map(str, s)) for s in (summary.smallest_size, summary.largest_size))
    return small if small == large else f"{small} to {large}"

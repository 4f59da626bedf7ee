"""Detection of inverted images: dark and bright are exchanged in one of two streams.

Scans have dark strokes on white paper, and data sets such as MNIST bright strokes on black.
"""

import numpy as np

from keras_shiftguard.detection.causes.channel_order import Levels
from keras_shiftguard.detection.causes.explanation import Explanation, affine, digits, listed
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputSummary

# Largest distance of the inverted levels from those of the other stream: means and quantiles in
# standard deviations, logarithms of the standard deviations, extremes in units of the range. As the
# levels are, their means must be at least MIN_MOVE standard deviations apart.
MAX_LEVEL, MAX_WIDTH, MAX_EXTREME, MIN_MOVE = 0.15, 0.1, 0.02, 0.4
MIN_SAMPLES = 20  # that each stream must have
MIRRORED = slice(None, None, -1)  # the quantiles of inverted values come in reverse order


def explain_inverted(
    reference: InputSummary, current: InputSummary, stream: str, against: str
) -> Explanation | None:
    """Finds out whether one of two streams of images is inverted; None if not.

    The arguments are those of `pipeline_change.explain`.
    """
    if min(reference.num_measured, current.num_measured) < MIN_SAMPLES:
        return None
    before, after = Levels.of(reference), Levels.of(current)
    std = np.minimum(before.std, after.std)
    if not (std > 0).all():
        return None
    total = before.low + before.high  # the inverted value of x is `total - x`
    span = before.high - before.low
    misfits = (
        np.abs(total - after.mean - before.mean) / std / MAX_LEVEL,
        np.abs(np.log(after.std / before.std)) / MAX_WIDTH,
        np.abs(total - after.low - before.high) / span / MAX_EXTREME,
        np.abs(total - after.high - before.low) / span / MAX_EXTREME,
        np.abs(total[:, None] - after.quantiles[:, MIRRORED] - before.quantiles).mean(axis=1)
        / std
        / MAX_LEVEL,
    )
    moved = np.abs(after.mean - before.mean) / std
    if np.max(misfits) > 1 or not (moved >= MIN_MOVE).all():
        return None
    here, there = stream_name(stream), stream_name(against)
    spread = max(float(reference.sample_mean.std), 1e-3 * float(reference.std.max()))
    scale = np.full(len(total), -1.0)
    undone = affine("x", scale, total, reference.layout == "channels_first")
    if np.ptp(total) < 1e-6 * span.max():
        undone = f"{digits(float(total[0]))} - x" if total[0] else "-x"
    return Explanation(
        name="inverted",
        sentence=(
            f"{here.capitalize()} images are inverted, dark and bright are exchanged: mean "
            f"{listed(after.mean)} against {listed(before.mean)} in {there}, both in "
            f"{before.low.min():.3g}..{before.high.max():.3g}."
        ),
        scale=scale,
        offset=total,
        swapped=False,
        effect_size=float(np.abs(after.mean - before.mean).max() / spread),
        fix=f"x = {undone}",
    )

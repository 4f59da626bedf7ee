"""Are all columns in another unit: one known factor, such as 1000 or 255?

One factor of no name may be a louder recording or a richer year; it is left to
the other tests.
"""

import numpy as np

from keras_shiftguard.detection.causes.explanation import Explanation, affine, digits, span_of
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputSummary

LEVEL, WIDTH = 0.08, 0.08  # by how much means (in deviations) and log deviations may be off
SIGMAS = 4.0  # standard errors that a sample may be off besides
MOST_NOISE = 0.25
MIN_ROWS = 20
MOST_COLUMNS = 0.8  # share of the columns that must agree on a factor
# Units that columns are kept in: thousandths, percent, bytes, seconds.
FACTORS = (10.0, 60.0, 100.0, 255.0, 256.0, 1000.0, 3600.0, 1e4, 65535.0, 1e5, 1e6)


def explain_columns(
    reference: InputSummary, current: InputSummary, stream: str, against: str
) -> Explanation | None:
    """Names the factor between two streams of columns; None if there is no known one."""
    used = (reference.std > 0) & (current.std > 0)
    if used.sum() < 2 or min(reference.num_samples, current.num_samples) < MIN_ROWS:
        return None
    ratio = current.std[used] / reference.std[used]
    middle = float(np.exp(np.median(np.log(ratio))))
    known = [f**sign for f in FACTORS for sign in (1, -1)]
    factor = min(known, key=lambda f: abs(np.log(middle / f)))
    noise = min(SIGMAS * np.sqrt(1 / reference.num_samples + 1 / current.num_samples), MOST_NOISE)
    # Heavy tails make the deviation of a column uncertain, so most must agree.
    fits = np.abs(np.log(ratio / factor)) < WIDTH + noise
    moved = np.abs(current.mean / factor - reference.mean)[used]
    fits &= moved < (LEVEL + noise) * reference.std[used]
    if fits.mean() < MOST_COLUMNS or abs(np.log(middle / factor)) > WIDTH:
        return None
    effect = float(np.max(np.abs(current.mean - reference.mean)[used] / reference.std[used]))
    size = f"{digits(factor)} times" if factor > 1 else f"1/{digits(1 / factor)}"
    stream, against = stream_name(stream), stream_name(against)
    whole = np.full(reference.num_channels, factor)
    return Explanation(
        name="another unit" if factor not in (255.0, 1 / 255.0) else _rescaled(factor),
        sentence=(
            f"All columns of {stream} are {size} as large as in {against} "
            f"(range {span_of(current)} against {span_of(reference)})."
        ),
        scale=whole,
        offset=np.zeros(reference.num_channels),
        swapped=False,
        effect_size=effect,
        fix=f"x = {affine('x', 1 / whole, np.zeros(1), False)}",
    )


def _rescaled(factor: float) -> str:
    return "not rescaled" if factor > 1 else "rescaled once more"

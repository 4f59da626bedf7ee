"""Detection of columns in another unit: one known factor for all columns, such as 1000 or 255.

Any other factor is left to the other tests, because it may have another cause, such as a louder
recording.
"""

import numpy as np

from keras_shiftguard.detection.causes.explanation import (
    MAX_NOISE,
    TIGHT,
    Explanation,
    affine,
    span_of,
)
from keras_shiftguard.detection.two_sample.mean_discrepancy import MIN_SAMPLES
from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import stream_name
from keras_shiftguard.io.code_lines import digits
from keras_shiftguard.profiles import InputSummary

MIN_AGREEING_COLUMNS = 0.8  # share of the columns that the factor must explain. A convention.
# Factors between common units: thousandths, percent, bytes, seconds. A convention.
FACTORS = (10.0, 60.0, 100.0, 255.0, 256.0, 1000.0, 3600.0, 1e4, 65535.0, 1e5, 1e6)


def explain_columns(
    reference: InputSummary, current: InputSummary, stream: str, against: str
) -> Explanation | None:
    """Finds a known factor between two streams of columns; None if there is none.

    The arguments are those of `pipeline_change.explain`.
    """
    used = (reference.std > 0) & (current.std > 0)
    if used.sum() < 2 or min(reference.num_measured, current.num_measured) < MIN_SAMPLES:
        return None
    ratio = current.std[used] / reference.std[used]
    typical_ratio = float(np.exp(np.median(np.log(ratio))))
    known = [f**sign for f in FACTORS for sign in (1, -1)]
    factor = min(known, key=lambda f: abs(np.log(typical_ratio / f)))
    noise = min(
        BEYOND_CHANCE * np.sqrt(1 / reference.num_measured + 1 / current.num_measured), MAX_NOISE
    )
    # Heavy tails make the deviation of a column uncertain, so most columns must fit, not all.
    fits = np.abs(np.log(ratio / factor)) < TIGHT[1] + noise
    moved = np.abs(current.mean / factor - reference.mean)[used]
    fits &= moved < (TIGHT[0] + noise) * reference.std[used]
    if fits.mean() < MIN_AGREEING_COLUMNS:
        return None
    if abs(np.log(typical_ratio / factor)) > TIGHT[1]:
        return None
    effect = float(np.max(np.abs(current.mean - reference.mean)[used] / reference.std[used]))
    times = f"{digits(factor)} times" if factor > 1 else f"1/{digits(1 / factor)}"
    stream, against = stream_name(stream), stream_name(against)
    scale = np.full(reference.num_channels, factor)
    return Explanation(
        name={255.0: "not rescaled", 1 / 255: "rescaled once more"}.get(factor, "another unit"),
        said=Said(
            f"All columns of {stream} are {times} as large as in {against} "
            f"(range {span_of(current)} against {span_of(reference)})"
        ),
        scale=scale,
        offset=np.zeros(reference.num_channels),
        swapped=False,
        effect_size=effect,
        fix=f"x = {affine('x', 1 / scale, np.zeros(1), False)}",
    )

"""The 8-bit grid: the values of 8-bit images are `1 / (255 std)` apart.

That is so in a convention with `mean` and `std` (of pixels in 0..1), unless the images were resized
in floating point.
"""

import numpy as np

from keras_shiftguard.conventions import LATTICES, Form, compose
from keras_shiftguard.preprocessing.limits import MOST, QUARTER
from keras_shiftguard.preprocessing.observed.extremes import MAX_GAP
from keras_shiftguard.preprocessing.observed.observation import Observation, convention_of
from keras_shiftguard.profiles import InputSummary

# Share of values that must differ from the two commonest ones. A convention.
MIN_OTHER_VALUES = 0.05


def from_grid(summary: InputSummary, range_sentence: str) -> Observation | None:
    """Returns the convention whose grid the values lie on; None unless there is exactly one."""
    counts = summary.counts.sum(axis=0)
    # Share of the values that equal one of the two commonest values.
    common = np.sort(counts)[-2:].sum() / max(counts.sum(), 1)
    if 1 - common < MIN_OTHER_VALUES:  # black and white alone lie on several grids at once
        return None
    # Most values, since one broken pixel may lie far outside.
    most = summary.channel_quantiles(0.005, 0.995)
    shares: dict[str, float] = {}
    for name in LATTICES:
        share = summary.lattice_share(name)
        form = _lattice_form(name, summary)
        # All values count on the raw grid: few pixels of 12-bit images may be bright.
        low, high = (summary.minimum, summary.maximum) if LATTICES[name][0] == "raw" else most
        if not form.holds(low, high, QUARTER):
            continue
        # The two commonest values do not count: they may lie on the grid by chance.
        if not np.isfinite(share) or (share - common) / (1 - common) < MOST:
            continue
        if 255 * form.coverage(summary.minimum, summary.maximum) >= MAX_GAP:
            shares[name] = share
    if "tf" in shares and "unit" in shares:
        # All values of the [-1, 1] grid lie on the [0, 1] grid, but only half of the values of the
        # [0, 1] grid lie on the [-1, 1] grid.
        shares.pop("unit")
    if len(shares) != 1:
        return None
    ((name, share),) = shares.items()
    mode, order = LATTICES[name]
    convention = convention_of(mode, order, summary.num_channels)
    found = f"{100 * share:.0f} % of the values lie on the grid of 8-bit pixels in {convention}."
    # A handful of gray levels can lie on a grid of another convention by chance.
    coverage = _lattice_form(name, summary).coverage(summary.minimum, summary.maximum)
    certainty = 0.999 if coverage > 0.06 else 0.7
    return Observation(convention, None, certainty, (found, range_sentence), by_grid=True)


def _lattice_form(name: str, summary: InputSummary) -> Form:
    """Returns the form of the images whose values lie on the grid `name`."""
    mode, order = LATTICES[name]
    return compose((mode,), order or "", summary.num_channels)

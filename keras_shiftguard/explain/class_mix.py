"""Label shift: other class frequencies than the reference's, taken away by reweighting."""

import numpy as np

from keras_shiftguard.detection.sentences import percent
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.explain.bootstrap import Mix
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import Removable
from keras_shiftguard.explain.report import LABEL_SHIFT

LEVEL = 0.01  # below this p-value the frequencies differ by more than chance
MOST_NAMED = 3


def find_label_shift(
    labels: np.ndarray | None, reference: Reference
) -> tuple[Removable | None, Mix | None, tuple[str, ...]]:
    """Whether the classes are there as often as in the reference.

    Classes that the data has not at all cannot be weighted back in: they are told
    in a note, and the others compared among themselves.

    Returns:
        The cause and the frequencies that take it away, or None; notes.
    """
    mix = reference.mix
    if labels is None or mix is None or reference.counts is None:
        return None, None, ()
    counts = np.bincount(labels, minlength=len(reference.counts))
    notes: tuple[str, ...] = ()
    missing = np.flatnonzero((counts == 0) & (reference.counts > 0))
    if len(missing):
        there = len(reference.counts[reference.counts > 0])
        notes = (
            f"{len(missing)} of {there} classes of the reference are not in the data, and no "
            "weight brings them in.",
        )
    present = np.where(counts > 0, reference.counts, 0)
    if not present.sum():
        return None, None, notes
    test = compare_frequencies(counts, present)
    if not test.tested or test.p_value >= LEVEL:
        return None, None, notes
    named = [
        f"class {i} {percent(test.shares[0, i])} against {percent(test.shares[1, i])}"
        for i in test.most_changed()[:MOST_NAMED]
    ]
    more = len(test.most_changed()) - len(named)
    detail = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    return Removable(LABEL_SHIFT, detail), mix, notes

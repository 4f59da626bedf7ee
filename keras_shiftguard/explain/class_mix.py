"""Label shift as a cause: class frequencies that differ from those of the reference."""

import numpy as np

from keras_shiftguard.detection.sentences import MAX_NAMED, percent, some_of
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.explain.bootstrap import Mix
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import Removable
from keras_shiftguard.explain.report import LABEL_SHIFT

LEVEL = 0.01  # significance level of the comparisons with the reference. A convention.


def find_label_shift(
    labels: np.ndarray | None, reference: Reference, share: float = 1.0
) -> tuple[Removable | None, Mix | None, tuple[str, ...]]:
    """Tests whether the class frequencies differ from those of the reference.

    No weights can restore classes without any sample in the data. These classes are reported in a
    note, and only the other classes are compared.

    Args:
        labels: Class ids of the data `(samples,)`, or None.
        reference: The reference, whose class counts are compared with those of the data.
        share: Number of independent samples, or of groups of samples, divided by the number of
            samples.

    Returns:
        The cause, the class frequencies to which samples are weighted to remove it (both None
        without label shift), and notes for the report.
    """
    mix = reference.mix
    if labels is None or mix is None or reference.counts is None:
        return None, None, ()
    counts = np.bincount(labels, minlength=len(reference.counts))
    notes: tuple[str, ...] = ()
    missing = np.flatnonzero((counts == 0) & (reference.counts > 0))
    if len(missing):
        num_classes = len(reference.counts[reference.counts > 0])
        notes = (
            f"{len(missing)} of {num_classes} classes of the reference are not in the data, so "
            "no weights can restore their share.",
        )
    present = np.where(counts > 0, reference.counts, 0)
    if not present.sum():
        return None, None, notes
    test = compare_frequencies(counts, present, (share, 1.0))
    if not test.tested or test.p_value >= LEVEL:
        return None, None, notes
    changed = test.most_changed()
    named = [
        f"class {i} {percent(test.shares[0, i])} against {percent(test.shares[1, i])}"
        for i in changed[:MAX_NAMED]
    ]
    return Removable(LABEL_SHIFT, some_of(named, len(changed))), mix, notes

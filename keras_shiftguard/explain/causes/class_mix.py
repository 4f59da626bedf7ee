"""Label shift as a cause: class frequencies that differ from those of the reference."""

import numpy as np

from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.detection.words.sentences import MAX_NAMED, percent, some_of
from keras_shiftguard.explain.causes.bootstrap import Mix
from keras_shiftguard.explain.causes.views import Removable
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.report import LABEL_SHIFT

LEVEL = 0.01  # significance level of the comparisons with the reference. A convention.


def find_label_shift(
    labels: np.ndarray | None, reference: Reference, share: float
) -> tuple[Removable | None, Mix | None, tuple[str, ...]]:
    """Tests whether the class frequencies differ from those of the reference.

    No weights can restore classes without any sample in the data. These classes are reported in a
    note, and only the other classes are compared.

    Args:
        labels: Class ids of the data `(samples,)`, or None.
        reference: The reference, whose class counts are compared with those of the data.
        share: Number of independent samples, or of groups, divided by the number of samples.

    Returns:
        The cause, the class frequencies to which samples are weighted to remove it (both None
        without label shift), and notes for the report.
    """
    before = reference.counts
    if labels is None or before is None:
        return None, None, ()
    counts = np.bincount(labels, minlength=len(before))
    notes: tuple[str, ...] = ()
    missing = int(((counts == 0) & (before > 0)).sum())
    if missing:
        notes = (
            f"{missing} of {int((before > 0).sum())} classes of the reference are not in the data, "
            "so no weights can restore their share.",
        )
    present = np.where(counts > 0, before, 0)
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
    total = int(before.sum())
    mix = Mix(before / total, labels, 0 if reference.is_published else total)
    return Removable(LABEL_SHIFT, some_of(named, len(changed))), mix, notes

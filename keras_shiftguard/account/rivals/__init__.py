"""Rivals: what may be wrong and can be undone. A new one is a file, and a line here.

The simplest come first, and the order is the prior: of rivals that are not surely worse than the
best one, the first one wins.
"""

from keras_shiftguard.account.rival import Rival
from keras_shiftguard.account.rivals import (
    batch_norm,
    columns,
    factors,
    moments,
    operations,
    random_labels,
    renamed,
    targets,
)
from keras_shiftguard.account.samples import Case

# Each is a function from a case to its rivals.
RIVALS = (
    batch_norm.rivals,
    factors.rivals,
    operations.rivals,
    moments.rivals,
    renamed.rivals,
    random_labels.rivals,
    targets.rivals,
    columns.rivals,
)


def rivals_of(case: Case) -> list[Rival]:
    """Returns all rivals of a case, the simplest first."""
    return [rival for rivals in RIVALS for rival in rivals(case)]

"""`look` decides for which comparisons costs are measured in an epoch; the other checks ask it.

Costs are measured after the epoch of a new finding, then 1, 2, 3, 4, 8, 16, ... epochs later, and
after the last epoch, because a cost can rise while the model learns.
"""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard.callback.checks import labels
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.callback.spending import is_in_schedule
from keras_shiftguard.detection.monitor import Pair


def look(state: Mapping[str, Any] | None, epoch: Epoch) -> tuple[dict[str, Any], Told]:
    """Chooses the comparisons whose costs are due.

    Args:
        state: By the stream that validation is compared with: the features with a cost, and the
            epoch of their first measurement. Also the streams that were due.
        epoch: The epoch.
    """
    measured = dict((state or {}).get("measured", {}))
    due = []
    for pair in epoch.pairs:
        is_asked = pair.findings or (pair is epoch.main and labels.is_unexplained(epoch))
        if pair.stream != "validation" or not is_asked:
            continue
        names, since = measured.get(pair.against, (None, epoch.number))
        names, features = None if names is None else list(names), sorted(pair.findings)
        age = int(epoch.number or 0) - int(since)
        is_due = is_in_schedule(age) and epoch.spending.allows()
        if not (names != features or epoch.is_last or is_due):
            continue
        judged = epoch.judged(pair, epoch.is_apart)
        if judged is None:
            continue
        # If no samples were kept, because validation changed, the next measurement begins anew.
        kept = features if len(judged.current.labels) else []
        measured[pair.against] = [kept, epoch.number if names != features else since]
        due.append(pair.against)
    return {"measured": measured, "due": due}, Told()


def due(epoch: Epoch) -> list[Pair]:
    """Returns the comparisons of validation whose costs are measured in an epoch."""
    names = epoch.states["schedule"]["due"]
    return [p for p in epoch.pairs if p.stream == "validation" and p.against in names]

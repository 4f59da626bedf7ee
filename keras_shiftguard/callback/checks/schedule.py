"""`look` decides for which comparisons costs are measured in an epoch; the other checks ask it.

Costs are measured after the epoch of a new finding, then 1, 4, 16, 64, ... epochs later, and
after the last epoch, because a cost can rise while the model learns. What there is no time for
waits until there is, at the latest for the last epoch.
"""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard.callback.checks import labels
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.spending import is_in_schedule
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.difference import predictions_for


def look(state: Mapping[str, Any] | None, epoch: Epoch) -> tuple[dict[str, Any], Told]:
    """Chooses the comparisons whose costs are due.

    The state: by the stream that validation is compared with: all features that had a cost, and
    the epoch in which the latest of them came. Also the streams that were due.
    """
    measured = dict((state or {}).get("measured", {}))
    due = []
    for pair in epoch.pairs:
        is_asked = pair.findings or (pair is epoch.main and labels.is_unexplained(epoch))
        if pair.stream != "validation" or not is_asked:
            continue
        names, since = measured.get(pair.against, (None, epoch.number))
        features = sorted(pair.findings)
        is_new = names is None or not set(features) <= set(names)
        is_due = is_new or is_in_schedule(int(epoch.number or 0) - int(since))
        if not (names is None or epoch.is_last or (is_due and epoch.spending.allows())):
            continue
        judged = epoch.judged(pair, epoch.is_apart)
        if judged is None or not (epoch.is_last or _has_time(judged, epoch)):
            continue
        # If no samples were kept, because validation changed, the next measurement begins anew.
        known = sorted({*features, *(names or ())}) if len(judged.current.labels) else []
        measured[pair.against] = [known, epoch.number if is_new else since]
        due.append(pair.against)
    return {"measured": measured, "due": due}, Told()


def _has_time(judged: Judged, epoch: Epoch) -> bool:
    """Whether an experiment on all samples may be made before the last epoch."""
    number = len(judged.current.labels)
    if number and not epoch.spending.knows_speed:
        judged.time()
    return epoch.spending.affordable(number, predictions_for, is_last=False) == number


def due(epoch: Epoch) -> list[Pair]:
    """Returns the comparisons of validation whose costs are measured in an epoch."""
    names = epoch.states["schedule"]["due"]
    return [p for p in epoch.pairs if p.stream == "validation" and p.against in names]

"""`look` finds numbers to predict that validation has in another unit, such as no logarithms."""

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.detection.cause import Cause
from keras_shiftguard.experiments.labels.label_units import label_unit
from keras_shiftguard.statistics.rows import Rows

FEATURE = "labels/0"  # of the finding on a single number to predict


def look(state: str | None, epoch: Epoch) -> tuple[str | None, Told]:
    """Tries the units of training, where the numbers to predict are far from those of training.

    The state: the line that undoes what the latest look found; None if it found nothing.
    """
    pair = epoch.main
    if pair is None or FEATURE not in pair.findings or pair not in schedule.due(epoch):
        return state, Told()
    judged = epoch.judged(pair, epoch.is_apart)
    of_pair = pair.stream, pair.against
    none = Told(causes={of_pair: {FEATURE: None}})
    if judged is None or judged.training is None or not isinstance(judged.current.labels, Rows):
        return None, none
    if not epoch.is_harder:
        return None, none
    found = label_unit(
        judged.predict, judged.current, judged.training, judged.judge, int(epoch.number or 0)
    )
    if found is None:
        return None, none
    how, line, cost = found
    cause = Cause(how, "label", "labels", line)
    cost = cost.of_dependent(pair.distinct_share)
    return line, Told(causes={of_pair: {FEATURE: cause}}, costs={of_pair: {FEATURE: cost}})

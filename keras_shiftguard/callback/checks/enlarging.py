"""`look` says after the last epoch if larger images of validation would win accuracy."""

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.detection.cost import MIN_SAMPLES
from keras_shiftguard.experiments.enlarged import gain_of_enlarging, in_words, predictions_for


def look(state: None, epoch: Epoch) -> tuple[None, Told]:
    """Tries larger images once, with the weights of the last epoch, if training is augmented."""
    pair = epoch.main
    if not epoch.is_last or not epoch.is_augmented or pair not in schedule.due(epoch):
        return None, Told()
    judged = epoch.judged(pair, epoch.is_apart)
    specs = [kept.spec for kept in epoch.streams["validation"].kept_together().values()]
    is_single = judged is not None and judged.are_classes and len(specs) == 1
    if judged is None or not is_single or specs[0].layout == "features":
        return None, Told()
    current, training = judged.current, judged.training
    if current.input(specs[0].name).ndim > 4:
        return None, Told()
    number = epoch.spending.affordable(len(current.labels), predictions_for, is_last=True)
    if number < MIN_SAMPLES:
        return None, Told()
    current, training = current.first(number), training and training.first(number)
    found = gain_of_enlarging(
        judged.predict, current, training, specs[0], judged.judge, epoch.number or 0
    )
    return None, Told((in_words(found),) if found.is_alarm(epoch.tolerance) else ())

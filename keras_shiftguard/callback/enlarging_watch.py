"""`EnlargingWatch`: says after the last epoch if larger images of validation would win accuracy."""

from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.detection.cost import MIN_SAMPLES
from keras_shiftguard.experiments.enlarged import gain_of_enlarging, in_words, predictions_for
from keras_shiftguard.statistics.batch import InputSpec


class EnlargingWatch:
    """Tries larger images of validation, if training is augmented.

    Args:
        shift: The comparisons of the streams; their report gets a note.
        spending: The time that is left for experiments.
    """

    def __init__(self, shift: ShiftWatch, spending: Spending) -> None:
        self._shift, self._spending = shift, spending

    def look(self, judged: Judged, spec: InputSpec, epoch: int) -> None:
        """Makes the experiment once, with the weights of the last epoch.

        Args:
            judged: The samples of the epoch, with class ids.
            spec: Specification of the only input.
            epoch: The epoch, which divides the samples.
        """
        if not self._shift.training.is_redrawn or spec.layout == "features":
            return
        current, training = judged.current, judged.training
        number = self._spending.affordable(len(current.labels), predictions_for)
        if number < MIN_SAMPLES:
            return
        current, training = current.first(number), training and training.first(number)
        found = gain_of_enlarging(judged.predict, current, training, spec, judged.judge, epoch)
        if found.is_alarm(float(self._shift.tolerance or 0.0)):
            self._shift.note(in_words(found))

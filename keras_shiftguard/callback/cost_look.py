"""`CostLook`: the data of one measurement of what the findings on validation cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.explain.labelled import Labelled, Predict
from keras_shiftguard.statistics.stream import Stream


@dataclass(frozen=True)
class CostLook:
    """Samples and predictions of one measurement.

    Args:
        pair: Validation, and the stream that it is compared with.
        streams: The streams with their kept samples.
        epoch: The epoch, counted from 1.
        is_last: Whether it is the last epoch of the fit.
        is_new: Whether the findings are other ones than at the previous measurement.
        apart: Whether the corrections of the streams differ, and are applied to the samples here.
        name: Name of the model's input.
        layout: Layout of the samples, see `InputSpec`.
        current: The kept samples of validation.
        training: The kept samples of training; None if none can be used, see `labelled`.
        predict: Runs the model in inference mode.
    """

    pair: Pair
    streams: Mapping[str, Stream]
    epoch: int
    is_last: bool
    is_new: bool
    apart: bool
    name: str
    layout: str
    current: Labelled
    training: Labelled | None
    predict: Predict

    @property
    def source(self) -> str:
        """The first part of the names of the input's features."""
        return source_of(self.name)

    @property
    def is_image(self) -> bool:
        return self.layout != "features"

    @property
    def channels_first(self) -> bool:
        return self.layout == "channels_first"

    @property
    def distinct_share(self) -> float:
        """Share of the samples that are independent of each other."""
        return min(self.pair.current.distinct_share, self.pair.reference.distinct_share)

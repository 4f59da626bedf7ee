"""`PromiseWatch`: measures, during a fit, what findings on validation cost, by experiments."""

from collections.abc import Callable, Mapping, Set
from typing import Any

import keras

from keras_shiftguard.callback.difference_watch import DifferenceWatch
from keras_shiftguard.callback.enlarging_watch import EnlargingWatch
from keras_shiftguard.callback.judged_samples import Judged, JudgedSamples
from keras_shiftguard.callback.label_watch import LabelWatch
from keras_shiftguard.callback.mix_watch import MixWatch
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.callback.visits import are_redrawn, are_unchanged, contents
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.causes.same_samples import have_same_labels
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.errors import warn
from keras_shiftguard.experiments.step import cost_of_step
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.profiles import LabelSummary
from keras_shiftguard.statistics.stream import Stream

FIRST_EPOCHS = 4  # the cost of new findings is measured after each of this many epochs


class PromiseWatch:
    """Measures the cost of the findings on validation, with the present weights.

    Each measurement is an experiment on the validation samples that the guard keeps, at most 1024,
    see `experiments`. Measurements are made after the epoch of a new finding, then 1, 2, 3, 4, 8,
    16, ... epochs later, and after the last epoch, because the cost can rise while the model
    learns. If they take too long, fewer samples are used, or none, see `Spending`.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams. Their findings get the costs.
        sync: Function that copies the present weights to the model's variables.

    Attributes:
        labels: Checks of the labels.
        differences: Experiments on the samples.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift = model, shift
        self._spending = Spending()
        self._samples = JudgedSamples(model, self._spending, sync)
        self.differences = DifferenceWatch(shift, self._spending)
        self._mix = MixWatch()
        self._enlarging = EnlargingWatch(shift, self._spending)
        self.labels = LabelWatch(shift)
        # By the stream that validation is compared with: the features with a cost, and the epoch of
        # their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        # Hashes of the training samples that were kept at the first measurement, and the labels of
        # that pass.
        self._first_pass: tuple[Set[int], LabelSummary] | None = None
        self._has_failed = False

    def update(self, streams: Mapping[str, Stream], epoch: int, is_last: bool = False) -> None:
        """Measures the costs that are due after an epoch.

        Args:
            streams: The streams with their kept samples.
            epoch: The epoch, counted from 1.
            is_last: Whether `epoch` is the last epoch of the fit.
        """
        if self._shift.tolerance is None or self._has_failed:
            return
        try:
            for pair in self._shift.pairs:
                is_main = pair.is_of_validation_and_training
                if is_main:
                    self._look_for_redrawn(streams["train"], pair.reference.labels)
                if pair.stream == "validation" and (pair.findings or is_main):
                    with undisturbed(self._model), self._spending.measuring():
                        self._update(pair, streams, epoch, is_last)
        except Exception as error:  # the user's own `call` may raise anything
            self._has_failed = True
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")
        finally:
            self._samples.forget()

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            "priced": [[key, sorted(names), since] for key, (names, since) in self._priced.items()],
            **self.differences.state(),
            **self.labels.state(),
            **self._mix.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self._priced = {key: (frozenset(names), int(n)) for key, names, n in state["priced"]}
        for part in (self.differences, self.labels, self._mix):
            part.restore(state)

    def _update(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        """Measures what is due for a pair.

        Costs tell whether the samples are alike, which wrong labels need. If nothing differs, wrong
        labels are the likelier cause, and come first.
        """
        parts = [self._price, self._check_labels]
        for part in parts if pair.findings else parts[::-1]:
            part(pair, streams, epoch, is_last)

    def _price(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        """Measures the costs of the findings, and looks for differences that no test shows."""
        is_harder = self.labels.is_harder and not self.labels.are_wrong(pair)
        if not (pair.findings or is_harder or self.differences.has_unseen):
            return
        self.differences.tell_again(pair)
        self.labels.call_mixtures(pair)
        self.labels.call_wrong(pair)
        if not self._is_due(pair, epoch, is_last):
            return
        # If the streams are corrected in different ways, no preprocessing step is undone.
        apart = _correction(streams["train"]) != _correction(streams["validation"])
        judged = self._samples.of(streams, pair.current.labels, apart)
        if judged is None:
            return
        self._remember_priced(pair, epoch, len(judged.current.labels))
        is_first_visit = self._shift.training.is_first_visit and pair.against == "train"
        if judged.are_classes and is_first_visit and not apart:
            self.labels.check_mixtures(pair, judged.training, judged.predict)
        specs = {name: kept.spec for name, kept in streams["validation"].kept_together().items()}
        costs = self.differences.costs(pair, judged, specs, epoch, is_last, is_harder)
        for name, spec in () if apart else specs.items():
            step = _step(pair, name)
            if step is not None:
                costs[source_of(name)] = _cost_of_step(judged, name, step, spec.layout)
        is_single = judged.are_classes and len(specs) == 1
        if is_last and is_single and pair.is_of_validation_and_training:
            self._enlarging.look(judged, next(iter(specs.values())), epoch)
        costs |= self._mix.costs(pair, streams, judged, self.labels.are_wrong(pair))
        share = min(pair.current.distinct_share, pair.reference.distinct_share)
        found_costs = {key: cost and cost.of_dependent(share) for key, cost in costs.items()}
        self._shift.price(pair.stream, pair.against, found_costs)

    def _check_labels(
        self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool
    ) -> None:
        """Looks for labels of validation that do not fit their samples, with two predictions."""
        if not pair.is_of_validation_and_training or not self.labels.is_due(pair):
            return
        is_epoch = epoch <= FIRST_EPOCHS or not epoch & (epoch - 1) or is_last
        if not is_epoch or not (epoch == 1 or self._spending.allows()):
            return
        judged = self._samples.of(streams, pair.current.labels, apart=False)
        if judged is not None and judged.are_classes:
            together = self._mix.belong_together(pair, streams)
            self.labels.check(pair, judged, epoch, is_last, together)

    def _is_due(self, pair: Pair, epoch: int, is_last: bool) -> bool:
        priced, since = self._priced.get(pair.against, (None, epoch))
        age = epoch - since
        is_due = age < FIRST_EPOCHS or not age & (age - 1)
        is_new = priced != frozenset(pair.findings)
        return is_new or is_last or (is_due and self._spending.allows())

    def _remember_priced(self, pair: Pair, epoch: int, num_samples: int) -> None:
        """Remembers that the present findings of a pair have costs, and since when."""
        features = frozenset(pair.findings)
        priced, since = self._priced.get(pair.against, (None, epoch))
        # If no samples were kept, because validation changed, the next measurement begins anew.
        measured = features if num_samples else frozenset()
        self._priced[pair.against] = measured, epoch if priced != features else since

    def _look_for_redrawn(self, stream: Stream, labels: LabelSummary) -> None:
        """Looks for augmentation in the kept samples of training, until it is known for sure."""
        passes = self._shift.training
        if passes.was_redrawn or passes.was_unchanged:
            return
        now = contents(stream)
        if self._first_pass is None:
            self._first_pass = now, labels
        before, first_labels = self._first_pass
        is_first = before is now
        if is_first or not have_same_labels(first_labels, labels):
            return
        if self._shift.distinct_samples is None:
            if are_redrawn(before, now, labels.num_samples):
                passes.call_redrawn()
            elif are_unchanged(before, now, labels.num_samples):
                passes.call_unchanged()


def _correction(stream: Stream) -> object:
    """Returns the corrections of a stream, in a form that can be compared with another stream's."""
    return {name: correction.key for name, correction in stream.corrections.items()}


def _step(pair: Pair, name: str) -> Explanation | None:
    """Returns the preprocessing step that explains the finding on an input; None without one."""
    found = pair.findings.get(source_of(name))
    if found is None or found.kind != "preprocessing":
        return None
    return pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])


def _cost_of_step(judged: Judged, name: str, step: Explanation, layout: str) -> Cost | None:
    is_first = layout == "channels_first"
    return cost_of_step(judged.predict, judged.current, name, step, is_first, judged.judge)

"""`PlacementWatch`: explains findings by images that are misplaced, or covered in one place."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import misplaced_images
from keras_shiftguard.explain.covered import covered
from keras_shiftguard.explain.labelled import Labelled, Predict
from keras_shiftguard.explain.placement import mirrored, misplaced
from keras_shiftguard.explain.shift_cost import ShiftCost


class PlacementWatch:
    """Looks in validation images for a wrong place, and explains findings by it.

    Args:
        shift: The comparisons of the streams, whose findings are explained.
    """

    def __init__(self, shift: ShiftWatch) -> None:
        self._shift = shift
        # By the other stream and the feature: how images are misplaced, e.g. "upside down", and the
        # finding before it was explained by that; None after `restore`.
        self._placed: dict[tuple[str, str], tuple[str, Finding | None]] = {}

    def has_explained(self, pair: Pair, feature: str) -> bool:
        """Whether the finding of a pair on a feature was explained by misplaced images."""
        return (pair.against, feature) in self._placed

    def explain(self, pair: Pair) -> None:
        """Explains the findings of a pair by what the latest search found."""
        for finding in list(pair.findings.values()):
            key = pair.against, finding.feature
            how, _ = self._placed.get(key, ("", None))
            text = misplaced_images(how, finding.stream, finding.against)
            if how and finding.explanation != text:
                self._placed[key] = how, finding
                named = replace(finding, kind="covariate", family="geometry", explanation=text)
                self._shift.replace(named)

    def search(
        self,
        predict: Predict,
        cost: ShiftCost,
        known: Labelled | None,
        channels_first: bool,
        may_be_zoomed: bool,
        distinct_share: float,
    ) -> tuple[str, Cost] | None:
        """Returns how validation images are misplaced and the cost; None if no cost is sure.

        Args:
            predict: Runs the model in inference mode.
            cost: The measurement on the images, which has not found the cause.
            known: Labelled images of training; None if there are none.
            channels_first: Whether the channels are the second axis.
            may_be_zoomed: Whether augmentation may zoom the images of training.
            distinct_share: Share of the samples that are independent of each other.
        """
        current = cost.current
        searches = [
            partial(mirrored, predict, current, known, channels_first),
            # The finding compares validation with the images of `cost.reference`.
            partial(covered, predict, current, cost.reference, channels_first),
            partial(misplaced, predict, current, known, channels_first, may_be_zoomed),
        ]
        for find in searches:
            found = find()
            if found is not None and _explains(found[1].of_dependent(distinct_share), cost):
                return found
        return None

    def apply(
        self, pair: Pair, found: tuple[str, Cost] | None, features: Sequence[str]
    ) -> dict[str, Cost | None]:
        """Explains the finding with the largest effect; earlier explanations are taken back.

        Args:
            pair: The streams with the findings.
            found: Result of `search`.
            features: The features that the misplacing may explain.

        Returns:
            The cost of misplaced images for each of `features`; empty if `found` is None.
        """
        for key in [key for key in self._placed if key[0] == pair.against]:
            _, original = self._placed.pop(key)
            if original is not None and key[1] in pair.findings:
                self._shift.replace(original)
        if found is None:
            return {}
        how, cost = found
        first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
        self._placed[pair.against, first] = how, None
        self.explain(pair)
        return dict.fromkeys(features, cost)

    def state(self) -> list[list[str]]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return [[*key, how] for key, (how, _) in self._placed.items()]

    def restore(self, state: Sequence[Any]) -> None:
        """Restores the state that `state()` returned."""
        self._placed = {(str(a), str(b)): (str(how), None) for a, b, how in state}


def _explains(misplacing: Cost, measured: ShiftCost) -> bool:
    """Whether misplaced images surely cost accuracy, and no less than the accuracies differ by."""
    rough = measured.by_accuracy
    is_more = rough is not None and rough.is_sure and rough.value > misplacing.interval[1]
    return misplacing.is_sure and not is_more

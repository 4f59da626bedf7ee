"""`PlacementWatch`: explains findings by images that are misplaced, or covered in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
        # By the other stream and the feature: how images are misplaced, e.g. "upside down".
        self._placed: dict[tuple[str, str], str] = {}

    def has_explained(self, pair: Pair, finding: Finding) -> bool:
        """Whether a finding of a pair was explained by misplaced images."""
        return (pair.against, finding.feature) in self._placed

    def explain(self, pair: Pair) -> None:
        """Explains the findings of a pair by what the latest search found."""
        for finding in list(pair.findings.values()):
            how = self._placed.get((pair.against, finding.feature))
            if how is not None:
                text = misplaced_images(how, finding.stream, finding.against)
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
        for find, more in ((mirrored, ()), (covered, ()), (misplaced, (may_be_zoomed,))):
            found = find(predict, cost.current, known, channels_first, *more)
            if found is not None and _explains(found[1].of_dependent(distinct_share), cost):
                return found
        return None

    def apply(
        self,
        pair: Pair,
        found: tuple[str, Cost] | None,
        features: Sequence[str],
        originals: Mapping[str, Finding],
    ) -> dict[str, Cost | None]:
        """Explains the finding with the largest effect, or takes an earlier explanation back.

        Args:
            pair: The streams with the findings.
            found: Result of `search`.
            features: The features that the misplacing may explain.
            originals: The findings without an explanation by misplaced images, by feature.

        Returns:
            The cost of misplaced images for each of `features`; empty if `found` is None.
        """
        if found is None:
            for against, feature in [key for key in self._placed if key[0] == pair.against]:
                del self._placed[against, feature]
                if feature in originals:
                    self._shift.replace(originals[feature])
            return {}
        how, cost = found
        first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
        self._placed[pair.against, first] = how
        self.explain(pair)
        return dict.fromkeys(features, cost)

    def state(self) -> list[list[str]]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return [[*key, how] for key, how in self._placed.items()]

    def restore(self, state: Sequence[Any]) -> None:
        """Restores the state that `state()` returned."""
        self._placed = {(str(a), str(b)): str(how) for a, b, how in state}


def _explains(misplacing: Cost, measured: ShiftCost) -> bool:
    """Whether misplaced images surely cost accuracy, and no less than the accuracies differ by."""
    rough = measured.by_accuracy
    is_more = rough is not None and rough.is_sure and rough.value > misplacing.interval[1]
    return misplacing.is_sure and not is_more

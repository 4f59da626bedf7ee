"""`TrainingPasses`: what the passes over training show about its augmentation."""

from collections.abc import Mapping, Set

import numpy as np

from keras_shiftguard.callback.visits import are_redrawn, are_unchanged, contents
from keras_shiftguard.detection.causes.augmented import looks_augmented
from keras_shiftguard.detection.causes.same_samples import (
    MAX_LEFT_OUT_ERRORS,
    MAX_NEAR_ERRORS,
    have_same_labels,
    left_out_errors,
    randomised,
)
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.profiles import InputProfile, LabelSummary
from keras_shiftguard.statistics.stream import Stream

# Attributes of `TrainingPasses` that are saved with its state.
SAVED = (
    *("is_first_visit", "is_unaugmented", "is_augmented", "was_near", "was_redrawn"),
    *("was_unchanged", "has_soft_labels"),
)


class TrainingPasses:
    """Tells from the passes over training whether its samples are augmented.

    A pass whose samples differ from those of the first pass, although the labels show that they
    are the same samples, was augmented. Before the second pass this is not known.

    Attributes:
        is_first_visit: Whether training has had only one pass so far, without MixUp or CutMix.
        is_unaugmented: Whether the latest pass over training had the same unchanged samples as the
            first pass, except for a few samples that were left out.
        was_near: Whether the latest pass over training was as near to the first pass as passes
            without augmentation are.
        was_redrawn: Whether some pass over training surely had changed samples.
        was_unchanged: Whether two passes over training surely had the same samples.
        is_augmented: Whether the latest pass over training shows augmentation: the pass had
            randomly changed versions of the first pass's samples, or labels that are mixtures.
        has_soft_labels: Whether labels of training are probabilities that stay the same in every
            pass, such as those of a teacher, or of which only one pass was seen.
    """

    def __init__(self) -> None:
        self.is_first_visit = True
        self.is_unaugmented = False
        self.is_augmented = False
        self.was_near = False
        self.was_redrawn = False
        self.was_unchanged = False
        self.has_soft_labels = False
        self._is_randomised = False  # whether the latest pass had changed versions of its samples
        # Hashes of the samples that were kept of the first pass that had any, and its labels.
        self._first_kept: tuple[Set[int], LabelSummary] | None = None

    @property
    def is_redrawn(self) -> bool:
        """Whether the latest pass, or surely some earlier one, shows augmentation."""
        return self.is_augmented or self.was_redrawn

    @property
    def shows_augmentation(self) -> bool:
        """Whether a pass so far has shown augmentation; soft labels alone are none."""
        return self.is_redrawn and not self.is_unaugmented

    def look(self, first: InputProfile, latest: InputProfile) -> None:
        """Updates the attributes after a pass.

        Args:
            first: Profile of the first pass over training.
            latest: Profile of the latest pass; the same object in the first pass.
        """
        seen_once, are_mixed = first is latest, latest.labels.are_mixed
        self.is_first_visit = seen_once and not are_mixed
        self._is_randomised = False
        if not seen_once:
            self._compare(*left_out_errors(first, latest))
            self._is_randomised = randomised(first, latest)
        self.is_augmented = self._is_randomised or are_mixed
        # Those of MixUp change with every pass, and their largest are the labels.
        self.has_soft_labels = are_mixed and (seen_once or self.is_unaugmented)

    def look_at_samples(self, stream: Stream, labels: LabelSummary) -> None:
        """Compares the kept samples with those of an earlier pass, until one of both is sure.

        Args:
            stream: Training, with its kept samples.
            labels: Labels of the latest pass.
        """
        if self.was_redrawn or self.was_unchanged:
            return
        now = contents(stream)
        if self._first_kept is None:
            self._first_kept = now, labels
            return
        before, first_labels = self._first_kept
        if not have_same_labels(first_labels, labels):
            return
        if are_redrawn(before, now, labels.num_samples):
            self.was_redrawn, self.is_unaugmented = True, False
        elif are_unchanged(before, now, labels.num_samples):
            self.was_unchanged = self.is_unaugmented = True

    def expected(self, latest: InputProfile, other: InputProfile) -> tuple[set[str], str]:
        """Returns the features that are expected to differ because training is augmented.

        Args:
            latest: Profile of the latest pass over training, after `look`.
            other: Profile that training is compared with.

        Returns:
            The features, and a sentence with the evidence; empty if none are expected.
        """
        # Augmentation is certain in two cases. Either the inputs change from epoch to epoch,
        # although the labels show that the samples are the same. Or the labels of training are
        # mixed, as by MixUp, and the labels of the other stream are not.
        mixed = latest.labels.are_mixed and not other.labels.are_mixed
        certain = self._is_randomised or mixed
        features: set[str] = set()
        sentence = ""
        for name in latest.inputs.keys() & other.inputs.keys():
            found = looks_augmented(latest.inputs[name], other.inputs[name], certain=certain)
            if found:
                source = source_of(name)
                features |= {source, *(f"{source}/{feature}" for feature in found.expected)}
                sentence = found.sentence
        return features, sentence

    def state(self) -> dict[str, bool]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {name: getattr(self, name) for name in SAVED}

    def restore(self, state: Mapping[str, bool]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        for name in SAVED:
            setattr(self, name, bool(state.get(name, getattr(self, name))))

    def _compare(self, errors: float, least: float) -> None:
        """Sets whether training is unaugmented, from the `left_out_errors` of its latest pass."""
        was_near, self.was_near = self.was_near, errors < MAX_NEAR_ERRORS
        self.was_redrawn = self.was_redrawn or MAX_LEFT_OUT_ERRORS < least < np.inf
        is_near_again = was_near and self.was_near and not self.was_redrawn
        is_known = self.was_unchanged and not self.was_redrawn
        self.is_unaugmented = errors == 0 or is_near_again or is_known

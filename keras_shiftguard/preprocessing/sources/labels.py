"""Labels that the network has learned."""

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW
from keras_shiftguard.preprocessing.doubts import doubt_of_feed
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    Suspicion,
    as_observed,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.order import means_swapped
from keras_shiftguard.preprocessing.sources.outcome import verdict_of_mismatch, verdict_of_right
from keras_shiftguard.preprocessing.witnesses.labels import by_labels


def from_labels(case: Case) -> Verdict | None:
    """Decides by the labels of the images, if the network has learned them."""
    found = by_labels(case)
    if found is None:
        return None
    expected, trial = found
    fed, known = case.observation.convention, case.structure.convention
    evidence = (trial.in_words(), *case.observation.evidence)
    if expected is None:
        is_known = case.trusted and same_numbers(as_observed(fed, known, swap=False), known)
        return verdict_of_right(case, known if is_known else ordered(fed, RAW), evidence)
    if case.trusted and known.mode == expected.mode:
        expected = known
    suspicion = Suspicion(expected, as_observed(fed, expected, means_swapped(fed, expected)))
    doubt = doubt_of_feed(case, suspicion, trial)
    if doubt:
        return Verdict("unknown", expected, ordered(fed, expected), (doubt, *evidence))
    return verdict_of_mismatch(case, suspicion, evidence, is_proven=True)

"""Somebody's word: a statement, or the model's own layers, and whether the images agree."""

from dataclasses import replace

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.doubts import doubts_about_layers
from keras_shiftguard.preprocessing.evidence_words import scaled_twice
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_observed, same_numbers
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, MIN_MISMATCH
from keras_shiftguard.preprocessing.order import means_swapped, order_of
from keras_shiftguard.preprocessing.posterior import posterior
from keras_shiftguard.preprocessing.witnesses.feed import (
    are_near,
    fills_stated_range,
    is_fed_another,
    is_narrower,
    why_as_expected,
)


def from_word(case: Case) -> Verdict | None:
    """Decides by a statement, or by the model's own layers.

    Layers do not count if batch norm clearly fits the images as fed: the weights were then trained
    on another input than these layers are made for.
    """
    if not case.trusted or not (case.stated or case.structure.speaks):
        return None
    remembered = 0 if case.stated else memory_of_expected(case)
    if remembered == -1:
        return None
    verdict = _against_word(case)
    if case.stated or verdict is None or verdict.status != "mismatch":
        return verdict
    doubts = doubts_about_layers(case, verdict, is_remembered=remembered == 1)
    if doubts is None:
        return verdict
    return replace(verdict, status="unknown", evidence=(*doubts, *verdict.evidence))


def _against_word(case: Case) -> Verdict | None:
    """Compares what is fed with a convention that is certain."""
    expected, observation = case.structure.convention, case.observation
    as_fed, summary = observation.convention, case.summary
    evidence = (*observation.evidence, *case.structure.evidence)
    of_word = (*case.structure.evidence, *observation.evidence)
    if case.stated:
        evidence = of_word
        if expected.mode == "custom" and fills_stated_range(observation, summary, expected):
            return Verdict("ok", expected, expected, evidence)
    why_right = why_as_expected(observation, summary, expected, case.stated)
    right = Verdict("ok", expected, expected, (why_right, *of_word)) if why_right else None
    if not as_fed.is_known:
        return right
    in_place = as_observed(as_fed, expected, means_swapped(as_fed, expected))
    is_scale_right = same_numbers(in_place, expected)
    order = order_of(case, expected, in_fix=not is_scale_right)
    evidence = (*evidence, *order.evidence)
    swap = order.status != "ok" if is_scale_right else order.assumed
    observed = as_observed(as_fed, expected, swap)
    if is_scale_right:
        possible = order.is_possible
        return Verdict(order.status, expected, observed, evidence, swap_is_possible=possible)
    if is_fed_another(observation, summary, observed, expected):
        is_raw = expected.mode == "raw" and is_narrower(observed, expected)
        if is_raw and not are_near(observed, expected) and not case.stated:
            evidence = (scaled_twice(case), *evidence)
        return Verdict("mismatch", expected, observed, evidence)
    return right or Verdict("unknown", expected, observed, evidence)


def memory_of_expected(case: Case) -> int:
    """Returns whether batch norm supports the convention that the structure expects: 1, -1 or 0.

    It is 1 if this convention is probable, and -1 if that of the images as fed is.
    """
    reading, expected = case.reading, case.structure.convention
    as_fed = case.observation.convention
    if isinstance(reading, str) or reading.num_images < MIN_IMAGES:
        return 0
    if same_numbers(as_observed(as_fed, expected, swap=False), expected):
        return 0
    found = posterior(case, reading, is_tried=False)
    if (expected.mode, False) not in found.probability:
        return 0
    of_expected = found.probability[expected.mode, False]
    return int(of_expected >= MIN_MISMATCH) - int(found.of_fed >= MIN_MISMATCH)

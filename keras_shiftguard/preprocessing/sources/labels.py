"""Labels that the network has learned: in which scale it names most images as labelled.

Labels settle what nothing else can: what a classifier has learned on a frozen backbone, and what a
network without batch norm expects.
"""

from dataclasses import replace

from keras_shiftguard.conventions import MODES, MODES_WITH_ORDER
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW, InputConvention
from keras_shiftguard.preprocessing.doubts import doubt_of_feed
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.hypotheses import own_levels
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    Suspicion,
    as_observed,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.order import means_swapped
from keras_shiftguard.preprocessing.sources.outcome import verdict_of_mismatch, verdict_of_right
from keras_shiftguard.preprocessing.witnesses.preference import LIKELY, SURE, Preference

OWN = "custom"  # the mode of a data set that has numbers of its own


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


def by_labels(case: Case) -> tuple[InputConvention | None, Preference] | None:
    """Returns the scale that the labels speak for, with the trial that shows it most clearly.

    The scale is None if the images as fed are right. The result is None if there are no labels, if
    the network has not learned them, or if two scales are about as good.
    """
    fed = case.observation.convention
    if case.trial is None or case.structure.fresh or not (case.trial.has_labels and fed.is_known):
        return None
    fixes = _fixes(case, fed)
    trials: dict[InputConvention, Preference] = {}
    for convention, fix in fixes.items():
        trial = case.compare(fix)
        if trial is not None and trial.by_labels:
            trials[convention] = trial
    named = sorted((c for c in trials if c.mode != OWN), key=lambda c: -trials[c].sigmas)
    if not named:
        return None
    best, *others = named
    # The numbers of the own data set are estimated, so they must surely beat all others, also those
    # with swapped channels: standardised by themselves, swapped channels differ less.
    own = next((each for each in trials if each.mode == OWN), best)
    if own != best and trials[own].sigmas > SURE:
        rivals = [fixes[best]]
        if case.summary.num_channels == 3:
            rivals.append(fixes[best]._replace(permutation=(2, 1, 0)))
        if all(_is_better(case, fixes[own], rival) for rival in rivals):
            return own, trials[own]
    if trials[best].sigmas < -LIKELY and trials[own].sigmas < LIKELY:
        return None, trials[best]
    if trials[best].sigmas <= SURE:
        return None
    if others and not _is_better(case, fixes[best], fixes[others[0]]):
        return None
    return best, trials[best]


def _is_better(case: Case, one: Transform, other: Transform) -> bool:
    """Whether labels are surely likelier with one map than with another."""
    rival = case.compare(one, other)
    return rival is not None and rival.sigmas > LIKELY


def _fixes(case: Case, fed: InputConvention) -> dict[InputConvention, Transform]:
    """Returns the map to each other convention, in the channel order of the images as fed.

    The last one is that of a data set whose numbers are estimated from the images at hand.
    """
    is_colour, order = case.summary.num_channels == 3, fed.channel_order
    found = {}
    for mode in MODES:
        if mode == fed.mode or (mode in MODES_WITH_ORDER and not is_colour):
            continue
        usual = "bgr" if mode == "caffe" else "rgb"
        expected = InputConvention(mode, usual if is_colour and order == "unknown" else order)
        found[expected] = case.map_between(fed, InputConvention(mode, order))
    mean, std = own_levels(fed, case.summary)
    numbers = tuple((1 / std).tolist()), tuple((-mean / std).tolist())
    own_order = "rgb" if is_colour and order == "unknown" else order
    own = InputConvention(OWN, own_order, *numbers)
    return found | {own: case.map_between(replace(fed, channel_order=own_order), own)}

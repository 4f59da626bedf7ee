"""Batch norm, the trial and the feed, where nobody states what the model expects."""

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW, UNKNOWN
from keras_shiftguard.preprocessing.doubts import doubt_about, helps
from keras_shiftguard.preprocessing.evidence_words import evidence_of, without_fix_in_words
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    Suspicion,
    as_observed,
    ordered,
    same_numbers,
    suspicion_of,
)
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, MIN_MISMATCH, MIN_OK
from keras_shiftguard.preprocessing.order import means_swapped
from keras_shiftguard.preprocessing.posterior import LEAST, posterior, posterior_of_trial
from keras_shiftguard.preprocessing.sources.outcome import verdict_of_mismatch, verdict_of_right
from keras_shiftguard.preprocessing.witnesses.feed import are_near
from keras_shiftguard.preprocessing.witnesses.preference import HELPS

# Gap in log misfit that proves a fix where the trial cannot tell: raw pixels in place of small
# numbers, or the reverse. Measured by `examples/benchmarks/verdict_corpus.py`: without it, 14 right
# fixes on four networks are withheld; where no gap is asked for, one fix does harm.
OBVIOUS_GAP = np.log(5.0)


def from_evidence(case: Case) -> Verdict | None:
    """Decides by batch norm, the trial and the feed; None if there is too little evidence."""
    if not case.observation.convention.is_known:
        return None
    if isinstance(case.reading, Reading):
        return _with_batch_norm(case, case.reading)
    return _without_batch_norm(case, case.reading)


def _with_batch_norm(case: Case, reading: Reading) -> Verdict:
    """Decides by the posterior of a network with batch norm."""
    fed = case.observation.convention
    published = case.structure.convention if case.trusted else None
    found = posterior(case, reading, published)
    is_enough = reading.num_images >= MIN_IMAGES
    is_right = found.of_fed >= MIN_OK and is_enough
    has_fix = any(h.has_fix and h.kind == found.rival for h in reading.hypotheses)
    kind = found.rival if has_fix and not is_right else found.fed
    prior = published if kind == (getattr(published, "mode", None), False) else None
    suspicion = suspicion_of(reading, kind, fed, prior)
    evidence = evidence_of(case, reading, found, suspicion)
    if is_right:
        return verdict_of_right(case, suspicion.expected, evidence)
    expected = UNKNOWN if published is None else published
    least = MIN_MISMATCH if suspicion.is_inverted else MIN_OK
    if not has_fix:
        is_scale = found.rival[1] and found.of_fed + found.of_rival >= MIN_OK
        expected = suspicion.expected if is_scale else UNKNOWN
        if found.of_rival > LEAST:
            evidence = (without_fix_in_words(found.rival), *evidence)
    elif found.of_rival >= least and is_enough:
        expected, trial = suspicion.expected, found.trials.get(kind)
        # Images of unusual subjects fit no hypothesis well, the right one neither. So what counts
        # is how little is left for the images as fed, not how much is left for "none of these".
        if found.of_fed <= LEAST:
            doubt = doubt_about(case, suspicion, trial, found.is_retrained)
            if not doubt:
                can_tell = trial is not None and trial.can_tell
                gap, _ = reading.scores.gap(reading.as_fed, suspicion.index)
                is_sure = gap > OBVIOUS_GAP or found.of_rival >= MIN_MISMATCH
                is_proven = helps(trial, HELPS) if can_tell else is_sure
                return verdict_of_mismatch(case, suspicion, evidence, is_proven)
            evidence = (doubt, *evidence)
    return Verdict("unknown", expected, ordered(fed, expected), evidence)


def _without_batch_norm(case: Case, reason: str) -> Verdict | None:
    """Decides by the trial; None if nothing is suspected and the trial does not acquit.

    A published convention alone accuses nobody: it only is what the trial compares.
    """
    expected, fed = case.structure.convention, case.observation.convention
    fresh, of_feed = case.structure.fresh, case.observation.evidence
    if not case.trusted:
        return _right_by_trial(case, ())
    evidence = (*case.structure.evidence, *(() if fresh else (reason,)), *of_feed)
    observed = as_observed(fed, expected, means_swapped(fed, expected))
    if same_numbers(observed, expected):
        return verdict_of_right(case, expected, evidence)
    trial = None if fresh else case.compare(case.map_between(observed, expected))
    if trial is not None:
        evidence = (trial.in_words(), *evidence)
        suspicion = Suspicion(expected, observed)
        compared = trial
        if not trial.head_tells and not are_near(observed, expected):
            compared = trial.without_head()  # the logits of two classes tell no images apart
        is_sure = case.observation.certainty >= MIN_MISMATCH and helps(compared)
        if is_sure and not doubt_about(case, suspicion, compared):
            return verdict_of_mismatch(case, suspicion, evidence, is_proven=True)
        right = _right_by_trial(case, evidence) if trial.can_tell and trial.sigmas < 0 else None
        if right is not None:
            return right
    weights = "look untrained" if fresh else "do not confirm it"
    made = case.made_for(expected)
    text = f"{made[0].upper()}{made[1:]}; these weights {weights}."
    return Verdict("unknown", expected, ordered(fed, expected), (text, *evidence))


def _right_by_trial(case: Case, evidence: tuple[str, ...]) -> Verdict | None:
    """Returns "ok" if the network sees worse in every other mode; else None.

    In many networks without normalization, larger pixel values make images easier to distinguish,
    up to some size. So large values prove nothing if they score best.
    """
    fed = ordered(case.observation.convention, RAW)
    small = [mode for mode in MODES if mode not in ("raw", "caffe")]
    if case.summary.num_channels != 3 or case.structure.fresh or fed.mode not in small:
        return None
    others = [(mode, False) for mode in MODES if mode != fed.mode]
    found = posterior_of_trial(case, [*others, STANDARDISED])
    if found.of_fed < MIN_OK:
        return None
    least = -max(found.evidence.sigmas.values())
    text = (
        f"Trial: the network sees worse in every other mode, by {least:.1f} standard errors or "
        "more."
    )
    return verdict_of_right(case, fed, (text, *evidence, *case.observation.evidence))

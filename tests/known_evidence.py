"""Facts on one input from which the decision is made, with given results of batch norm and trial.

A reading (`Reading`) compares many hypotheses about the input with the batch norm of a network. The
trial measures whether a network sees its images better with a fix. Both need trained networks,
which `test_verdict.py` has; here they have the results that a test needs.
"""

import dataclasses

import numpy as np
from numpy_reference import summarise

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Scores
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import hypotheses_for
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.preprocessing.witnesses.preference import Preference

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("float64")
UNIT, GRAY = InputConvention("unit", "unknown"), InputConvention("unit", "gray")
RAW, TF = InputConvention("raw", "unknown"), InputConvention("tf", "unknown")
CAFFE = InputConvention("caffe", "bgr")
NOTHING = StructuralExpectation("input")


def key(mode, swap=False, means=None, inverted=False):
    return mode, swap, means, inverted


FED, TO_TF, TO_RAW, TO_TORCH = key("unit"), key("tf"), key("raw"), key("torch", means="rgb")
SWAPPED, INVERTED = key("unit", swap=True), key("unit", inverted=True)


def scores_of(misfit, sigmas):
    """Returns scores with given misfits, and a given number of standard errors for each gap."""
    scores = object.__new__(Scores)
    scores.misfit = np.log(misfit)
    wave = np.tile([1.0, -1.0], 10)[:, None]
    gaps = scores.misfit - scores.misfit.min()
    scores.resampled = scores.misfit + wave * gaps / sigmas
    return scores


def reading_of(
    fits, best=None, observed=UNIT, sigmas=9.0, swap_sigmas=0.0, num_images=12, extra=()
):
    """Returns a reading. `fits` maps the `key` of hypotheses to misfits; all others have 1.

    `extra` has the kind and the misfit of hypotheses without a fix.
    """
    channels = 1 if observed.channel_order == "gray" else 3
    images = PIXELS[..., :channels] * observed.scale[0] + observed.offset[0]
    hypotheses = hypotheses_for(observed, summarise(images), None)
    keys = [key(h.mode, h.swap, h.means, h.inverted) for h in hypotheses]
    misfit = np.ones(len(keys))
    for which, value in fits.items():
        misfit[keys.index(which)] = value
    without_fix = [None if h.has_fix else h.kind for h in hypotheses]
    for kind, value in extra:
        misfit[without_fix.index(kind)] = value
    as_fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    best = keys.index(best or min(fits, key=fits.get))
    scores = scores_of(misfit, sigmas)
    return Reading(tuple(hypotheses), scores, as_fed, best, swap_sigmas, num_images)


class TrialOf:
    """A trial with known results: by how many standard errors a fix helps.

    `sigmas` is a number, or a function of the fix and of the map that it is compared with.
    """

    def __init__(self, sigmas, logits=None, **more):
        self.sigmas, self.logits = sigmas, logits
        self.has_labels = bool(more.get("by_labels"))
        self.more = {"told_apart": 0.9, "num_images": 32, "by_labels": False, **more}

    def of(self, fix, than=None):
        sigmas = self.sigmas(fix, than) if callable(self.sigmas) else self.sigmas
        if self.logits is None:
            return Preference(sigmas, of_features=None, of_logits=None, **self.more)
        least = min(sigmas, self.logits)
        return Preference(least, of_features=sigmas, of_logits=self.logits, **self.more)


def of_order(sigmas, of_fix=9.0):
    """Returns a trial in which another order of the channels helps by `sigmas`."""

    def answer(fix, than):
        is_order = fix.scale[0] == (1.0 if than is None else than.scale[0])
        return sigmas if is_order else of_fix

    return TrialOf(answer)


def case(fits=None, observed=UNIT, certainty=0.97, structure=NOTHING, images=None, **more):
    """Returns the facts on one input; without `fits` there is no batch norm."""
    names = ("best", "sigmas", "swap_sigmas", "num_images", "extra")
    of_reading = {name: more.pop(name) for name in names if name in more}
    reading: Reading | str = "There is no batch norm."
    if fits is not None:
        reading = reading_of(fits, observed=observed, **of_reading)
    if images is None:
        channels = 1 if observed.channel_order == "gray" else 3
        images = PIXELS[..., :channels]
        images = images if observed.scale is None else observed.from_raw(images)
    observation = Observation(observed, more.pop("kind", None), certainty, ("It was seen.",))
    trusted = structure.convention.is_known and not more.get("scratch")
    return Case(
        observation,
        summarise(images),
        structure,
        trusted,
        more.pop("scratch", False),
        reading,
        **more,
    )


def published(mode, order="rgb", **more):
    expected = InputConvention(mode, order)
    text = ("It is published.",)
    return StructuralExpectation("input", expected, expected, "ANet", evidence=text, **more)


def layers_for(convention, architecture=None, **more):
    """Returns the structure of a network whose own layers are made for a convention."""
    return dataclasses.replace(
        NOTHING, convention=convention, architecture=architecture, speaks=True, **more
    )

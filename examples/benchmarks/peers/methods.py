"""The detectors of alibi-detect, torchdrift and frouros (the peers), in their own environment.

Each detector has its best documented setting. A method is a function of the reference that returns
a check. A check takes test samples and returns (p-value, alarm), where `alarm` is the library's own
decision at p < .05. Bandwidths are medians of distances. By default alibi-detect takes the median
over the reference, and torchdrift the median over both samples. frouros is given the median over
the reference.
"""

import logging
import os
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import permutations

LEVEL = 0.05
PERMUTATIONS = 100


@dataclass(frozen=True)
class Peer:
    """One detector of a peer, a row of the power table.

    Args:
        make: Function that takes the reference samples and returns a check.
        features: `"softmax"` or `"penultimate"`.
        reference: Number of samples in the reference.
        smallest, largest: Smallest and largest size of the test set at which the peer is run.
    """

    make: object
    features: str
    reference: int
    smallest: int = 10
    largest: int = 1000


def quiet():
    """Silences alibi-detect and scikit-learn, which print a lot."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _alibi(detector):
    def check(x):
        found = detector.predict(x)["data"]
        return float(np.min(found["p_val"])), bool(found["is_drift"])

    return check


def ks(reference):
    from alibi_detect.cd import KSDrift

    return _alibi(KSDrift(reference, p_val=LEVEL, correction="bonferroni"))


def mmd(reference, fast=False):
    from alibi_detect.cd import MMDDrift

    detector = MMDDrift(
        reference, backend="pytorch", p_val=LEVEL, n_permutations=PERMUTATIONS, device="cpu"
    )
    return _alibi(permutations.alibi_mmd(detector) if fast else detector)


def lsdd(reference):
    from alibi_detect.cd import LSDDDrift

    return _alibi(
        LSDDDrift(
            reference, backend="pytorch", p_val=LEVEL, n_permutations=PERMUTATIONS, device="cpu"
        )
    )


def classifier(reference):
    from alibi_detect.cd import ClassifierDrift
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000)
    return _alibi(
        ClassifierDrift(reference, model, backend="sklearn", p_val=LEVEL, n_folds=5, seed=0)
    )


def torchdrift_mmd(reference):
    import torch
    from torchdrift.detectors import KernelMMDDriftDetector

    detector = KernelMMDDriftDetector(n_perm=PERMUTATIONS)
    detector.fit(torch.from_numpy(reference))

    def check(x):
        p = float(detector.compute_p_value(torch.from_numpy(x)))
        return p, p < LEVEL

    return check


def frouros_mmd(reference):
    from frouros.callbacks import PermutationTestDistanceBased
    from frouros.detectors.data_drift import MMD
    from frouros.utils.kernels import rbf_kernel
    from scipy.spatial.distance import pdist

    sigma = float(np.median(pdist(reference)))
    callback = PermutationTestDistanceBased(
        num_permutations=PERMUTATIONS, num_jobs=1, name="permutations", random_state=0
    )
    detector = MMD(kernel=partial(rbf_kernel, sigma=sigma), callbacks=[callback])
    detector.fit(X=reference)

    def check(x):
        _, logs = detector.compare(X=x)
        p = float(logs["permutations"]["p_value"])
        return p, p < LEVEL

    return check


# The order in which the peers run: the cheap ones first.
PEERS = {
    "alibi KS, softmax": Peer(ks, "softmax", 10_000, largest=10_000),
    "alibi KS, penultimate": Peer(ks, "penultimate", 10_000, largest=10_000),
    "alibi LSDD, softmax": Peer(lsdd, "softmax", 1000),
    "alibi LSDD, penultimate": Peer(lsdd, "penultimate", 1000),
    "alibi classifier, softmax": Peer(classifier, "softmax", 1000),
    "alibi classifier, penultimate": Peer(classifier, "penultimate", 1000),
    "alibi classifier 10k, penultimate": Peer(classifier, "penultimate", 10_000, 100, 10_000),
    # These MMD tests compute their permutations together: see `permutations.py`.
    "alibi MMD, penultimate": Peer(partial(mmd, fast=True), "penultimate", 1000),
    "torchdrift MMD, penultimate": Peer(torchdrift_mmd, "penultimate", 1000),
    "alibi MMD, softmax": Peer(partial(mmd, fast=True), "softmax", 1000),
    "frouros MMD, penultimate": Peer(frouros_mmd, "penultimate", 1000),
}

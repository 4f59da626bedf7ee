"""Labels of which a share fits nothing: `q = (1 - share) p + share * frequencies`."""

import numpy as np

from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half

# Shares of random labels that are tried. A convention.
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STEP = (
    "Look at validation samples with a sure wrong prediction: labels and samples there are mixed up"
)


def rivals(case: Case) -> list[Rival]:
    """Returns the rival, for labels that are class ids."""
    likelihood = case.likelihood
    if not isinstance(likelihood, Classes):
        return []

    def fit(half: Half) -> Undoing:
        frequencies = np.bincount(half.y, minlength=half.outputs.shape[1]) + 0.5
        frequencies = frequencies / frequencies.sum()
        power, weights = likelihood.fit(half.outputs, half.y)
        best = (-np.inf, 0.0, power)
        for temperature in sorted({power, 1.0, 2.0} if power < 1 else {power}):
            p = likelihood.tempered(half.outputs, (temperature, weights))
            of_label, usual = p[np.arange(len(half)), half.y], frequencies[half.y]
            for share in SHARES:
                found = float(np.log((1 - share) * of_label + share * usual + 1e-12).mean())
                best = max(best, (found, share, temperature))
        _, share, temperature = best

        def apply(samples: Half) -> Half:
            p = likelihood.tempered(samples.outputs, (temperature, weights))
            mixed = (1 - share) * p + share * frequencies
            return Half(samples.predict, samples.x, samples.y, mixed, samples.spread)

        cause = f"about {100 * share:.0f} % of the labels of {{data}} fit nothing: they are random"
        return Undoing(apply, share, ("random", share), cause, STEP, share=share)

    return [Rival("labels", "random", "labels random", fit, is_free=True)]

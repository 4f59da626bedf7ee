"""Two mean embeddings: do the streams come from one distribution?

The squared distance of two means of random Fourier features is the maximum mean
discrepancy (MMD). It is blind where the features vary little by themselves, so
it is taken spectrally regularised: each principal direction of the pooled
covariance is divided by its variance plus a ridge, a kernel Fisher
discriminant. Two ridges are added up, each in units of its own noise: the large
one sees diffuse shifts (a new class mix), the small one fine ones (a rotation).
Given the covariance, the null is a weighted sum of chi2.

The bandwidth and the ridges come from both streams together, so that exchanging
samples between them would not change them. Given both, dealing the samples out
anew turns the difference of the means to a random direction in the space of all
samples: the null is the weighted share of a random point on a sphere. With many
samples that is a weighted sum of chi2; with few it knows that the covariance was
estimated from the same samples.

Reference: Harchaoui, Bach and Moulines, "Testing for Homogeneity with Kernel
Fisher Discriminant Analysis", NeurIPS 2008; Hagrass, Sriperumbudur and Li,
"Spectral Regularized Kernel Two-Sample Tests", Annals of Statistics 2024.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import log_gamma, share_sf
from keras_shiftguard.profiles.embedding import BANDWIDTHS, MeanEmbedding

MIN_SAMPLES = 20  # in each stream; below, no embedding is tested
# Of the root mean square distance of two projections: at twice that distance
# the waves are nearly linear and quadratic; the ridges do the rest.
WIDTH = 2.0
RIDGES = (0.1, 0.01)  # of the largest eigenvalue
# Extra variance of the statistic at sizes n << m, times n: measured on real
# images, where without it 6.5 % of the p-values lie below 0.05 at n = 50.
UNEQUAL = 8.0


@dataclass(frozen=True)
class EmbeddingTest:
    """Result for one pair of embeddings.

    Args:
        effect_size: Distance of the means in standard deviations along the
            direction in which they differ, less what chance alone would give:
            the d of Cohen for the best contrast of the features. Not negative.
        interval: 95 % interval of the effect size, approximately.
        p_value: Never 0; 1 where nothing could be tested.
        bandwidth: The one chosen, in units of the projections; 0 for none.
        tested: Whether there were enough samples and any variation.
    """

    effect_size: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)
    p_value: float = 1.0
    bandwidth: float = 0.0
    tested: bool = False


def compare_embeddings(
    current: MeanEmbedding, reference: MeanEmbedding, shares: tuple[float, float] = (1.0, 1.0)
) -> EmbeddingTest:
    """Tests two embeddings of the same dimension.

    Args:
        current: What may differ.
        reference: What it is compared with.
        shares: Distinct samples over samples counted, of each: evidence.

    Returns:
        The result; untested below `MIN_SAMPLES`, or where all samples are the
        same.
    """
    n, m = current.count * shares[0], reference.count * shares[1]
    if min(n, m) < MIN_SAMPLES or current.dimension != reference.dimension:
        return EmbeddingTest()
    both = _weighed(current, shares[0]) + _weighed(reference, shares[1])
    spread = np.sqrt(2 * float(np.mean(both.projections.m2 / both.projections.count)))
    if not spread > 0:
        return EmbeddingTest()
    wanted = np.log(np.asarray(BANDWIDTHS) / (WIDTH * spread))
    which = int(np.abs(wanted).argmin())
    delta = current.mean[which] - reference.mean[which]
    values, vectors = np.linalg.eigh(both.comoment[which] / (n + m - 1))
    # Rounding of the stored covariance (single precision) is no evidence.
    keep = values > 1e-6 * values[-1]
    values, vectors = values[keep], vectors[:, keep]
    if not len(values) or values[-1] <= 1e-12:
        return EmbeddingTest()
    along = (vectors.T @ delta) ** 2
    filters = np.zeros_like(values)
    for ridge in RIDGES:
        one = 1 / (values + ridge * values[-1])
        filters += one / np.sqrt(2 * np.sum((values * one) ** 2))
    chance = n * m / (n + m)
    statistic = chance * float(along @ filters)
    expected, noise = float(values @ filters), float(values @ (filters * values * filters))
    # A point on a sphere stands for normal features. Of others the statistic
    # varies more where the sizes are unequal, by about 1 / n: see UNEQUAL.
    wider = np.sqrt(1 + UNEQUAL * ((m - n) / (n + m)) ** 2 / min(n, m))
    careful = expected + (statistic - expected) / (wider if statistic > expected else 1.0)
    dimension = max(n + m - 1, float(len(values)))
    p_value = share_sf(values * filters, dimension, careful / dimension)
    # No p-value is below the chance of the very same split.
    splits = log_gamma(n + m + 1) - log_gamma(n + 1) - log_gamma(m + 1)
    p_value = max(p_value, float(np.exp(-min(float(splits), 690.0))))
    # Along its own direction: what of the distance is beyond chance.
    excess = max(statistic - expected, 0.0) / chance
    scale = noise / expected  # the mean variance of a filtered direction
    effect = float(np.sqrt(excess / scale))
    margin = 1.96 * float(np.sqrt(1 / chance))
    interval = (max(effect - margin, 0.0), effect + margin)
    return EmbeddingTest(effect, interval, p_value, BANDWIDTHS[which], True)


def _weighed(embedding: MeanEmbedding, share: float) -> MeanEmbedding:
    """The same embedding, as if of `share` times as many samples."""
    if share == 1.0:
        return embedding
    moments = embedding.projections
    return MeanEmbedding(
        embedding.dimension,
        embedding.count * share,  # type: ignore[arg-type]  # evidence need not be whole
        embedding.mean,
        embedding.comoment * share,
        type(moments)(moments.count * share, moments.mean, moments.m2 * share),
    )

"""Two-sample test of mean embeddings: regularized maximum mean discrepancy.

The distance of two means of random Fourier features is the maximum mean discrepancy (MMD). Its
square has little power along directions in which the features vary little, so it is spectrally
regularized: the squared difference along each principal direction of the pooled covariance is
divided by its variance plus a ridge, as in the kernel Fisher discriminant. The statistics of two
ridges are added, each in units of its own noise: the large ridge is sensitive to diffuse shifts (a
new class mix), the small one to fine shifts (a rotation).

The bandwidth and the ridges are computed from both streams together, so they would stay the same
if samples were exchanged between the streams. If the same samples are divided at random into two
streams, the difference of the means has a random direction in the space of all samples. So the
statistic is distributed like a weighted sum of the squared coordinates of a random point on a
sphere, if nothing differs. With many samples this distribution approaches that of a weighted sum of
chi2. With few samples it differs, because it takes into account that the covariance is estimated
from the same samples.

Reference: Harchaoui, Bach and Moulines, "Testing for Homogeneity with Kernel
Fisher Discriminant Analysis", NeurIPS 2008; Hagrass, Sriperumbudur and Li,
"Spectral Regularized Kernel Two-Sample Tests", Annals of Statistics 2024.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import SIGMAS, log_gamma, share_sf
from keras_shiftguard.profiles.embedding import BANDWIDTHS, MeanEmbedding

# Samples of each stream; with fewer, no embedding is tested. A convention, checked in
# docs/benchmarks/false-alarms.md.
MIN_SAMPLES = 20
# Bandwidth in units of the root mean square distance between the projections of two samples. At
# twice that distance, the sines are nearly linear and the cosines nearly quadratic in the
# projections; finer shifts are left to the small ridge. A convention, checked in
# docs/benchmarks/false-alarms.md.
WIDTH = 2.0
# In units of the largest eigenvalue of the covariance. A convention, checked in
# docs/benchmarks/false-alarms.md.
RIDGES = (0.1, 0.01)
# For n << m samples, the variance of the statistic is larger by a factor of about 1 + 8 / n:
# without it, 6.5 % of the p-values of real images are below 0.05 for n = 50. To measure it, see
# `examples/benchmarks/detection_calibration.py`.
UNEQUAL_SIZES_VARIANCE = 8.0


@dataclass(frozen=True)
class EmbeddingTest:
    """Result of the test of two embeddings.

    Args:
        effect_size: Filtered distance of the means, after the square expected by chance is
            subtracted, in units of the root mean variance of the filtered directions. It is
            about Cohen's d, and not negative.
        interval: Approximate 95 % interval of the effect size.
        p_value: P-value; never 0; 1 if nothing could be tested.
        bandwidth: The chosen bandwidth, in units of the projections; 0 if nothing was tested.
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

    `shares` are those of `families.Shares`. Nothing is tested with fewer than `MIN_SAMPLES`
    distinct samples, or if all samples are the same.
    """
    n, m = current.count * shares[0], reference.count * shares[1]
    if min(n, m) < MIN_SAMPLES or current.dimension != reference.dimension:
        return EmbeddingTest()
    both = _weighed(current, shares[0]) + _weighed(reference, shares[1])
    spread = np.sqrt(2 * float(np.mean(both.projections.m2 / both.projections.count)))
    if not spread > 0:
        return EmbeddingTest()
    log_ratio = np.log(np.asarray(BANDWIDTHS) / (WIDTH * spread))
    which = int(np.abs(log_ratio).argmin())  # index of the chosen bandwidth
    delta = current.mean[which] - reference.mean[which]
    values, vectors = np.linalg.eigh(both.comoment[which] / (n + m - 1))
    # Smaller eigenvalues are rounding errors of the stored covariance (single precision).
    used = values > 1e-6 * values[-1]
    values, vectors = values[used], vectors[:, used]
    if not len(values) or values[-1] <= 1e-12:
        return EmbeddingTest()
    squared_move = (vectors.T @ delta) ** 2  # along each principal direction
    filters = np.zeros_like(values)
    for ridge in RIDGES:
        ridge_filter = 1 / (values + ridge * values[-1])
        filters += ridge_filter / np.sqrt(2 * np.sum((values * ridge_filter) ** 2))
    effective_size = n * m / (n + m)
    statistic = effective_size * float(squared_move @ filters)
    expected, noise = float(values @ filters), float(values @ (filters * values * filters))
    # The null distribution on the sphere is exact for normal features. For other features and
    # unequal sizes the statistic varies more (UNEQUAL_SIZES_VARIANCE), so its excess is shrunk.
    unequal = ((m - n) / (n + m)) ** 2
    wider = np.sqrt(1 + UNEQUAL_SIZES_VARIANCE * unequal / min(n, m))
    shrunk = expected + (statistic - expected) / (wider if statistic > expected else 1.0)
    dimension = max(n + m - 1, float(len(values)))
    p_value = share_sf(values * filters, dimension, shrunk / dimension)
    # No p-value is smaller than the probability of exactly this division of the samples.
    log_divisions = log_gamma(n + m + 1) - log_gamma(n + 1) - log_gamma(m + 1)
    p_value = max(p_value, float(np.exp(-min(float(log_divisions), 690.0))))
    # The squared distance, minus its expectation by chance.
    excess = max(statistic - expected, 0.0) / effective_size
    scale = noise / expected  # the mean variance of a filtered direction
    effect = float(np.sqrt(excess / scale))
    margin = SIGMAS * float(np.sqrt(1 / effective_size))
    interval = (max(effect - margin, 0.0), effect + margin)
    return EmbeddingTest(effect, interval, p_value, BANDWIDTHS[which], True)


def _weighed(embedding: MeanEmbedding, share: float) -> MeanEmbedding:
    """Returns the embedding, weighted as if it had `share` times as many samples."""
    if share == 1.0:
        return embedding
    moments = embedding.projections
    return MeanEmbedding(
        embedding.dimension,
        embedding.count * share,  # type: ignore[arg-type]  # need not be whole
        embedding.mean,
        embedding.comoment * share,
        type(moments)(moments.count * share, moments.mean, moments.m2 * share),
    )

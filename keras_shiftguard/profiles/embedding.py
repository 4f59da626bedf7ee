"""`MeanEmbedding`: the kernel mean embedding of a stream, with its covariance.

A sample is mapped to a few hundred bounded numbers: the cosines and sines of fixed random
projections, at a fixed grid of bandwidths (random Fourier features of the Gaussian kernel).
The mean of these numbers over a stream is its embedding. The distance of two means is the maximum
mean discrepancy, and the covariance gives its null distribution. The directions depend only on the
number of values in a sample, so that profiles made separately can be compared.

References: Rahimi and Recht, "Random Features for Large-Scale Kernel Machines",
NeurIPS 2007; Gretton et al., "A Kernel Two-Sample Test", JMLR 2012.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.moments import Moments

NUM_DIRECTIONS = 48  # number of random projections of a sample. A convention.
# A cosine and a sine for each direction. Given by random Fourier features.
NUM_WAVES = 2 * NUM_DIRECTIONS
# Bandwidths of the kernel, in the unit of the projections. The smallest bandwidth suits images in
# 0..1 that hardly differ, and the largest suits images in 0..255. The two-sample test chooses one
# bandwidth. A convention.
BANDWIDTHS = tuple(4.0**k for k in range(-3, 5))


@lru_cache(maxsize=8)
def directions(dimension: int) -> np.ndarray:
    """Returns fixed random directions, `(dimension, NUM_DIRECTIONS)`, float32.

    They are scaled so that the projections of two samples differ about as much as one
    coordinate of the samples differs.
    """
    rng = np.random.default_rng([dimension, 20_261_124])
    matrix = rng.standard_normal((dimension, NUM_DIRECTIONS)) / np.sqrt(dimension)
    return matrix.astype("float32")


def waves(projections: np.ndarray) -> np.ndarray:
    """Returns the random Fourier features of `(n, NUM_DIRECTIONS)` projections.

    Returns:
        `(n, len(BANDWIDTHS), NUM_WAVES)`: for each bandwidth all cosines, then all sines.
    """
    angles = projections[:, None, :] / np.asarray(BANDWIDTHS)[:, None]
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=2)


@dataclass(frozen=True)
class MeanEmbedding:
    """Mean and co-moments of the random Fourier features of a stream.

    Args:
        dimension: Dimension of the vectors that were projected; 0 if empty.
        count: Number of samples; a sample with a non-finite or too large value does not count.
        mean: Mean of each feature, `(len(BANDWIDTHS), NUM_WAVES)`.
        comoment: Sum over samples of the outer product of the deviation from `mean`
            with itself, `(len(BANDWIDTHS), NUM_WAVES, NUM_WAVES)`.
        projections: Moments of the projections themselves, `(NUM_DIRECTIONS,)`.
    """

    dimension: int = 0
    count: int = 0
    mean: np.ndarray = field(default_factory=lambda: np.zeros((len(BANDWIDTHS), NUM_WAVES)))
    comoment: np.ndarray = field(
        default_factory=lambda: np.zeros((len(BANDWIDTHS), NUM_WAVES, NUM_WAVES))
    )
    projections: Moments = field(default_factory=lambda: Moments.empty(NUM_DIRECTIONS))

    def __add__(self, other: "MeanEmbedding") -> "MeanEmbedding":
        if not other.count or not self.count:
            return self if not other.count else other
        if self.dimension != other.dimension:
            raise BadInputError(
                "Mean embeddings of different dimensions cannot be merged: "
                f"{self.dimension} and {other.dimension}."
            )
        count = self.count + other.count
        delta = other.mean - self.mean
        share = other.count / count
        outer = delta[:, :, None] * delta[:, None, :]
        return MeanEmbedding(
            self.dimension,
            count,
            self.mean + delta * share,
            self.comoment + other.comoment + outer * (self.count * share),
            self.projections + other.projections,
        )

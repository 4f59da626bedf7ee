"""`InputSummary`: the statistics of one input tensor."""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.conventions import LATTICES
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.embedding import MeanEmbedding
from keras_shiftguard.profiles.features import FeatureTable
from keras_shiftguard.profiles.grid import NUM_BINS, bin_values
from keras_shiftguard.profiles.moments import Moments


@dataclass(frozen=True)
class InputSummary:
    """Statistics of one input tensor over the samples of a stream.

    Args:
        layout: `"channels_last"`, `"channels_first"` (images) or `"features"`
            (everything else: the last axis holds the features).
        num_samples: Number of samples seen.
        nonfinite_samples: How many samples held a NaN or an infinity.
        channels: Moments of the pixels of each channel, `(channels,)`. Every sample
            has the same weight, however many pixels it has.
        minimum: Smallest finite value of each channel, `(channels,)`; `+inf` if none.
        maximum: Largest finite value of each channel, `(channels,)`; `-inf` if none.
        counts: Histograms of the pixels on the bins of `grid.py`, `(rows, NUM_BINS)`,
            int64: one for each of up to four channels, else one for all channels
            together. Only pixels at fixed positions are counted: at most 256 of a
            sample, 16,384 of a batch.
        sample_mean: Moments of the means of the samples, shape `()`.
        sample_std: Moments of the standard deviations of the samples, shape `()`.
        lattice_hits: How many of the compared values lie on each 8-bit grid of
            `conventions.LATTICES`, in that order; -1 where a grid does not apply.
        lattice_values: How many values were compared with the grids.
        smallest_size: Smallest `(height, width)` seen; `(0, 0)` for features.
        largest_size: Largest `(height, width)` seen; `(0, 0)` for features.
        features: Features of each sample: for images, the attributes of
            `statistics/sketches/attributes.py`, such as brightness and noise; otherwise the
            columns, `"0"`, `"1"`, ..., and the further features of series
            (`statistics/sketches/vectors.py`) or of token ids (`statistics/sketches/tokens.py`).
        embedding: Mean embedding of the samples. Images are first reduced to 8 x 8
            pixels, and `asinh` is applied to columns.
        tokens: For integer input of two dimensions, how often each value
            occurred, by value modulo `TOKEN_BUCKETS`; `(0,)` otherwise.
        fingerprint: Moments of two projections of each sample, `(2,)`, see
            `statistics/sketches/fingerprint.py`.
        columns: Names of the columns of a table of pandas, one for each feature; `()` if unknown.
    """

    layout: str
    num_samples: int
    nonfinite_samples: int
    channels: Moments
    minimum: np.ndarray
    maximum: np.ndarray
    counts: np.ndarray
    sample_mean: Moments
    sample_std: Moments
    lattice_hits: np.ndarray
    lattice_values: int
    smallest_size: tuple[int, int]
    largest_size: tuple[int, int]
    features: FeatureTable = field(default_factory=FeatureTable)
    embedding: MeanEmbedding = field(default_factory=MeanEmbedding)
    tokens: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))
    fingerprint: Moments = field(default_factory=lambda: Moments.empty(2))
    columns: tuple[str, ...] = ()

    @property
    def num_measured(self) -> int:
        """Number of samples that the statistics of the pixels were measured on.

        In a long or repeated pass, these are only a part of the samples. `num_samples`,
        `nonfinite_samples`, the sizes and the fingerprint cover every sample.
        """
        return int(self.sample_mean.count)

    @property
    def num_channels(self) -> int:
        """Number of channels, or of features."""
        return len(self.minimum)

    @property
    def is_image(self) -> bool:
        """Whether the input holds images or video."""
        return self.layout != "features"

    def in_words(self) -> str:
        """Returns what a sample is, such as `"images of 32 x 32, 3 channels"`."""
        if not self.is_image:
            return f"{self.num_channels} numbers"
        smallest, largest = (f"{h} x {w}" for h, w in (self.smallest_size, self.largest_size))
        size = smallest if smallest == largest else f"{smallest} to {largest}"
        return f"images of {size}, {self.num_channels} channels"

    @property
    def mean(self) -> np.ndarray:
        """Mean of each channel, `(channels,)`."""
        return self.channels.mean

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of the pixels of each channel, `(channels,)`."""
        return self.channels.std

    def lattice_share(self, name: str) -> float:
        """Returns the share of values on one grid of `conventions.LATTICES`; NaN if unknown."""
        hits = self.lattice_hits[list(LATTICES).index(name)]
        return float(hits / self.lattice_values) if hits >= 0 and self.lattice_values else np.nan

    def quantile(self, q: float, channel: int | None = None) -> float:
        """Returns the `q`-quantile of the pixels; NaN if none were counted.

        The error is at most 1 % of the value (1e-6 around zero). Far from zero, this
        error is large: at mean / std = 1e4, one percent of the value is a hundred
        standard deviations, and only the moments and the extremes are precise.

        Args:
            q: Probability, in [0, 1].
            channel: Index of the channel; None for all channels together. With more than
                four channels the index is ignored, because all channels share one histogram.

        Raises:
            BadInputError: if `q` is not in [0, 1].
        """
        if not 0 <= q <= 1:
            raise BadInputError(f"`q` must be between 0 and 1. Received: q={q!r}")
        rows = self.counts if channel is None or len(self.counts) == 1 else self.counts[[channel]]
        counts = rows.sum(axis=0)
        total = counts.sum()
        if total == 0:
            return float("nan")
        rank = q * (total - 1)
        index = int(np.searchsorted(np.cumsum(counts), rank, side="right"))
        return float(bin_values()[min(index, NUM_BINS - 1)])

    def channel_quantiles(self, *shares: float) -> np.ndarray:
        """Returns `quantile(share, channel)` for all channels, `(shares, channels)`."""
        channels = range(self.num_channels)
        return np.asarray([[self.quantile(share, c) for c in channels] for share in shares])

    def __add__(self, other: "InputSummary") -> "InputSummary":
        for what in ("layout", "num_channels"):
            ours, theirs = getattr(self, what), getattr(other, what)
            if ours != theirs:
                raise BadInputError(
                    f"Profiles of different inputs cannot be merged: {what} is "
                    f"{ours!r} in one and {theirs!r} in the other."
                )
        if other.num_samples == 0 or self.num_samples == 0:
            return self if other.num_samples == 0 else other
        return InputSummary(
            layout=self.layout,
            num_samples=self.num_samples + other.num_samples,
            nonfinite_samples=self.nonfinite_samples + other.nonfinite_samples,
            channels=self.channels + other.channels,
            minimum=np.minimum(self.minimum, other.minimum),
            maximum=np.maximum(self.maximum, other.maximum),
            counts=self.counts + other.counts,
            sample_mean=self.sample_mean + other.sample_mean,
            sample_std=self.sample_std + other.sample_std,
            lattice_hits=np.where(
                self.lattice_hits < 0, self.lattice_hits, self.lattice_hits + other.lattice_hits
            ),
            lattice_values=self.lattice_values + other.lattice_values,
            smallest_size=tuple(np.minimum(self.smallest_size, other.smallest_size).tolist()),
            largest_size=tuple(np.maximum(self.largest_size, other.largest_size).tolist()),
            features=self.features + other.features,
            embedding=self.embedding + other.embedding,
            tokens=self.tokens + other.tokens if len(self.tokens) else other.tokens,
            fingerprint=self.fingerprint + other.fingerprint,
            columns=self.columns if self.columns == other.columns else (),
        )

"""`InputProfile`: the finished numbers of one stream of data. NumPy only.

A profile holds one `InputSummary` for each input tensor. Summaries are sums in
disguise: two made apart add up to the one that a single pass would have made.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_shiftguard.conventions import LATTICES
from keras_shiftguard.errors import BadInputError

SCHEMA_VERSION = 1

# --- the fixed grid of the quantile sketch -----------------------------------
# Bins grow geometrically, so that a bin's middle is within RELATIVE_ACCURACY of
# everything in it (Masson, Rim, Lee: DDSketch, VLDB 2019). The grid is built a
# little finer than promised, which pays for float32 rounding at bin edges.
RELATIVE_ACCURACY = 0.01
SMALLEST, LARGEST = 1e-6, 1e6  # |x| below counts as 0, above as LARGEST
GAMMA = (1 + 0.99 * RELATIVE_ACCURACY) / (1 - 0.99 * RELATIVE_ACCURACY)
LOG_GAMMA = float(np.log(GAMMA))
BINS_PER_SIGN = int(np.ceil(np.log(LARGEST / SMALLEST) / LOG_GAMMA))
NUM_BINS = 2 * BINS_PER_SIGN + 1  # negative (largest first), zero, positive


def bin_edges() -> np.ndarray:
    """Edges of the quantile sketch's bins, ascending, `(NUM_BINS + 1,)`."""
    positive = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN + 1)
    return np.concatenate([-positive[::-1], positive])


def bin_values() -> np.ndarray:
    """The value that stands for each bin, ascending, `(NUM_BINS,)`."""
    lower = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN)
    positive = lower * 2 * GAMMA / (GAMMA + 1)
    return np.concatenate([-positive[::-1], [0.0], positive])


@dataclass(frozen=True)
class Moments:
    """Mean and summed squared deviation of `count` samples (Chan et al. 1979).

    Args:
        count: Number of samples with a finite value, the shape of `mean`.
        mean: Mean over those samples, any shape; 0 where there is none.
        m2: Sum over samples of the squared deviation from `mean`.
    """

    count: np.ndarray
    mean: np.ndarray
    m2: np.ndarray

    def __add__(self, other: Self) -> Self:
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        delta = other.mean - self.mean
        mean = self.mean + delta * share
        m2 = self.m2 + other.m2 + delta**2 * (self.count * share)
        return type(self)(count, mean, m2)

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(self.m2 / np.maximum(self.count, 1))


@dataclass(frozen=True)
class InputSummary:
    """What is known of one input tensor after `num_samples` samples.

    Args:
        layout: `"channels_last"`, `"channels_first"` (images) or `"features"`
            (everything else: the last axis holds the features).
        num_samples: Number of samples seen.
        nonfinite_samples: How many of them held a NaN or an infinity.
        nonfinite_share: Share of non-finite values, summed over samples.
        channels: Moments of each channel, `(channels,)`. A sample counts once:
            its pixels are averaged first. `std` is that of the pixels.
        minimum: Smallest finite value of each channel; `+inf` if none.
        maximum: Largest finite value of each channel; `-inf` if none.
        counts: Quantile sketch, `(sketches, NUM_BINS)`: one row a channel for
            up to four channels, else one row for all. Counts sampled pixels:
            at most 256 fixed positions of a sample, 16,384 of a batch.
        sample_mean: Moments of each sample's own mean, shape `()`.
        sample_std: Moments of each sample's own standard deviation, `()`.
        lattice_hits: How many sampled values lie on each 8-bit grid of
            `conventions.LATTICES`, in that order; -1 where it does not apply.
        lattice_values: How many values were compared with the grids.
        smallest_size: Smallest `(height, width)` seen; `(0, 0)` for features.
        largest_size: Largest `(height, width)` seen.
    """

    layout: str
    num_samples: int
    nonfinite_samples: int
    nonfinite_share: float
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

    @property
    def num_channels(self) -> int:
        return len(self.minimum)

    @property
    def is_image(self) -> bool:
        return self.layout != "features"

    @property
    def mean(self) -> np.ndarray:
        """Mean of each channel, `(channels,)`."""
        return self.channels.mean

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of the pixels of each channel, `(channels,)`."""
        return self.channels.std

    def lattice_share(self, name: str) -> float:
        """Share of values on one of `conventions.LATTICES`; NaN if unknown."""
        hits = self.lattice_hits[list(LATTICES).index(name)]
        return float(hits / self.lattice_values) if hits >= 0 and self.lattice_values else np.nan

    def quantile(self, q: float, channel: int | None = None) -> float:
        """The `q`-quantile, within 1 % of the value (of 1e-6 around zero).

        Note what relative accuracy means far from zero: at mean / std = 1e4
        one percent of the value is a hundred standard deviations, so there
        only the moments and the extremes are sharp.
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
            nonfinite_share=self.nonfinite_share + other.nonfinite_share,
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
        )


@dataclass(frozen=True)
class InputProfile:
    """The finished numbers of one stream: a summary for each input tensor.

    `a + b` is the profile of both streams in one pass.

    Args:
        inputs: `InputSummary` by the name of the input tensor.
        values: Results of the user's own metrics; where two profiles are
            merged, those of the second hold, since they need not be sums.
    """

    inputs: Mapping[str, InputSummary] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def with_values(self, values: Mapping[str, float]) -> "InputProfile":
        """The same profile with the results of the user's own metrics."""
        return InputProfile(self.inputs, dict(values))

    @property
    def num_samples(self) -> int:
        return max((s.num_samples for s in self.inputs.values()), default=0)

    @property
    def features(self) -> dict[str, float]:
        """The named numbers of the stream, for logs and plots."""
        named: dict[str, float] = {}
        for name, summary in self.inputs.items():
            named[f"{name}/num_samples"] = float(summary.num_samples)
            named[f"{name}/nonfinite_samples"] = float(summary.nonfinite_samples)
            # Past a handful of channels, single ones are not worth a plot.
            if summary.num_channels <= 16:
                for statistic in ("mean", "std", "minimum", "maximum"):
                    for i, value in enumerate(getattr(summary, statistic)):
                        named[f"{name}/{statistic}/{i}"] = float(value)
            named[f"{name}/median"] = summary.quantile(0.5)
        return {**named, **self.values}

    def __add__(self, other: "InputProfile") -> "InputProfile":
        merged = dict(self.inputs)
        for name, summary in other.inputs.items():
            merged[name] = merged[name] + summary if name in merged else summary
        return InputProfile(merged, {**self.values, **other.values})

    def save(self, path: str | PathLike[str]) -> None:
        """Writes one compressed `.npz` file, whatever the suffix; no pickle."""
        header: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "inputs": {},
            "values": dict(self.values),
        }
        arrays: dict[str, np.ndarray] = {}
        for number, (name, summary) in enumerate(self.inputs.items()):
            plain: dict[str, Any] = {"number": number}
            for item in fields(summary):
                value = getattr(summary, item.name)
                if isinstance(value, Moments):
                    for part in fields(value):
                        arrays[f"{number}/{item.name}/{part.name}"] = getattr(value, part.name)
                elif isinstance(value, np.ndarray):
                    arrays[f"{number}/{item.name}"] = value
                else:
                    plain[item.name] = value
            header["inputs"][name] = plain
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype="uint8")
        with Path(path).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads what `save` wrote."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays["header"].tobytes())
            version = header["schema_version"]
        except FileNotFoundError:
            raise
        except Exception as error:
            raise BadInputError(f"{path} is not a readable profile ({error}).") from error
        if version > SCHEMA_VERSION:
            raise BadInputError(
                f"{path} was written by a newer keras_shiftguard (schema {version}, this one "
                f"reads up to {SCHEMA_VERSION}). Upgrade, or write the profile again."
            )
        try:
            inputs = {n: _summary(plain, arrays) for n, plain in header["inputs"].items()}
            return cls(inputs, header["values"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"{path} is a damaged profile ({error!r}).") from error


def _summary(plain: dict[str, Any], arrays: dict[str, np.ndarray]) -> InputSummary:
    values: dict[str, Any] = {}
    for item in fields(InputSummary):
        key = f"{plain['number']}/{item.name}"
        if f"{key}/mean" in arrays:
            parts = {part.name: arrays[f"{key}/{part.name}"] for part in fields(Moments)}
            values[item.name] = Moments(**parts)
        elif key in arrays:
            values[item.name] = arrays[key]
        else:
            value = plain[item.name]
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return InputSummary(**values)

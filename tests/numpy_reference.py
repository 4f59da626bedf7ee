"""The statistics that the guard measures, in NumPy, as reference values for the tests."""

import numpy as np

from keras_shiftguard.conventions import LATTICES, MODES
from keras_shiftguard.profiles import (
    NUM_BINS,
    FeatureTable,
    InputProfile,
    InputSummary,
    MeanEmbedding,
    Moments,
    bin_edges,
)
from keras_shiftguard.profiles.embedding import directions, waves
from keras_shiftguard.profiles.features import COARSENING, num_bins


def moments(values: np.ndarray) -> Moments:
    values = np.asarray(values, "float64")
    mean = values.mean(axis=0)
    return Moments(np.full(mean.shape, len(values)), mean, ((values - mean) ** 2).sum(axis=0))


def sampled_positions(num_pixels: int, pixels_per_sample: int = 256) -> np.ndarray:
    """Returns the positions of the pixels, in each sample, that are counted in histograms."""
    if num_pixels <= pixels_per_sample:
        return np.arange(num_pixels)
    golden = (np.sqrt(5) - 1) / 2
    return np.floor((np.arange(pixels_per_sample) * golden) % 1 * num_pixels).astype(int)


def lattice_hits(pixels: np.ndarray) -> np.ndarray:
    """Counts the values of `pixels`, `(..., channels)`, on the 8-bit grid of each convention.

    A grid that needs three channels gets -1 for another number of channels.
    """
    hits = []
    for mode, order in LATTICES.values():
        scale, offset = (np.asarray(v) for v in MODES[mode])
        if order is None:
            scale, offset = scale[:1], offset[:1]
        elif pixels.shape[-1] != 3:
            hits.append(-1)
            continue
        elif order == "bgr":
            scale, offset = scale[::-1], offset[::-1]
        raw = (pixels.astype("float64") - offset) / scale
        near = np.abs(raw - np.round(raw)) < 0.02
        hits.append(int((near & (raw > -0.5) & (raw < 255.5)).sum()))
    return np.asarray(hits, "int64")


def summarise(x: np.ndarray, layout: str = "channels_last") -> InputSummary:
    """Returns all statistics of finite input, computed in float64."""
    x = np.asarray(x)
    pixels = x.reshape(len(x), -1, x.shape[-1]).astype("float64")
    positions = sampled_positions(pixels.shape[1])
    sampled = pixels[: 64 * 256 // len(positions), positions]
    mean = pixels.mean(axis=(0, 1))
    m2 = ((pixels - mean) ** 2).mean(axis=1).sum(axis=0)
    columns = sampled if x.shape[-1] <= 4 else sampled.reshape(len(sampled), -1, 1)
    edges = bin_edges()
    edges[0], edges[-1] = -np.inf, np.inf
    size = x.shape[1:3] if layout != "features" else (0, 0)
    return InputSummary(
        layout=layout,
        num_samples=len(x),
        nonfinite_samples=0,
        channels=Moments(np.full(mean.shape, len(x)), mean, m2),
        minimum=pixels.min(axis=(0, 1)),
        maximum=pixels.max(axis=(0, 1)),
        counts=np.stack(
            [np.histogram(columns[..., c], edges)[0] for c in range(columns.shape[-1])]
        ).astype("int64"),
        sample_mean=moments(pixels.mean(axis=(1, 2))),
        sample_std=moments(pixels.std(axis=(1, 2))),
        lattice_hits=lattice_hits(sampled),
        lattice_values=sampled.size,
        smallest_size=size,
        largest_size=size,
        fingerprint=fingerprint(pixels.reshape(len(x), -1)),
    )


def fingerprint(values: np.ndarray) -> Moments:
    """Returns moments of the mean of each row, and of its product with the fixed pattern."""
    fraction = (np.arange(values.shape[1]) * (np.sqrt(5) - 1) / 2) % 1
    pattern = (fraction - 0.5) * np.sqrt(12)
    size = np.sqrt(values.shape[1])
    return moments(np.stack([values.mean(axis=1), values @ pattern / size], axis=1))


def profile(x: np.ndarray, **kwargs) -> InputProfile:
    return InputProfile({"input": summarise(x, **kwargs)})


def feature_table(values: np.ndarray, names) -> FeatureTable:
    """Returns the table of `(samples, k)` numbers; NaN is missing."""
    values = np.asarray(values, "float64")
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1)
    m2 = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    edges = bin_edges()
    if num_bins(len(names)) < NUM_BINS:
        # Wider bins, counted from the zero bin in the middle.
        middle = (NUM_BINS - 1) // 2
        upper = edges[middle + 1 :: COARSENING]
        upper = np.append(upper, np.inf)
        edges = np.concatenate([-upper[::-1], upper])
    edges[0], edges[-1] = -np.inf, np.inf
    counts = np.zeros((len(names), 0))
    if num_bins(len(names)):
        columns = [column[here] for column, here in zip(values.T, known.T, strict=True)]
        counts = np.stack([np.histogram(column, edges)[0] for column in columns])
    return FeatureTable(tuple(names), len(values), Moments(count, mean, m2), counts.astype("int64"))


def thumbnail(x: np.ndarray) -> np.ndarray:
    """Returns the means of 8 x 8 areas of each image, `(samples, 192)` for RGB.

    Each pixel is first repeated 8 x 8 times, so that 8 x 8 areas divide images of any size.
    """
    fine = np.repeat(np.repeat(np.asarray(x, "float64"), 8, axis=1), 8, axis=2)
    n, height, width, channels = x.shape
    blocks = fine.reshape(n, 8, height, 8, width, channels)
    return blocks.mean(axis=(2, 4)).reshape(n, -1)


def embedding(vectors: np.ndarray) -> MeanEmbedding:
    """Returns the embedding of `(samples, dimension)` vectors; non-finite ones are left out."""
    vectors = np.asarray(vectors, "float64")
    vectors = vectors[np.isfinite(vectors).all(axis=1)]
    projections = vectors @ directions(vectors.shape[1]).astype("float64")
    z = waves(projections)
    centred = z - z.mean(axis=0)
    return MeanEmbedding(
        vectors.shape[1],
        len(vectors),
        z.mean(axis=0),
        np.einsum("nbi,nbj->bij", centred, centred),
        moments(projections),
    )

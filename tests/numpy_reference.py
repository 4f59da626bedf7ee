"""The statistics of the step, once more in plain NumPy: the oracle of the tests."""

import numpy as np

from keras_shiftguard.conventions import LATTICES, MODES
from keras_shiftguard.profiles import InputProfile, InputSummary, Moments, bin_edges


def moments(values: np.ndarray) -> Moments:
    values = np.asarray(values, "float64")
    mean = values.mean(axis=0)
    return Moments(np.full(mean.shape, len(values)), mean, ((values - mean) ** 2).sum(axis=0))


def sampled_positions(num_pixels: int, pixels_per_sample: int = 256) -> np.ndarray:
    """The pixels of each sample that the sketches look at."""
    if num_pixels <= pixels_per_sample:
        return np.arange(num_pixels)
    golden = (np.sqrt(5) - 1) / 2
    return np.floor((np.arange(pixels_per_sample) * golden) % 1 * num_pixels).astype(int)


def lattice_hits(pixels: np.ndarray) -> np.ndarray:
    """`pixels` is `(..., channels)`; hits of each grid, -1 where it has none."""
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
    """Everything at once, in float64, for finite channels-last input."""
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
        nonfinite_share=0.0,
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
    )


def profile(x: np.ndarray, **kwargs) -> InputProfile:
    return InputProfile({"input": summarise(x, **kwargs)})

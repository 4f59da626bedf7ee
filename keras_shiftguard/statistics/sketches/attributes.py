"""Image attributes: about thirty numbers that describe one image.

All attributes except `brightness` and `contrast` stay the same if all channels are multiplied by
one positive scale and shifted by one offset: raw 0..255, [0, 1] and [-1, 1] images give the same
values. Quantities that vary by factors are given as logarithms. Some attributes are undefined for a
flat image: for example, color is measured in units of the contrast, which is then zero. Such an
attribute is infinite, and an infinite value counts as missing.

Only the middle of an image is measured, at most `CROP` pixels a side. The middle starts at a
multiple of 8 pixels, so that the 8 x 8 blocks of JPEG stay aligned. The luma is the plain mean of
the channels, without weights, because the channel order may be wrong.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec

CROP = 128  # pixels a side of the part that is measured. A convention.
JPEG_BLOCK = 8  # pixels a side. Given by JPEG.
CELL = 4  # pixels a side of the cells in which noise and direction are measured. A convention.
OCTAVES = 4  # largest number of bands of the Haar pyramid. A convention.
MIN_SIDE = 8  # pixels; smaller images have no attributes. A convention.
ENTROPY_LEVELS = 16  # bins of the entropy's histogram, over four standard deviations. A convention.
ENTROPY_GRID = 32  # the entropy's histogram uses about this many pixels a side. A convention.
TINY = 1e-30  # avoids a division by zero. A convention.


def names(spec: InputSpec) -> tuple[str, ...]:
    """Returns the names of the attributes of an input, in the order of `attributes`.

    - `brightness`: mean luma, in the input's units; `contrast`: log of the
      luma's standard deviation. For the attributes below, this deviation is the unit of the luma.
    - `colour_balance_0`, ...: how far the mean of a channel lies from the mean
      luma (two to four channels). `saturation`: log of the chroma's deviation.
    - `band_1` (finest, 2 pixels) to `band_4`: log share of the variance in an
      octave (Haar pyramid); `spectral_slope`: how fast the log share grows with scale.
    - `sharpness`: log of the fourth-power mean of the gradient, which steep
      edges dominate. `edge_density`: share of pixels with a gradient above 0.5.
    - `noise`: log of the residual of a plane fit, in a typical cell of 4 x 4
      pixels (Immerkaer 1996); `noise_flat`: the same in the flattest cells;
      `noise_kurtosis`: log kurtosis of the residual, high for impulse noise.
    - `blockiness`: log ratio of the mean step at the borders of 8 x 8 blocks to
      the mean of all steps. `equal_neighbours`: share of neighboring pixels
      that are equal; `equal_runs`: share of pixels that equal their right or
      their lower neighbor, but not both; high if the image was enlarged by
      repeating pixels.
    - `anisotropy`: how much the gradients of the image share one direction;
      `coherence`: how much the gradients within a cell share one direction. Both are in [0, 1].
    - `border_level`, `border_spread` (log): mean and deviation of the outermost pixels;
      `background`: share of pixels within 0.25 of `border_level`.
    - `object_x`, `object_y`, `object_size`: center and size, as a part of the
      image, of the region that differs from the border: a proxy for the object.
    - `skewness` of the luma; `highlights`, `shadows`: share of pixels within
      0.05 of the brightest and of the darkest one; `entropy`: of the luma, in nats.

    There are none if the input is not an image or is smaller than 8 x 8.
    """
    if spec.layout == "features" or min(_side(spec, 0), _side(spec, 1)) < MIN_SIDE:
        return ()
    colour = [f"colour_balance_{i}" for i in range(spec.channels)] + ["saturation"]
    return (
        "brightness",
        "contrast",
        *(colour if 2 <= spec.channels <= 4 else []),
        *(f"band_{k + 1}" for k in range(_octaves(spec))),
        "spectral_slope",
        *("sharpness", "edge_density", "noise", "noise_flat", "noise_kurtosis"),
        *("blockiness", "equal_neighbours", "equal_runs", "anisotropy", "coherence"),
        *("border_level", "border_spread", "background"),
        *("object_x", "object_y", "object_size"),
        *("skewness", "highlights", "shadows", "entropy"),
    )


def attributes(x: Any, spec: InputSpec) -> Any:
    """Returns the attributes of a batch of images.

    Args:
        x: Images of any numeric dtype, in the layout of `spec`. For a video, the first frame is
            measured. All attributes of a sample are NaN if its measured part has a non-finite
            value.
        spec: Specification of the input.

    Returns:
        float32, `(samples, len(names(spec)))`; not finite where undefined.
    """
    planes = _planes(x, spec)
    # The luma is centered before it is squared, because float32 cancels far from zero. Each
    # plane is first centered on its corner pixel, so that a flat image stays exactly flat, no
    # matter how a compiler rounds the mean of the planes.
    corners = [plane[:, :1, :1] for plane in planes]
    luma = sum(p - c for p, c in zip(planes, corners, strict=True)) / len(planes)
    offset = _mean(luma)
    luma = luma - offset[:, None, None]
    mean = (sum(corners) / len(planes))[:, 0, 0] + offset
    variance = _mean(ops.square(luma))
    std = ops.sqrt(variance)
    contrast = ops.log(std)  # -inf for a flat image
    columns = [mean, contrast]
    if 2 <= len(planes) <= 4:
        columns += _colour(planes, mean, variance)
    luma = luma / ops.maximum(std, TINY)[:, None, None]
    columns += _octave_bands(luma, spec) + _texture(luma) + _regions(luma) + _levels(luma)
    # Makes all attributes of samples with non-finite pixels NaN. Without this sum, attributes made
    # by comparisons would be finite, since a comparison with NaN is False.
    return ops.stack(columns, axis=1) + (mean - mean)[:, None]


def _side(spec: InputSpec, axis: int) -> int:
    """Returns how many pixels of an axis are measured; an unknown size counts as large."""
    size = spec.size[axis]
    return CROP if size is None else min(size, CROP)


def _octaves(spec: InputSpec) -> int:
    """Returns how often the measured part can be halved, at most `OCTAVES`."""
    return min(OCTAVES, int(np.log2(min(_side(spec, 0), _side(spec, 1)))))


def _planes(x: Any, spec: InputSpec) -> list[Any]:
    """Returns the channels of the middle of each image, each `(samples, h, w)` float32."""
    channels_first = spec.layout == "channels_first"
    while len(x.shape) > 4:
        x = x[:, :, 0] if channels_first else x[:, 0]
    shape = ops.shape(x)
    slices = [slice(None)] * 4
    for axis in (2, 3) if channels_first else (1, 2):
        length = shape[axis]
        if isinstance(length, int):
            start = max(length - CROP, 0) // (2 * JPEG_BLOCK) * JPEG_BLOCK
        else:
            start = ops.maximum(length - CROP, 0) // (2 * JPEG_BLOCK) * JPEG_BLOCK
        slices[axis] = slice(start, start + CROP)
    x = ops.cast(x[tuple(slices)], "float32")
    if channels_first:
        return [x[:, c] for c in range(spec.channels)]
    return [x[..., c] for c in range(spec.channels)]


def _mean(values: Any) -> Any:
    """Returns the mean over the pixels of each sample."""
    return ops.mean(values, axis=(1, 2))


def _share(values: Any) -> Any:
    """Returns the share of the pixels of each sample for which a boolean is true."""
    return _mean(ops.cast(values, "float32"))


def _log_ratio(part: Any, whole: Any) -> Any:
    """Returns `log(part / whole)`; if both are 0, the result is `-inf`, not NaN."""
    return ops.log(ops.maximum(part, 0.0) / ops.maximum(whole, TINY))


def _pool(values: Any, size: int) -> Any:
    """Averages cells of `size` pixels a side; incomplete cells are cut off."""
    pooled = ops.average_pool(values[..., None], size, size, "valid", "channels_last")
    return pooled[..., 0]


def _colour(planes: list[Any], mean: Any, variance: Any) -> list[Any]:
    """Returns the color balance of each channel, and the saturation."""
    means, seconds = [], []
    for plane in planes:
        plane = plane - mean[:, None, None]
        means.append(_mean(plane))
        seconds.append(_mean(ops.square(plane)) - ops.square(means[-1]))
    std = ops.maximum(ops.sqrt(variance), TINY)
    # Chroma is the difference of each channel from the luma.
    chroma = ops.maximum(sum(seconds) / len(planes) - variance, 0.0)
    saturation = ops.log(ops.sqrt(chroma) / std + 0.01)
    undefined = ops.where(variance > 0, 0.0, np.inf)  # infinite for a flat image
    return [m / std + undefined for m in means] + [saturation + undefined]


def _octave_bands(luma: Any, spec: InputSpec) -> list[Any]:
    """Returns the log share of the variance in each octave, and the slope over the octaves."""
    bands: list[Any] = []
    for _ in range(_octaves(spec)):
        if any(isinstance(n, int) and n < 2 for n in luma.shape[1:3]):
            bands.append(ops.full_like(bands[0], -np.inf))  # too small to be halved again
            continue
        coarse = _pool(luma, 2)
        # `lost` is the variance that averaging removes. It is exact, because an odd last row or
        # column is left out of both terms. 1e-4 keeps the logarithm finite.
        height, width = ops.shape(coarse)[1:3]
        even = luma[:, : 2 * height, : 2 * width]
        lost = _mean(ops.square(even)) - _mean(ops.square(coarse))
        bands.append(ops.log(ops.maximum(lost, 0.0) + 1e-4))
        luma = coarse
    centred = np.arange(len(bands)) - (len(bands) - 1) / 2
    weights = centred / (centred**2).sum()
    return [*bands, sum(float(w) * b for w, b in zip(weights, bands, strict=True))]


def _texture(luma: Any) -> list[Any]:
    """Returns the attributes of gradients, noise, blocks and runs of equal pixels."""
    right = luma[:, :, 1:] - luma[:, :, :-1]  # (samples, h, w - 1)
    down = luma[:, 1:] - luma[:, :-1]
    residual = right[:, 1:] - right[:, :-1]  # of a plane fitted to 2 x 2 pixels, up to a factor
    dx, dy = right[:, :-1], down[:, :, :-1]
    xx, yy, xy = ops.square(dx), ops.square(dy), dx * dy
    energy = xx + yy
    total = _mean(energy)
    sharpness = 0.25 * _log_ratio(_mean(ops.square(energy)), 1.0)
    edge_density = _share(energy > 0.25)

    squared = ops.square(residual)
    by_cell = _pool(squared, CELL)
    noise = 0.5 * _mean(ops.log(by_cell + 1e-4))
    # The harmonic mean is dominated by the flattest cells.
    noise_flat = -0.5 * ops.log(_mean(1.0 / (by_cell + 1e-4)))
    mean_square = _mean(squared)
    kurtosis = _log_ratio(_mean(ops.square(squared)), ops.square(mean_square))

    steps = [ops.abs(right), ops.abs(ops.swapaxes(down, 1, 2))]
    border_steps, all_steps = 0.0, 0.0
    for step in steps:
        border_steps = border_steps + _mean(step[:, :, JPEG_BLOCK - 1 :: JPEG_BLOCK])
        all_steps = all_steps + _mean(step)
    blockiness = _log_ratio(border_steps, all_steps)

    # 1e-3 is far below one step of 8 bits and far above rounding errors.
    same_x, same_y = ops.abs(dx) < 1e-3, ops.abs(dy) < 1e-3
    equal = 0.5 * (_share(same_x) + _share(same_y))
    runs = _share(ops.not_equal(same_x, same_y))

    mean_xx, mean_yy, mean_xy = _mean(xx), _mean(yy), _mean(xy)
    anisotropy = _eigenvalue_difference(mean_xx, mean_yy, mean_xy) / ops.maximum(total, TINY)
    cells = _eigenvalue_difference(_pool(xx, CELL), _pool(yy, CELL), _pool(xy, CELL))
    coherence = _mean(cells) / ops.maximum(total, TINY)
    return [
        *(sharpness, edge_density, noise, noise_flat, kurtosis),
        *(blockiness, equal, runs, anisotropy, coherence),
    ]


def _eigenvalue_difference(xx: Any, yy: Any, xy: Any) -> Any:
    """Returns the difference of a structure tensor's eigenvalues: 0 if no direction dominates."""
    return ops.sqrt(ops.square(xx - yy) + 4.0 * ops.square(xy))


def _regions(luma: Any) -> list[Any]:
    """Returns the attributes of the border, and of the region that differs from it."""
    sides = [luma[:, :1], luma[:, -1:]]
    sides += [ops.swapaxes(luma[:, :, :1], 1, 2), ops.swapaxes(luma[:, :, -1:], 1, 2)]
    border = ops.concatenate(sides, axis=2)[:, 0]  # (samples, 2 h + 2 w)
    level = ops.mean(border, axis=1)
    spread = ops.sqrt(ops.mean(ops.square(border - level[:, None]), axis=1))
    weight = ops.abs(luma - level[:, None, None])
    background = _share(weight < 0.25)
    by_row, by_column = ops.mean(weight, axis=2), ops.mean(weight, axis=1)
    centre_y, variance_y = _centre(by_row)
    centre_x, variance_x = _centre(by_column)
    size = ops.sqrt(variance_x + variance_y)
    return [level, ops.log(spread + 0.01), background, centre_x, centre_y, size]


def _centre(weight: Any) -> tuple[Any, Any]:
    """Returns mean and variance of the position, in [0, 1], under `(samples, n)` weights."""
    length = ops.shape(weight)[1]
    position = (ops.cast(ops.arange(length), "float32") + 0.5) / ops.cast(length, "float32")
    total = ops.maximum(ops.sum(weight, axis=1), TINY)
    centre = ops.sum(weight * position, axis=1) / total
    variance = ops.sum(weight * ops.square(position - centre[:, None]), axis=1) / total
    return centre, variance


def _levels(luma: Any) -> list[Any]:
    """Returns the attributes of the distribution of the luma."""
    skewness = _mean(luma * ops.square(luma))
    brightest = ops.max(luma, axis=(1, 2), keepdims=True)
    darkest = ops.min(luma, axis=(1, 2), keepdims=True)
    highlights = _share(luma > brightest - 0.05)
    shadows = _share(luma < darkest + 0.05)
    row_stride, column_stride = (
        max(n // ENTROPY_GRID, 1) if isinstance(n, int) else ops.maximum(n // ENTROPY_GRID, 1)
        for n in ops.shape(luma)[1:3]
    )
    grid = luma[:, ::row_stride, ::column_stride]
    grid = ops.reshape(grid, (ops.shape(luma)[0], -1))
    # Level 0 is for all values below -2 standard deviations, the last level for all above +2.
    level = ops.floor((grid + 2.0) * ((ENTROPY_LEVELS - 2) / 4.0)) + 1.0
    # NaN becomes level 0, because the result of casting it depends on the device. Such a
    # sample has no attributes anyway.
    level = ops.where(ops.isnan(level), 0.0, ops.clip(level, 0.0, ENTROPY_LEVELS - 1.0))
    level = ops.cast(level, "int32")
    samples, pixels = ops.shape(grid)
    first_segment = ENTROPY_LEVELS * ops.arange(samples, dtype="int32")[:, None]
    counted = ops.segment_sum(
        ops.ones_like(ops.reshape(grid, (-1,))),
        ops.reshape(level + first_segment, (-1,)),
        num_segments=samples * ENTROPY_LEVELS,
    )
    shares = ops.reshape(counted, (samples, ENTROPY_LEVELS)) / ops.cast(pixels, "float32")
    entropy = -ops.sum(shares * ops.log(shares + 1e-9), axis=1)
    return [skewness, highlights, shadows, entropy]

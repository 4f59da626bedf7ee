"""Our own image corruptions, on which the classifier of corruptions is trained.

Our corruptions cover the families of `imagecorruptions`, the package that is used for the test, but
share no code, no constants and no textures with that package. Most families have members that the
package lacks. `strength` in [0, 1] goes from barely visible to extreme. Details are random for
each image. Images are float arrays `(h, w, 3)` in 0..255; results may leave that range.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage

Image3 = np.ndarray
Corruption = Callable[[Image3, float, np.random.Generator], Image3]


def between(low: float, high: float, strength: float) -> float:
    """Returns the geometric interpolation from `low` to `high` for `strength` in [0, 1]."""
    return float(low * (high / low) ** strength)


def smooth_field(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """Returns smooth noise of unit variance whose bumps are about `scale` pixels wide."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="wrap")
    return (field - field.mean()) / max(field.std(), 1e-9)


def one_over_f(shape: tuple[int, int], power: float, rng: np.random.Generator) -> np.ndarray:
    """Returns a cloud: noise with a power-law spectrum, scaled to [0, 1]."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    amplitude = np.maximum(np.hypot(fy, fx), 1 / max(shape)) ** (-power)
    phase = rng.standard_normal(amplitude.shape) + 1j * rng.standard_normal(amplitude.shape)
    field = np.fft.irfft2(amplitude * phase, shape)
    return (field - field.min()) / np.ptp(field)


# --- noise
def gaussian_noise(x, s, rng):
    return x + rng.normal(0, between(10, 110, s), x.shape)


def gray_noise(x, s, rng):
    return x + rng.normal(0, between(10, 90, s), x.shape[:2])[..., None]


def photon_noise(x, s, rng):
    photons = between(80, 2.5, s)
    return rng.poisson(np.clip(x, 0, 255) / 255 * photons) * 255 / photons


def multiplied_noise(x, s, rng):
    return x * (1 + rng.normal(0, between(0.1, 0.6, s), x.shape))


def salt_and_pepper(x, s, rng):
    u = rng.random(x.shape if rng.random() < 0.7 else (*x.shape[:2], 1))
    share = between(0.015, 0.3, s)
    return np.where(u < share / 2, 0, np.where(u > 1 - share / 2, 255, x))


def uniform_noise(x, s, rng):
    reach = between(20, 160, s)
    return x + rng.uniform(-reach, reach, x.shape)


# --- blur
def gaussian_blur(x, s, rng):
    return ndimage.gaussian_filter(x, (between(0.7, 6, s),) * 2 + (0,))


def box_blur(x, s, rng):
    return ndimage.uniform_filter(x, (round(between(2, 15, s)),) * 2 + (1,))


def disk_blur(x, s, rng):
    radius = between(1.2, 9, s)
    at = np.arange(-int(radius) - 1, int(radius) + 2)
    kernel = np.clip(radius + 0.5 - np.hypot(at[:, None], at), 0, 1)
    kernel /= kernel.sum()
    return np.stack([ndimage.convolve(x[..., c], kernel) for c in range(3)], -1)


def median_blur(x, s, rng):
    return ndimage.median_filter(x, (round(between(3, 9, s)),) * 2 + (1,))


def moved_blur(x, s, rng):
    length, angle = between(3, 25, s), rng.uniform(0, np.pi)
    if rng.random() < 0.5:
        angle = rng.uniform(-np.pi / 4, np.pi / 4)
    falling = rng.random() < 0.5
    out, total = np.zeros_like(x), 0.0
    for t in np.linspace(0, length, max(int(length * 1.5), 3)):
        weight = np.exp(-0.5 * (2 * t / length) ** 2) if falling else 1.0
        offset = (t * np.sin(angle), t * np.cos(angle), 0)
        out += weight * ndimage.shift(x, offset, order=1, mode="nearest")
        total += weight
    return out / total


def radial_blur(x, s, rng):
    out = np.zeros_like(x)
    steps = np.linspace(1, 1 + between(0.04, 0.35, s), 9)
    for factor in steps:
        out += zoomed(x, factor)
    return out / len(steps)


def frosted_blur(x, s, rng):
    """Blurs the image, scatters its pixels, and blurs it again, as rippled glass does."""
    soft, reach = between(0.5, 1.5, s), between(0.8, 4, s)
    x = ndimage.gaussian_filter(x, (soft, soft, 0))
    offsets = [rng.uniform(-reach, reach, x.shape[:2]) for _ in range(2)]
    return ndimage.gaussian_filter(displaced(x, *offsets, order=0), (soft, soft, 0))


# --- compression
def jpeg(x, s, rng):
    out = BytesIO()
    sampling = int(rng.integers(0, 3))
    image = Image.fromarray(to_uint8(x))
    image.save(out, "JPEG", quality=round(between(45, 5, s)), subsampling=sampling)
    return np.asarray(Image.open(out), "float64")


def block_transform(x, s, rng):
    """Rounds the cosine coefficients of 8 x 8 blocks, all with the same coarse step."""
    from scipy.fft import dctn, idctn

    h, w = (n // 8 * 8 for n in x.shape[:2])
    step = between(25, 160, s)
    blocks = x[:h, :w].reshape(h // 8, 8, w // 8, 8, 3)
    kept = np.round(dctn(blocks, axes=(1, 3), norm="ortho") / step) * step
    out = x.copy()
    out[:h, :w] = idctn(kept, axes=(1, 3), norm="ortho").reshape(h, w, 3)
    return out


# --- resolution
def enlarged_pixels(x, s, rng):
    factor = between(0.75, 0.15, s)
    filters = (Image.Resampling.BOX, Image.Resampling.NEAREST, Image.Resampling.BILINEAR)
    small = Image.fromarray(to_uint8(x)).resize(
        tuple(max(round(n * factor), 2) for n in x.shape[1::-1]), filters[rng.integers(3)]
    )
    return np.asarray(small.resize(x.shape[1::-1], Image.Resampling.NEAREST), "float64")


def block_means(x, s, rng):
    size = round(between(2, 6, s))
    h, w = (-(-n // size) * size for n in x.shape[:2])
    padded = np.pad(x, ((0, h - x.shape[0]), (0, w - x.shape[1]), (0, 0)), mode="edge")
    means = padded.reshape(h // size, size, w // size, size, 3).mean((1, 3))
    return np.kron(means, np.ones((size, size, 1)))[: x.shape[0], : x.shape[1]]


# --- resizing of a photo that is larger than the image, `(photo, box, side)`
def bilinear(photo, box, side):
    """Antialiased bilinear resizing, as in PIL and torchvision; it is not a corruption."""
    return np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR, box=box))


def nearest(photo, box, side):
    return np.asarray(photo.resize((side, side), Image.Resampling.NEAREST, box=box))


def bilinear_without_antialiasing(photo, box, side):
    """Bilinear resizing between the two nearest pixels, as in OpenCV and `tf.image.resize`."""
    x, (left, top, right, bottom) = np.asarray(photo, "float64"), box
    at = (np.arange(side) + 0.5) / side
    rows, columns = top + at * (bottom - top) - 0.5, left + at * (right - left) - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    return to_uint8(
        np.stack(
            [ndimage.map_coordinates(x[..., c], grid, order=1, mode="nearest") for c in range(3)],
            -1,
        )
    )


# --- brightness
def added_light(x, s, rng):
    return x + between(15, 140, s)


def taken_light(x, s, rng):
    return x - between(15, 120, s)


def exposure_up(x, s, rng):
    return x * between(1.15, 2.5, s)


def exposure_down(x, s, rng):
    return x * between(0.85, 0.3, s)


def gamma_up(x, s, rng):
    return 255 * (np.clip(x, 0, 255) / 255) ** between(0.8, 0.35, s)


def gamma_down(x, s, rng):
    return 255 * (np.clip(x, 0, 255) / 255) ** between(1.25, 3, s)


def value_up(x, s, rng):
    """Raises the brightest channel, and the others in proportion: hue and saturation are kept."""
    top = np.maximum(x.max(-1, keepdims=True), 1e-6)
    raised = np.minimum(top + between(15, 140, s), 255)
    return np.where(x.max(-1, keepdims=True) < 1e-6, raised, x / top * raised)


# --- contrast
def less_contrast(x, s, rng):
    mean = x.mean(axis=(0, 1), keepdims=True)
    return mean + (x - mean) * between(0.7, 0.04, s)


def less_contrast_around_gray(x, s, rng):
    return 128 + (x - 128) * between(0.7, 0.05, s)


def more_contrast(x, s, rng):
    mean = x.mean()
    return mean + (x - mean) * between(1.3, 3, s)


def even_haze(x, s, rng):
    share = between(0.2, 0.85, s)
    return x * (1 - share) + share * rng.uniform(150, 255)


def drifting_haze(x, s, rng):
    """Adds fog: a white layer of uneven thickness."""
    cloud = one_over_f(x.shape[:2], rng.uniform(1.0, 2.8), rng)[..., None]
    share, thinnest = between(0.25, 0.9, s), rng.uniform(0.0, 0.6)
    return x * (1 - share) + 255 * share * (thinnest + (1 - thinnest) * cloud)


def fog_added(x, s, rng):
    """Adds fog that is brighter than the scene, with the exposure set for the fog."""
    cloud = one_over_f(x.shape[:2], rng.uniform(1.0, 2.8), rng)[..., None]
    thickness, brightest = between(0.6, 4.0, s), max(x.max(), 1.0)
    return (x / 255 + thickness * cloud) * brightest / (brightest / 255 + thickness)


# --- weather
def snowfall(x, s, rng):
    shape = x.shape[:2]
    size = rng.uniform(0.5, 1.6)
    flakes = smooth_field(shape, size, rng)
    flakes = np.clip(flakes - rng.uniform(1.2, 1.9) + s, 0, None)
    angle, length = rng.uniform(np.pi / 4, 3 * np.pi / 4), rng.uniform(3, 14)
    layer = streaked(flakes, angle, length)
    layer = layer / max(layer.max(), 1e-9) * between(0.35, 1.0, s)
    gray = x.mean(-1, keepdims=True)
    whiter = np.maximum(x, gray * rng.uniform(1.0, 1.6) + rng.uniform(40, 140))
    share = between(0.15, 0.55, s)
    return x * (1 - share) + whiter * share + 255 * layer[..., None]


def snow_blobs(x, s, rng):
    share = between(0.03, 0.3, s)
    field = smooth_field(x.shape[:2], rng.uniform(0.6, 2.2), rng)
    cut = np.quantile(field, 1 - share)
    mask = np.clip((field - cut) * 2, 0, 1)[..., None]
    paler = x + (235 - x) * between(0.08, 0.4, s)
    return paler * (1 - mask) + 250 * mask


def rain(x, s, rng):
    drops = (rng.random(x.shape[:2]) < between(0.004, 0.03, s)).astype(float)
    layer = streaked(drops, rng.uniform(1.2, 1.9), rng.uniform(8, 22))
    layer = layer / max(layer.max(), 1e-9)
    return x * between(0.95, 0.7, s) + between(60, 160, s) * layer[..., None]


def ice(x, s, rng):
    """Adds ice on a window: bright bluish crystals with sharp ridges, over a dimmed scene."""
    shape = x.shape[:2]
    crystal = np.zeros(shape)
    for scale in (1.0, 2.0, 4.0, 9.0):
        angle = rng.uniform(0, np.pi)
        ridges = 1 - np.abs(smooth_field(shape, scale, rng))
        crystal += scale**0.5 * streaked(ridges, angle, 2 * scale)
    crystal = (crystal - crystal.min()) / np.ptp(crystal)
    thick = one_over_f(shape, 1.6, rng)
    cover = np.clip(crystal * (0.35 + 1.3 * thick), 0, 1)[..., None]
    tint = np.array([rng.uniform(140, 230), rng.uniform(180, 245), 255])
    return x * between(0.95, 0.55, s) + between(0.35, 0.8, s) * cover * tint


def ice_blend(x, s, rng):
    cloud = one_over_f(x.shape[:2], rng.uniform(0.7, 1.4), rng)[..., None]
    spread = rng.uniform(1.2, 2.2)
    texture = np.clip(0.5 + spread * (cloud - 0.5), 0, 1)
    tint = np.array([rng.uniform(140, 240), rng.uniform(180, 250), 255])
    return x * between(0.9, 0.55, s) + between(0.3, 0.8, s) * texture * tint


# --- geometry
def wobble(x, s, rng):
    scale = x.shape[0] * rng.uniform(0.006, 0.03)
    reach = between(0.6, 4, s) * min(max(x.shape[0] / 100, 0.6), 1.5)
    dx, dy = (reach * smooth_field(x.shape[:2], scale, rng) for _ in range(2))
    return displaced(x, dy, dx)


def jitter(x, s, rng):
    """Takes every pixel from a place nearby, without an extra blur."""
    reach = between(0.5, 3.5, s)
    scale = rng.uniform(0.0, 0.9)
    dx, dy = (reach * smooth_field(x.shape[:2], scale, rng) for _ in range(2))
    return displaced(x, dy, dx)


def bend(x, s, rng):
    reach = x.shape[0] * between(0.02, 0.08, s)
    scale = x.shape[0] * rng.uniform(0.1, 0.25)
    dx, dy = (reach * smooth_field(x.shape[:2], scale, rng) for _ in range(2))
    return displaced(x, dy, dx)


def rotation(x, s, rng):
    angle = rng.choice([-1, 1]) * between(8, 90, s)
    return ndimage.rotate(x, angle, reshape=False, order=1, mode="constant")


def shear(x, s, rng):
    lean = rng.choice([-1, 1]) * between(0.1, 0.5, s)
    matrix = np.array([[1, 0, 0], [lean, 1, 0], [0, 0, 1]])
    centre = (np.array(x.shape) - 1) / 2
    return ndimage.affine_transform(x, matrix, centre - matrix @ centre, order=1)


# --- colour
def cast(x, s, rng):
    gain = np.ones(3)
    gain[rng.integers(3)] = between(0.85, 0.3, s)
    return x * gain


def other_white(x, s, rng):
    return (warmer, cooler)[rng.integers(2)](x, s, rng)


def warmer(x, s, rng):
    warmth = between(0.06, 0.5, s)
    return x * np.array([1 + warmth, 1, 1 - warmth])


def cooler(x, s, rng):
    return warmer(x[..., ::-1], s, rng)[..., ::-1]


def less_red(x, s, rng):
    return x * np.array([between(0.9, 0.3, s), 1, 1])


def less_green(x, s, rng):
    return x * np.array([1, between(0.9, 0.3, s), 1])


def less_blue(x, s, rng):
    return x * np.array([1, 1, between(0.9, 0.3, s)])


def channels_swapped(x, s, rng):
    return x[..., ::-1]


def gray(x, s, rng):
    return x + (x.mean(-1, keepdims=True) - x) * between(0.3, 1.0, s)


def saturated(x, s, rng):
    return x + (x - x.mean(-1, keepdims=True)) * between(0.3, 2.5, s)


def displaced(x, dy, dx, order=1):
    rows, columns = np.meshgrid(*(np.arange(n) for n in x.shape[:2]), indexing="ij")
    at = [rows + dy, columns + dx]
    return np.stack(
        [ndimage.map_coordinates(x[..., c], at, order=order, mode="reflect") for c in range(3)], -1
    )


def zoomed(x, factor):
    centre = (np.array(x.shape[:2]) - 1) / 2
    matrix = np.eye(2) / factor
    offset = centre - centre / factor
    return np.stack(
        [
            ndimage.affine_transform(x[..., c], matrix, offset, order=1, mode="nearest")
            for c in range(3)
        ],
        -1,
    )


def streaked(layer, angle, length):
    out = np.zeros_like(layer)
    count = max(int(length), 2)
    for t in np.linspace(0, length, count):
        out += ndimage.shift(layer, (t * np.sin(angle), t * np.cos(angle)), order=1, mode="wrap")
    return out / count


def to_uint8(x):
    return np.clip(np.round(x), 0, 255).astype("uint8")


# A family has several kinds where its corruptions move the attributes in different ways.
FAMILIES: dict[str, dict[str, tuple[Corruption, ...]]] = {
    "noise": {
        "fine": (gaussian_noise, uniform_noise),
        "of the signal": (photon_noise, multiplied_noise),
        "gray": (gray_noise,),
        "impulses": (salt_and_pepper,),
    },
    "blur": {
        "soft": (gaussian_blur, box_blur, disk_blur),
        "median": (median_blur,),
        "motion": (moved_blur,),
        "zoom": (radial_blur,),
        "rippled": (frosted_blur,),
    },
    "compression": {"blocks": (jpeg, block_transform)},
    "resolution": {"enlarged": (enlarged_pixels, block_means)},
    "brightness": {
        "up": (added_light, exposure_up, gamma_up, value_up),
        "down": (taken_light, exposure_down, gamma_down),
    },
    "contrast": {
        "less": (less_contrast, less_contrast_around_gray),
        "more": (more_contrast,),
        "haze": (even_haze, drifting_haze, fog_added),
    },
    "weather": {"snow": (snowfall, snow_blobs), "rain": (rain,), "ice": (ice, ice_blend)},
    "geometry": {"local": (wobble, jitter, bend), "whole": (rotation, shear)},
    "colour": {
        "mixed tints": (cast, other_white),
        "warm": (warmer, less_blue),
        "cold": (cooler, less_red),
        "magenta": (less_green,),
        "swapped": (channels_swapped,),
        "less": (gray,),
        "more": (saturated,),
    },
}

# These corruptions start from the larger photo, not from the image: see
# `tools/shift_signatures.py`.
RESIZING = {"resolution": {"aliasing": (nearest, bilinear_without_antialiasing)}}

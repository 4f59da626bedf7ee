"""`name_cause` names the family of corruption that explains how image attributes moved."""

import numpy as np
import pytest
from keras import ops
from photos import imagenet_files
from PIL import Image

from keras_shiftguard.detection.causes import corruptions
from keras_shiftguard.detection.causes.corruptions import Cause, moves, name_cause
from keras_shiftguard.profiles import FeatureTable, Moments
from keras_shiftguard.statistics.attributes import attributes
from keras_shiftguard.statistics.attributes import names as attribute_names
from keras_shiftguard.statistics.batch import InputSpec

FEATURES = corruptions._signatures()["features"]

# Mean and standard deviation of each attribute over photos of 128 x 128 pixels.
TYPICAL = {
    "brightness": (110, 35),
    "contrast": (3.9, 0.35),
    "saturation": (-1.6, 0.9),
    "band_1": (-2.9, 0.7),
    "band_2": (-2.5, 0.6),
    "band_3": (-2.2, 0.5),
    "band_4": (-2.0, 0.4),
    "spectral_slope": (0.3, 0.25),
    "sharpness": (-0.2, 0.35),
    "edge_density": (0.22, 0.15),
    "noise": (-2.0, 0.8),
    "noise_flat": (-2.8, 0.9),
    "noise_kurtosis": (2.6, 0.8),
    "blockiness": (0.0, 0.05),
    "equal_neighbours": (0.08, 0.1),
    "equal_runs": (0.1, 0.1),
    "anisotropy": (0.27, 0.15),
    "coherence": (0.65, 0.13),
    "border_level": (0.0, 0.35),
    "border_spread": (-0.1, 0.25),
    "background": (0.2, 0.15),
    "object_x": (0.5, 0.04),
    "object_y": (0.5, 0.05),
    "object_size": (0.38, 0.02),
    "skewness": (0.3, 0.9),
    "highlights": (0.005, 0.02),
    "shadows": (0.005, 0.02),
    "entropy": (2.4, 0.3),
}


def table(shifts=None, names=FEATURES, n=200, scale=1.0):
    """Returns a table of `n` photos with typical attributes, except for `shifts` of their means.

    `scale` is the size of one gray level in the input.
    """
    shifts = shifts or {}
    known = [TYPICAL.get(name, (0.0, 0.3)) for name in names]
    mean = np.array([m + shifts.get(f, 0.0) for f, (m, _) in zip(names, known, strict=True)])
    std = np.array([s for _, s in known], "float64")
    for name, offset in (("brightness", 0.0), ("contrast", np.log(scale))):
        if name in names:
            i = names.index(name)
            mean[i] = mean[i] * scale if name == "brightness" else mean[i] + offset
            std[i] *= scale if name == "brightness" else 1.0
    count = np.full(len(names), float(n))
    return FeatureTable(tuple(names), n, Moments(count, mean, count * std**2))


SHIFTS = {
    "noise": {
        **{"noise": 2.0, "noise_flat": 2.2, "band_1": 1.3, "band_2": 0.5, "coherence": -0.25},
        **{"noise_kurtosis": -1.5, "equal_neighbours": -0.07, "equal_runs": -0.08},
        **{"saturation": 0.5, "spectral_slope": -0.4, "edge_density": 0.25},
    },
    "blur": {
        **{"band_1": -2.5, "band_2": -1.5, "band_3": -0.5, "spectral_slope": 0.9},
        **{"sharpness": -1.2, "edge_density": -0.2, "noise": -2.0, "noise_flat": -1.5},
        **{"coherence": 0.25, "noise_kurtosis": -0.5, "equal_runs": 0.08},
    },
    "compression": {"blockiness": 0.5, "equal_neighbours": 0.1, "noise_flat": -1.0, "noise": -0.7},
    "resolution": {
        **{"equal_neighbours": 0.45, "equal_runs": 0.35, "noise_kurtosis": 1.0},
        **{"noise_flat": -1.0, "band_1": -0.3},
    },
    "brightness": {"brightness": 70.0},
    "contrast": {"contrast": -1.4, "equal_neighbours": 0.05, "equal_runs": 0.05},
    "colour": {"colour_balance_0": 1.2, "colour_balance_1": -0.1, "colour_balance_2": -1.1},
}


@pytest.mark.parametrize("family", SHIFTS)
def test_names_the_family(family):
    cause = name_cause(table(), table(SHIFTS[family]))
    assert cause.family == family, cause
    assert cause.confidence > corruptions.MIN_CONFIDENCE
    assert cause.sentence.startswith(f"The cause is probably {family}")


def test_photos_shrunk_by_nearest_point_to_the_resize_and_noisy_ones_to_noise():
    rng = np.random.default_rng(0)
    photos = [Image.open(file).convert("RGB") for file in imagenet_files()]
    spec = InputSpec("image", "channels_last", 3, (64, 64))

    def measured(how, noise=0.0):
        images = []
        for photo in photos * 4:
            left, top = (rng.integers(0, size - 160) for size in photo.size)
            images.append(photo.resize((64, 64), how, box=(left, top, left + 160, top + 160)))
        x = np.stack([np.asarray(image) for image in images]).astype("float32")
        x = np.clip(x + rng.normal(0, noise, x.shape), 0, 255).astype("float32")
        values = ops.convert_to_numpy(attributes(ops.convert_to_tensor(x), spec))
        count = np.full(values.shape[1], float(len(values)))
        m2 = ((values - values.mean(0)) ** 2).sum(0)
        return FeatureTable(attribute_names(spec), len(x), Moments(count, values.mean(0), m2))

    clean = measured(Image.Resampling.BILINEAR)
    shrunk = name_cause(clean, measured(Image.Resampling.NEAREST))
    assert shrunk.family == "resolution" and "antialiasing" in shrunk.sentence
    assert name_cause(clean, measured(Image.Resampling.BILINEAR, 25.0)).family == "noise"


def test_nothing_moved_is_no_cause():
    cause = name_cause(table(), table())
    assert cause == Cause("other", cause.confidence, "")


@pytest.mark.parametrize("names", [(), ("0", "1", "2")])
def test_columns_have_no_cause(names):
    empty = table(names=names)
    for pair in ((empty, empty), (table(), empty), (empty, table())):
        cause = name_cause(*pair)
        assert (cause.family, cause.confidence) == ("other", 0.0)


def test_one_sample_and_missing_attributes_are_no_move():
    reference, current = table(), table(SHIFTS["noise"], n=1)
    assert not moves(reference, current, FEATURES).effect.any()
    flat = table({"contrast": 0.0})
    flat.moments.count[FEATURES.index("contrast")] = 0
    moved = moves(flat, table({"brightness": 35.0}), FEATURES)
    assert moved.effect[FEATURES.index("contrast")] == 0
    assert np.isfinite(moved.vector(corruptions._signatures()["scale"])).all()

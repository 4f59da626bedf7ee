"""What batch norm tells about the input: number of images used, best mode and channel order."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops
from numpy_reference import summarise

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, BatchNormEvidence
from keras_shiftguard.preprocessing.expected.batch_norm_reading import (
    partner_of,
    read_batch_norm,
    settle_order,
)
from keras_shiftguard.preprocessing.expected.batch_norm_scores import Scores
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, hypotheses_for
from keras_shiftguard.preprocessing.witnesses.feed import LOW_CONTRAST, level_correction

UNIT = InputConvention("unit", "unknown")


def pictures(n, size=32, seed=0):
    """Returns images of squares with some noise, in 0..255."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(0, 256, (n, 4, 4, 3)), np.ones((1, size // 4, size // 4, 1)))
    return np.clip(coarse + rng.normal(0, 8, coarse.shape), 0, 255).round()


class Network(keras.Model):
    """A model whose moving statistics have gone a `share` of the way to those of [0, 1] images."""

    def __init__(self, share=1.0, fails=False, channels=3):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.conv, self.norm = layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization()
        self.fails = False
        images = pictures(64)[..., :channels] / 255
        self(images[:2])
        features = ops.convert_to_numpy(self.conv(images)).reshape(-1, 8)
        self.norm.moving_mean.assign(share * features.mean(axis=0))
        self.norm.moving_variance.assign(1 - share + share * features.var(axis=0))
        self.fails = fails

    def call(self, x, training=False):
        if self.fails:
            raise ValueError("not today")
        return self.norm(self.conv(x), training=training)


def read(network, images, observed=UNIT, known=None):
    evidence = BatchNormEvidence(network)
    return read_batch_norm(evidence, {"input": images}, "input", observed, summarise(images), known)


def test_a_channel_without_variance_is_left_out():
    """A dead channel, or one whose variance was lost in 8-bit storage, fits no images."""
    network, images = Network(), (pictures(32) / 255).astype("float32")
    whole = read(network, images)
    network.norm.moving_variance.assign([0.0, *([1.0] * 7)] * network.norm.moving_variance)
    network.norm.moving_mean.assign(network.norm.moving_mean + np.array([50.0] + [0.0] * 7))
    reading = read(network, images)
    assert reading.choice.mode == whole.choice.mode == "unit"
    assert reading.misfit(reading.best) < 0.2


@pytest.mark.parametrize(
    ("n", "size", "used"),
    [
        (100, 32, 64),
        (100, 64, 64),
        (100, 68, 16),
        (10, 68, 10),
        (3, 32, 3),
        pytest.param(9, 720, 4, marks=pytest.mark.thorough),
    ],
)
def test_how_many_images_are_used(n, size, used):
    reading = read(Network(), (pictures(n, size) / 255).astype("float32"))
    assert reading.num_images == reading.scores.num_images == used


def test_the_best_mode_and_what_was_ruled_out():
    reading = read(Network(), pictures(32, seed=1).astype("float32"), InputConvention("raw"))
    assert (reading.choice.mode, reading.hypotheses[reading.as_fed].mode) == ("unit", "raw")
    # The two best modes and the mode as fed are compared in full. The others are dropped early.
    followed = {h.mode for h in reading.hypotheses}
    assert len(followed) == 3 and {"unit", "raw"} < followed
    assert {h.mode for h, _ in reading.dropped} == {
        "unit",
        "tf",
        "raw",
        "torch",
        "caffe",
    } - followed
    assert all(fit > reading.misfit(reading.best) for _, fit in reading.dropped)
    assert reading.hypotheses[reading.rival(reading.best)].mode != "unit"
    # The convention that the structure expects is never dropped, even if it fits badly.
    known = read(Network(), pictures(32, seed=1).astype("float32"), UNIT, InputConvention("caffe"))
    assert "caffe" in {h.mode for h in known.hypotheses}


@pytest.mark.parametrize(("share", "told"), [(1.0, False), (0.9, False), (0.6, True), (0.2, True)])
def test_moving_statistics_after_few_steps(share, told):
    reading = read(Network(share), (pictures(64) / 255).astype("float32"))
    assert isinstance(reading, str) == told
    if told:
        percent = int(reading.split(" %")[0].split()[-1])
        assert abs(percent - 100 * share) < 6


def test_why_there_is_no_reading():
    images = (pictures(8) / 255).astype("float32")
    reason = read(Network(fails=True), images)
    assert (
        reason == "Batch norm could not be compared: ValueError: not today"
    )  # without a traceback
    unknown = InputConvention("unknown", "unknown")
    assert "what is fed is unknown" in read(Network(), images, unknown)
    fresh = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization()])
    assert "untrained" in read(fresh, images)


def index(hypotheses, mode, swap, means=None):
    return next(
        i
        for i, h in enumerate(hypotheses)
        if (h.mode, h.swap, h.means, h.inverted) == (mode, swap, means, False)
    )


def test_the_partner_has_swapped_pixels():
    """The partner of a hypothesis is the same hypothesis in the other channel order of pixels."""
    hypotheses = hypotheses_for(UNIT, summarise(pictures(2) / 255), None)
    at = {
        (mode, swap, means): index(hypotheses, mode, swap, means)
        for mode, means in (("tf", None), ("caffe", "rgb"), ("caffe", "bgr"), ("torch", "rgb"))
        for swap in (False, True)
    }
    caffe = InputConvention("caffe", "bgr")
    for swap in (False, True):
        assert partner_of(hypotheses, at["tf", swap, None], None) == at["tf", not swap, None]
        # If the architecture is not known, the ImageNet means may be in reversed order as well.
        found = partner_of(hypotheses, at["caffe", swap, "rgb"], None)
        assert found == at["caffe", not swap, "bgr"]
        found = partner_of(hypotheses, at["caffe", swap, "bgr"], caffe)
        assert found == at["caffe", not swap, "bgr"]
    gray = hypotheses_for(InputConvention("unit", "gray"), summarise(pictures(2)[..., :1]), None)
    assert partner_of(gray, 0, None) is None


@pytest.mark.parametrize(
    ("own", "twin", "usual"),
    [
        (("caffe", False, "bgr"), ("caffe", True, "rgb"), ("caffe", False, "bgr")),
        (("torch", False, "bgr"), ("torch", True, "rgb"), ("torch", True, "rgb")),
    ],
)
def test_batch_norm_cannot_tell_twins_apart(own, twin, usual):
    """Twins differ in the order of both the pixels and the means.

    The one that leaves the images as fed is assumed, else the one with the usual order of means.
    """
    hypotheses = hypotheses_for(UNIT, summarise(pictures(2) / 255), None)
    pair = [index(hypotheses, *each) for each in (own, twin)]
    for best in pair:
        scores = object.__new__(Scores)
        scores.misfit = np.ones(len(hypotheses))
        scores.misfit[pair] = 0.1
        scores.misfit[best] = 0.0
        scores.resampled = np.stack([scores.misfit] * 3)
        for as_fed, wanted in ((pair[1], pair[1]), (0, index(hypotheses, *usual))):
            assert settle_order(hypotheses, scores, None, as_fed) == (wanted, 0.0)
        # If one of them fits clearly better, they are no twins in this network.
        scores.misfit[best] = -1.0
        assert settle_order(hypotheses, scores, None, pair[1]) == (best, 0.0)


CAST = np.array([0.5, 1.0, 0.8])


@pytest.mark.parametrize(
    ("odd", "is_corrected"),
    [
        (lambda raw: raw, False),  # ordinary images need no correction
        (lambda raw: 160 + raw * 0.3, True),
        (lambda raw: raw * 0.3, True),
        (lambda raw: raw * CAST + 40, True),
        (lambda raw: 160 + raw * 0.04, False),  # hardly more than noise
    ],
    ids="ordinary pale dark tinted flat".split(),
)
def test_levels_make_odd_images_ordinary(odd, is_corrected):
    evidence = BatchNormEvidence(Network())  # expects [0, 1]
    raw = odd(pictures(32, seed=1)).round()
    for mode in ("unit", "tf"):
        convention = InputConvention(mode, "unknown")
        images = convention.from_raw(raw)
        summary = summarise(images)
        levels = level_correction(convention, summary)
        assert (levels is not None) == is_corrected
        if levels is None:
            continue
        inputs = {"input": images}
        as_is = read_batch_norm(evidence, inputs, "input", convention, summary)
        found = read_batch_norm(evidence, inputs, "input", convention, summary, levels=levels)
        assert found.is_levelled and found.choice.mode == "unit"
        assert found.misfit(found.best) < as_is.misfit(as_is.best)
        _, sigmas = found.scores.gap(found.rival(found.best), found.best)
        assert sigmas > 3


def test_gray_images_have_a_paler_rival_with_larger_numbers():
    """The paler rival is the fed images with less contrast, in a mode with larger numbers."""
    network = Network(channels=1)
    raw = pictures(32, seed=1)[..., :1]
    found = {}
    for mode in ("raw", "unit", "tf"):
        gray = InputConvention(mode, "gray")
        found[mode] = read(network, gray.from_raw(raw), gray)
    tf = ("tf", False)
    assert not any(kind == tf for kind, _ in found["raw"].extra)
    rival = InputConvention("tf", "gray").from_raw(127.5 + (raw - 127.5) * LOW_CONTRAST)
    scores = BatchNormEvidence(network).score({"input": rival}, [AS_FED])
    reading = found["unit"]
    place = [kind for kind, _ in reading.extra].index(tf)
    misfit = reading.misfit(len(reading.hypotheses) + place)
    assert misfit == pytest.approx(np.exp(scores.misfit[0]), rel=1e-3)
    # The network was trained on images with the full contrast of `raw`, so the paler rival fits
    # clearly worse than the images as fed.
    assert misfit > 1.4 * reading.misfit(reading.as_fed)
    in_color = read(Network(), pictures(32, seed=1) / 255).extra
    assert [kind for kind, _ in in_color] == [("unit", True), STANDARDISED, STANDARDISED]


def test_a_reading_of_one_mode_has_no_rival():
    reading = read(Network(), (pictures(32) / 255).astype("float32"))
    alone = replace(reading, hypotheses=(reading.choice,), as_fed=0, best=0)
    assert alone.rival(0) == 0


@pytest.mark.parametrize("mode", ["raw", "unit", "torch"])
def test_a_training_that_standardised_each_image(mode):
    """Whatever is fed, batch norm then fits its raw pixels, standardised one by one."""
    network = Network()
    raw = pictures(64) * np.linspace(0.2, 1.0, 64)[:, None, None, None]
    each = (raw - raw.mean(axis=(1, 2, 3), keepdims=True)) / raw.std(axis=(1, 2, 3), keepdims=True)
    features = ops.convert_to_numpy(network.conv(each)).reshape(-1, 8)
    network.norm.moving_mean.assign(features.mean(axis=0))
    network.norm.moving_variance.assign(features.var(axis=0))
    fed = InputConvention(mode)
    reading = read(network, fed.from_raw(raw[::2]), fed)
    at = [i for i, (kind, _) in enumerate(reading.extra) if kind == STANDARDISED]
    misfits = [reading.misfit(len(reading.hypotheses) + i) for i in at]
    assert min(misfits) < 0.5 * reading.misfit(reading.best)

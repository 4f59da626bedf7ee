"""The trial of a fix on real weights, and the cases in which it must give no answer."""

import keras
import lite0
import numpy as np
import pytest
from photos import imagenet_photos

from keras_shiftguard.instrument.network_features import FeatureReader
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.witnesses.preference import information
from keras_shiftguard.preprocessing.witnesses.trial import Trial, second_view

SIZE = 128  # enough for this network to know its images
PHOTOS, LABELS = imagenet_photos(SIZE)
RAW = np.round(PHOTOS)
TF, UNIT, CAFFE = (InputConvention(*c) for c in (("tf",), ("unit",), ("caffe", "bgr")))


@pytest.fixture(scope="module")
def network():
    return lite0.build(size=SIZE)


@pytest.fixture(scope="module")
def read(network):
    return FeatureReader(network)


def tried(reader, images, fed, expected, **options):
    """Returns the trial of the fix from one convention to another."""
    fix = Transform(*affine_between(fed, expected))
    return Trial(reader, {"input": images}, "input", **options).of(fix)


@pytest.mark.backend
def test_a_network_sees_better_what_it_was_trained_on(network, read):
    before = [np.array(w) for w in network.get_weights()]
    wrong = tried(read, CAFFE.from_raw(RAW), CAFFE, TF)
    right = tried(read, TF.from_raw(RAW), TF, CAFFE)
    assert wrong.can_tell and wrong.sigmas > 3 and wrong.told_apart > 0.9
    assert right.can_tell and right.sigmas < -2
    assert "sees better" in wrong.in_words() and "sees worse" in right.in_words()
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_it_keeps_silent_where_it_cannot_tell(read):
    answer = tried(read, np.concatenate([TF.from_raw(RAW[:7])] * 3), TF, UNIT)
    assert answer.num_images == 7 and not answer.can_tell and "too few" in answer.in_words()
    # Images that are nearly equal cannot be told apart.
    ramp = np.linspace(0, 1, SIZE)[None, :, None, None]
    ramp = ramp * np.linspace(0.99, 1.0, 12)[:, None, None, None]
    alike = np.broadcast_to(ramp, (12, SIZE, SIZE, 3)).astype("float32")
    answer = tried(read, alike, UNIT, TF)
    assert not answer.can_tell and "hardly tells" in answer.in_words()


def test_a_classifier_of_two_classes_cannot_tell_images_apart():
    # In [0, 1] the classifier gives the same answer to all images. In [-1, 1] it gives two answers,
    # and the two views of an image may get different ones, which lowers the score.
    random = np.random.default_rng(0)
    raw = np.kron(random.integers(0, 256, (16, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    to_one = random.normal(0.2, 1.0, 32 * 32 * 3)
    model.layers[-1].set_weights([np.stack([to_one, -to_one], axis=1), np.zeros(2)])
    reader, fed = FeatureReader(model), UNIT.from_raw(raw)
    answer = tried(reader, fed, UNIT, TF)
    assert answer.can_tell and not answer.head_tells and answer.sigmas < 0
    alone = tried(reader, fed, UNIT, TF, with_head=False)
    assert alone.head_tells and alone.sigmas > 3
    assert answer.without_head().sigmas == pytest.approx(alone.sigmas)


@pytest.mark.thorough
def test_labels_decide_if_they_were_learnt(read):
    """The network has learned the labels of ImageNet. Other labels must be ignored."""
    labels, fed = LABELS, UNIT.from_raw(RAW)
    found = tried(read, fed, UNIT, TF, labels=labels)
    assert found.by_labels and found.sigmas > 1 and "names more as labelled" in found.in_words()
    again = tried(read, fed, UNIT, TF, labels=keras.utils.to_categorical(labels, 1000))
    assert again.by_labels and again.sigmas == pytest.approx(found.sigmas, rel=1e-3)
    without = tried(read, fed, UNIT, TF)
    for others in (np.arange(20), np.arange(20) + 2000, np.random.default_rng(0).normal(size=20)):
        ignored = tried(read, fed, UNIT, TF, labels=others)
        assert not ignored.by_labels
        assert ignored.sigmas == pytest.approx(without.sigmas, rel=1e-3)


def test_channels_first_is_seen_alike():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3), keras.layers.GlobalAveragePooling2D()]
    )
    turned = keras.Sequential([keras.Input((3, 32, 32)), keras.layers.Permute((2, 3, 1)), network])
    images = imagenet_photos(32)[0] / 255
    one = tried(FeatureReader(network), images, UNIT, TF)
    other = tried(FeatureReader(turned), np.moveaxis(images, -1, 1), UNIT, TF, axis=1)
    assert np.isclose(one.sigmas, other.sigmas, atol=1e-3)


def test_what_classes_tell_of_images():
    """Sure and different predictions tell most; equal ones, whether sure or not, tell nothing."""
    sure, k = 50.0 * np.eye(4), 4
    np.testing.assert_allclose(information(sure), np.log(k))
    np.testing.assert_allclose(information(sure[[0] * k]), 0.0, atol=1e-9)
    np.testing.assert_allclose(information(np.zeros((k, k))), 0.0, atol=1e-9)
    of_two = information(np.array([[50.0], [-50.0]]))  # one column: the second of two classes
    np.testing.assert_allclose(of_two, np.log(2))


def test_second_views():
    photo = RAW[:2] / 255
    view = second_view(photo)
    assert view.shape == photo.shape and not np.allclose(view, photo)
    assert np.array_equal(view[1], second_view(photo[1:])[0])  # independent of other images
    assert view.min() >= photo.min() - 1e-6 and view.max() <= photo.max() + 1e-6


class Subclassed(keras.Model):
    """A model whose classifier is made first and called last."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(5)
        self.conv = keras.layers.Conv2D(64, 3)

    def call(self, x):
        return self.head(keras.ops.mean(self.conv(x), axis=(1, 2)))


@pytest.mark.backend
def test_which_features_are_read():
    x = np.random.default_rng(0).random((3, 8, 8, 3)).astype("float32")
    model = Subclassed()
    model(x)
    read = FeatureReader(model)({"input": x})
    assert read.penultimate.shape == (3, 64)
    assert np.allclose(read.logits, keras.ops.convert_to_numpy(model(x)), atol=1e-4)
    trunk = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(48, 3)])
    read = FeatureReader(trunk)({"input": x})
    assert read.logits is None
    want = keras.ops.convert_to_numpy(trunk(x)).mean(axis=(1, 2))
    assert np.allclose(read.penultimate, want, atol=1e-5)
    edges = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(48, 3), keras.layers.Conv2D(1, 1)]
    )
    assert FeatureReader(edges)({"input": x}).penultimate.shape == (3, 48)
    assert FeatureReader(keras.Sequential([keras.layers.Flatten()]))({"input": x}) is None

"""The trial of a fix on real weights, and the cases in which it must give no answer."""

import keras
import lite0
import numpy as np
import pytest
from photos import imagenet_photos

from keras_shiftguard.instrument.network_features import FeatureReader
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.witnesses.second_view import second_view
from keras_shiftguard.preprocessing.witnesses.trial import Trial, info_nce

RAW = np.round(imagenet_photos()[0])
TF = InputConvention("tf")


@pytest.fixture(scope="module")
def network():
    return lite0.build()


@pytest.fixture(scope="module")
def read(network):
    return FeatureReader(network)


def fix(fed, expected):
    return Transform(*affine_between(fed, expected))


@pytest.mark.backend
def test_a_network_sees_better_what_it_was_trained_on(network, read):
    caffe = InputConvention("caffe", "bgr")
    before = [np.array(w) for w in network.get_weights()]
    wrong = Trial(read, {"input": caffe.from_raw(RAW)}, "input").of(fix(caffe, TF))
    right = Trial(read, {"input": TF.from_raw(RAW)}, "input").of(fix(TF, caffe))
    assert wrong.can_tell and wrong.sigmas > 3 and wrong.told_apart > 0.9
    assert right.can_tell and right.sigmas < -2
    assert "sees better" in wrong.in_words() and "sees worse" in right.in_words()
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_it_keeps_silent_where_it_cannot_tell(read):
    tf = TF.from_raw(RAW)
    few = Trial(read, {"input": np.concatenate([tf[:7]] * 3)}, "input")
    answer = few.of(fix(TF, InputConvention("unit")))
    assert answer.num_images == 7 and not answer.can_tell and "too few" in answer.in_words()
    # Images that are nearly equal cannot be told apart.
    ramp = (
        np.linspace(0, 1, 224)[None, :, None, None]
        * np.linspace(0.99, 1.0, 12)[:, None, None, None]
    )
    alike = np.broadcast_to(ramp, (12, 224, 224, 3)).astype("float32")
    answer = Trial(read, {"input": alike}, "input").of(fix(InputConvention("unit"), TF))
    assert not answer.can_tell and "hardly tells" in answer.in_words()


@pytest.mark.thorough
def test_a_trained_head_has_a_say():
    """The classifier learned from [0, 1], but the network below it works better on [-1, 1]."""
    keras.utils.set_random_seed(0)
    unit = InputConvention("unit")
    base = lite0.build(include_top=False, pooling="avg", size=160)
    parts = np.concatenate([RAW[:, t : t + 160, t : t + 160] for t in (0, 20, 40, 60)])
    features = base.predict(unit.from_raw(parts), verbose=0)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(20, activation="softmax")])
    head.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    head.fit(features, np.tile(np.arange(20), 4), epochs=40, verbose=0)
    model = keras.Model(base.input, head(base.output))
    reader = FeatureReader(model)
    fed = {"input": unit.from_raw(RAW[:, 30:190, 30:190])}
    alone = Trial(reader, fed, "input", with_head=False).of(fix(unit, TF))
    both = Trial(reader, fed, "input").of(fix(unit, TF))
    assert both.sigmas < alone.sigmas and both.sigmas < 2
    assert both.of_features == both.at_best > 2
    labelled = Trial(reader, fed, "input", labels=np.arange(20)).of(fix(unit, TF))
    assert labelled.by_labels and labelled.sigmas < 0 and "less probable" in labelled.in_words()


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
    unit = InputConvention("unit")
    fed = {"input": unit.from_raw(raw).astype("float32")}
    answer = Trial(FeatureReader(model), fed, "input").of(fix(unit, TF))
    assert answer.can_tell and not answer.head_tells and answer.sigmas < 0
    alone = Trial(FeatureReader(model), fed, "input", with_head=False).of(fix(unit, TF))
    assert alone.head_tells and alone.sigmas > 3
    assert answer.without_head().sigmas == answer.at_best == pytest.approx(alone.sigmas)


@pytest.mark.thorough
def test_labels_decide_if_they_were_learnt(read):
    """The network has learned the labels of ImageNet. Other labels must be ignored."""
    labels = imagenet_photos()[1]
    unit = InputConvention("unit")
    fed = {"input": unit.from_raw(RAW)}
    found = Trial(read, fed, "input", labels=labels).of(fix(unit, TF))
    assert found.by_labels and found.sigmas > 1 and "more probable" in found.in_words()
    one_hot = keras.utils.to_categorical(labels, 1000)
    again = Trial(read, fed, "input", labels=one_hot).of(fix(unit, TF))
    assert again.by_labels and again.sigmas == pytest.approx(found.sigmas, rel=1e-3)
    without = Trial(read, fed, "input").of(fix(unit, TF))
    for others in (np.arange(20), np.arange(20) + 2000, np.random.default_rng(0).normal(size=20)):
        ignored = Trial(read, fed, "input", labels=others).of(fix(unit, TF))
        assert not ignored.by_labels
        assert ignored.sigmas == pytest.approx(without.sigmas, rel=1e-3)


def test_channels_first_is_seen_alike():
    class Turned(keras.layers.Layer):
        def call(self, x):
            return keras.ops.transpose(x, (0, 2, 3, 1))

    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3), keras.layers.GlobalAveragePooling2D()]
    )
    turned = keras.Sequential([keras.Input((3, 32, 32)), Turned(), network])
    images = imagenet_photos(32)[0] / 255
    one = Trial(FeatureReader(network), {"input": images}, "input").of(
        fix(InputConvention("unit"), TF)
    )
    first = np.moveaxis(images, -1, 1)
    other = Trial(FeatureReader(turned), {"input": first}, "input", axis=1).of(
        fix(InputConvention("unit"), TF)
    )
    assert np.isclose(one.sigmas, other.sigmas, atol=1e-3)


def test_info_nce():
    features = np.eye(4)
    assert np.allclose(info_nce(features, features), 0, atol=1e-3)
    same = np.ones((4, 3))
    assert np.allclose(info_nce(same, same), -np.log(4))


def test_second_views():
    photo = RAW[:2] / 255
    view = second_view(photo)
    assert view.shape == photo.shape and not np.allclose(view, photo)
    assert np.array_equal(view[1], second_view(photo[1:])[0])  # independent of other images
    assert view.min() >= photo.min() - 1e-6 and view.max() <= photo.max() + 1e-6
    small = np.arange(2 * 8 * 8 * 1, dtype="float32").reshape(2, 8, 8, 1)
    moved = second_view(small)
    shifts = [(a, b) for a in (-2, 2) for b in (-2, 2)]
    inner = {tuple(np.roll(small[0], s, (0, 1))[3:5, 3:5].ravel()) for s in shifts}
    assert tuple(moved[0, 3:5, 3:5].ravel()) in inner


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

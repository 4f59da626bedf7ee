"""The verdict on real weights, and the cases in which it must be "unknown" or "ok"."""

import keras
import lite0
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input
from numpy_reference import profile
from photos import imagenet_photos, odd_photos

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.diagnose import diagnose
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.verdict import judge

CAFFE = InputConvention("caffe", "bgr")
RAW = imagenet_photos()[0][:12]
SMALL = imagenet_photos(96)[0]


@pytest.fixture(scope="module")
def network():
    model = lite0.build(CAFFE)
    return model, BatchNormEvidence(model)


def verdict_on(network, images, **kwargs):
    model, evidence = network
    return judge(model, {"input": images}, profile(images), evidence=evidence, **kwargs)


@pytest.mark.backend
@pytest.mark.thorough
@pytest.mark.parametrize(
    "fed",
    [InputConvention("unit"), InputConvention("raw", "bgr"), InputConvention("caffe")],
    ids=str,
)
def test_names_and_repairs_a_mismatch(network, fed):
    images = fed.from_raw(RAW)
    found = verdict_on(network, images)
    assert (found.status, found.expected, found.observed) == ("mismatch", CAFFE, fed)
    right = CAFFE.from_raw(RAW)
    assert np.allclose(found.fix(images), right, atol=0.01)
    scope = {"x": images, "np": np, "keras": keras}
    exec(found.advice, scope)
    assert np.allclose(scope["x"], right, atol=0.1)


@pytest.mark.backend
def test_says_ok_to_what_is_right(network):
    found = verdict_on(network, CAFFE.from_raw(RAW))
    assert (found.status, found.expected, found.observed) == ("ok", CAFFE, CAFFE)
    assert found.fix is None


@pytest.mark.thorough
def test_odd_but_right_photos_are_no_mismatch(network):
    odd = np.stack(list(odd_photos().values()))
    gray = np.repeat(RAW.mean(-1, keepdims=True), 3, axis=-1).round()
    sky = np.round(0.6 * RAW + 0.4 * np.array([110.0, 160, 235]))
    casts = [np.round(RAW * cast) for cast in ([0.6, 1, 1], [1, 1, 0.5])]
    dark = RAW * 0.1, np.round(RAW * 0.2)
    for raw in (odd[:8], odd[8:16], *dark, 100 + 0.3 * RAW, gray, sky, *casts):
        assert verdict_on(network, CAFFE.from_raw(raw)).status != "mismatch"


@pytest.mark.parametrize("order", ["rgb", pytest.param("bgr", marks=pytest.mark.thorough)])
def test_names_and_repairs_preprocess_input_that_was_called_twice(network, order):
    """In the mode "caffe", `preprocess_input` reverses the channels; two calls restore them."""
    images = RAW if order == "rgb" else RAW[..., ::-1]
    for _ in range(2):
        images = preprocess_input(np.array(images), data_format="channels_last", mode="caffe")
    found = verdict_on(network, images)
    assert (found.status, found.expected) == ("mismatch", CAFFE)
    assert "reduced by the ImageNet mean twice" in str(found)
    assert np.allclose(found.fix(images), CAFFE.from_raw(RAW), atol=0.1)


def with_head(learned: str, way: str) -> keras.Model:
    """Returns Lite0, which expects [-1, 1], frozen under a head that learned in a convention."""
    backbone = lite0.build(include_top=False, pooling="avg", size=96)
    features = backbone.predict(InputConvention(learned).from_raw(SMALL), verbose=0)
    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dense(20)])
    head.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(True))
    head.fit(features, np.arange(20), epochs=60, verbose=0)
    backbone.trainable = way != "frozen"
    inputs = keras.Input((96, 96, 3))
    return keras.Model(inputs, head(backbone(inputs, training=False)))


def test_a_fresh_head_has_no_say():
    """Its random logits once decided whether red and blue were told as exchanged."""
    base = lite0.build(include_top=False, pooling="avg", size=96)
    images = CAFFE.from_raw(SMALL)
    evidence = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([base, keras.layers.Dense(5, activation="softmax")])
        evidence.append(diagnose(model, images).evidence)
    assert evidence[0] == evidence[1] and any("Trial" in text for text in evidence[0])


@pytest.mark.parametrize(
    "way", ["frozen", pytest.param("called for inference", marks=pytest.mark.thorough)]
)
def test_a_head_that_learned_from_wrongly_scaled_images_needs_them(way):
    """The backbone sees better with the fix, and the head that it would break learned without."""
    model = with_head("raw", way)
    assert np.mean(model.predict(SMALL, verbose=0).argmax(axis=1) == np.arange(20)) > 0.9
    found = diagnose(model, SMALL)
    assert found.status == "unknown" and found.fix is None
    assert "Labels would tell" in str(found)
    assert diagnose(model, (SMALL, np.arange(20))).status == "ok"


def test_a_head_that_learned_from_right_images_names_wrong_ones():
    found = diagnose(with_head("tf", "frozen"), SMALL)
    assert (found.status, found.expected.mode, found.observed.mode) == ("mismatch", "tf", "raw")
    assert np.allclose(found.fix(SMALL), InputConvention("tf").from_raw(SMALL), atol=0.01)


def trained_on_own_images(convention: InputConvention) -> keras.Model:
    """Returns MobileNetV2, published for [-1, 1], that saw its owner's images in a convention."""
    keras.utils.set_random_seed(0)
    shape = SMALL.shape[1:]
    backbone = keras.applications.MobileNetV2(
        shape, alpha=0.35, weights=None, include_top=False, pooling="avg"
    )
    for layer in backbone.layers:
        layer.momentum = 0.5
    images = convention.from_raw(SMALL)
    for _ in range(20):
        backbone(images, training=True)
    features = backbone.predict(images, verbose=0)
    head = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dense(20)])
    head.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(True))
    head.fit(features, np.arange(20), epochs=60, verbose=0)
    return keras.Sequential([keras.Input(shape), backbone, head])


def test_a_network_that_was_trained_anew_expects_what_it_was_trained_on():
    """Its head learned from the same images as its batch norm, and not from others."""
    unit = InputConvention("unit")
    model = trained_on_own_images(unit)
    assert diagnose(model, unit.from_raw(SMALL)).status == "ok"
    for mode in ("tf", "raw"):
        found = diagnose(model, InputConvention(mode).from_raw(SMALL))
        assert (found.status, found.expected) == ("mismatch", unit)
        images = found.fix(InputConvention(mode).from_raw(SMALL))
        assert np.allclose(images, unit.from_raw(SMALL), atol=0.01)


def test_any_network_may_be_trained_here():
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((96, 96, 3)), *layers])
    images = InputConvention("tf").from_raw(SMALL)
    found = judge(model, {"input": images}, profile(images), training=True)
    assert found.status == "ok" and found.trained_here and "scratch" in found.evidence[0]
    assert str(found) == "Preprocessing: the model is being trained here, on tf ([-1, 1])."
    model.layers[-1].bias.assign([0.1, -0.1])  # trained before
    # While the program runs, it knows the first input. Another input is no proven mismatch.
    now = judge(model, {"input": images}, profile(images), training=True)
    assert now.status == "ok" and now.expected.mode == "tf"
    other = judge(model, {"input": SMALL}, profile(SMALL))
    assert (other.status, other.expected.mode, other.observed.mode) == ("unknown", "tf", "raw")
    assert "trained from scratch in this program, on tf" in str(other)
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    found = judge(again, {"input": images}, profile(images), training=True)
    assert found.status == "unknown" and not found.trained_here


def test_a_network_may_be_trained_on_images_in_no_convention_with_a_name():
    model = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.Conv2D(4, 3)])
    dark = SMALL / np.float32(255 * 7)
    found = judge(model, {"input": dark}, profile(dark), training=True)
    assert not found.observed.is_known and found.status == "ok"
    assert (
        str(found)
        == "Preprocessing: the model is being trained here, on images in no named convention."
    )
    standard = SMALL - SMALL.mean((1, 2, 3), keepdims=True)
    standard = (standard / standard.std((1, 2, 3), keepdims=True)).astype("float32")
    assert judge(model, {"input": standard}, profile(standard), training=True).status == "ok"


def test_validation_of_a_network_trained_here_teaches_it_nothing():
    model = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.Conv2D(4, 3)])
    tf = InputConvention("tf").from_raw(SMALL)
    assert judge(model, {"input": tf}, profile(tf), training=True).trained_here
    other = judge(model, {"input": SMALL}, profile(SMALL), training=True, validates=True)
    assert other.status == "unknown" and other.expected.mode == "tf"
    same = judge(model, {"input": tf}, profile(tf), training=True, validates=True)
    assert same.status == "ok" and same.trained_here


@pytest.mark.thorough
def test_all_candidates_are_listed_the_likeliest_first(network):
    found = verdict_on(network, InputConvention("unit").from_raw(RAW)).candidates
    best, *others = found
    assert best.best and not any(other.best for other in others)
    assert best.name.startswith("caffe") and best.misfit < 0.3
    (fed,) = (candidate for candidate in found if candidate.fed)
    assert fed.name == "unit ([0, 1])" and fed.misfit > 2 * best.misfit
    # Candidates that were compared on all images come before those that were ruled out early.
    ranks = [(other.rough, other.misfit) for other in others]
    assert ranks == sorted(ranks) and {rough for rough, _ in ranks} == {False, True}
    assert any(c.swap and c.name.endswith("red and blue swapped") for c in found)


@pytest.mark.thorough
def test_predictions_are_judged_where_the_input_is_right(network):
    photos, labels = imagenet_photos()
    for fed, told in ((CAFFE, True), (InputConvention("unit"), False)):
        found = verdict_on(network, fed.from_raw(photos), labels=labels + 1)
        assert any("labels" in hint.sentence for hint in found.hints) == told
    training = verdict_on(network, CAFFE.from_raw(photos), labels=labels + 1, training=True)
    assert not any("labels" in hint.sentence for hint in training.hints)


@pytest.mark.parametrize(
    ("sees_brightness", "status"), [(False, "unknown"), (True, "mismatch")], ids=["edges", "both"]
)
def test_a_network_trained_on_smooth_images_is_not_accused(sees_brightness, status):
    # Filters that see only edges cannot tell [0, 1] from [-1, 1] at half the contrast.
    kernel = np.random.default_rng(0).normal(size=(3, 3, 1, 6)).astype("float32")
    if not sees_brightness:
        kernel -= kernel.mean(axis=(0, 1))
    conv, norm = keras.layers.Conv2D(6, 3, use_bias=False), keras.layers.BatchNormalization()
    pooled = keras.layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input((24, 24, 1)), conv, norm, pooled])
    conv.set_weights([kernel])
    trained_on, raw = np.round(255 * np.random.default_rng(1).random((2, 7, 24, 24, 1)) ** 2)
    trained_on = trained_on / 255 if sees_brightness else (trained_on / 127.5 - 1) / 2
    seen = keras.ops.convert_to_numpy(conv(trained_on.astype("float32"))).reshape(-1, 6)
    norm.moving_mean.assign(seen.mean(axis=0))
    norm.moving_variance.assign(seen.var(axis=0))
    fed = (raw / 127.5 - 1).astype("float32")
    found = judge(model, {"input": fed}, profile(fed))
    assert found.status == status, found.evidence
    assert found.expected.mode == ("unit" if sees_brightness else "unknown")


@pytest.mark.thorough
@pytest.mark.eager
def test_foreign_weights_in_a_published_structure_convict_nobody():
    """As those of a VGG16 that others trained on another input: the structure alone suspects."""
    keras.utils.set_random_seed(0)
    options = {"weights": None, "include_top": False, "pooling": "avg"}
    model = keras.applications.VGG16(input_shape=(96, 96, 3), **options)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name == "bias":  # so that the weights do not look untrained
            weight.assign(rng.normal(0, 0.1, weight.shape))
    photos = RAW[:, ::2, ::2][:, :96, :96]
    for mode in ("torch", "unit", "raw"):
        found = diagnose(model, InputConvention(mode).from_raw(photos))
        assert found.status == "unknown" and found.fix is None, found
        assert found.evidence[0].startswith("VGG16 is published for caffe")
        assert "these weights do not confirm it" in found.evidence[0]
    assert diagnose(model, CAFFE.from_raw(photos)).status == "ok"

"""Networks of `keras.applications` are recognized by their structure; similar networks are not."""

import inspect

import keras
import pytest
from keras import layers

from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES, SIGNATURES
from keras_shiftguard.preprocessing.expected.recognition import MIN_CONVOLUTIONS, recognise

applications = keras.applications
NO_NASNET = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras has no NASNet on PyTorch"
)
# These are quick to build; examples/benchmarks/architecture_cases.py checks all networks.
SMALL = [
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetV2B0",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    pytest.param("NASNetMobile", marks=[NO_NASNET, pytest.mark.backend]),
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "VGG16",
    "VGG19",
    "Xception",
]


@pytest.fixture(autouse=True)
def free_memory():
    yield
    keras.utils.clear_session()


def trunk(name, **kwargs):
    return getattr(applications, name)(
        weights=None, include_top=False, **{"input_shape": (96, 96, 3), **kwargs}
    )


def test_the_table_has_every_network_of_keras():
    known = {n for n, f in vars(applications).items() if inspect.isfunction(f)}
    assert set(ARCHITECTURES) == known
    assert {s.name for s in SIGNATURES if s.variant is None} == known


def test_no_two_networks_have_the_same_fingerprint():
    trunks = [s.trunk for s in SIGNATURES]
    halves = [s.half for s in SIGNATURES if s.half]
    assert len(set(trunks)) == len(trunks)
    assert len(set(halves)) == len(halves)
    assert not set(trunks) & set(halves)


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALL)
def test_signature_is_that_of_keras(name):
    (match,) = recognise(trunk(name))
    assert [c.name for c in match.candidates] == [name]
    assert match.signature.variant is None
    assert match.convolutions == match.signature.convolutions


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name, alpha",
    [
        ("MobileNet", 0.25),
        ("MobileNet", 0.5),
        ("MobileNet", 1.3),
        ("MobileNetV2", 0.35),
        ("MobileNetV2", 0.5),
        ("MobileNetV2", 0.75),
        ("MobileNetV2", 1.4),
        ("MobileNetV3Small", 0.75),
        ("MobileNetV3Large", 0.75),
    ],
)
def test_other_widths(name, alpha):
    (match,) = recognise(trunk(name, alpha=alpha))
    assert (match.signature.name, match.signature.variant) == (name, "width")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["MobileNetV3Small", "MobileNetV3Large"])
def test_minimalistic(name):
    (match,) = recognise(trunk(name, minimalistic=True))
    assert (match.signature.name, match.signature.variant) == (name, "minimalistic")


@NO_NASNET
@pytest.mark.backend
@pytest.mark.thorough
def test_nasnet_for_images_of_any_size_is_wired_differently():
    (match,) = recognise(trunk("NASNetMobile", input_shape=(None, None, 3)))
    assert (match.signature.name, match.signature.variant) == ("NASNetMobile", "any-size")


def test_a_cut_network_that_several_share_is_not_given_one_name():
    base = trunk("ResNet50")
    cut = keras.Model(base.input, base.get_layer("conv4_block4_out").output)
    (match,) = recognise(cut)
    assert [c.name for c in match.candidates] == ["ResNet50", "ResNet101"]
    assert match.convolutions < match.signature.convolutions


@pytest.mark.thorough
def test_a_cut_network_of_its_own_kind_keeps_its_name():
    base = trunk("MobileNetV2")
    (match,) = recognise(keras.Model(base.input, base.get_layer("block_13_expand_relu").output))
    assert [c.name for c in match.candidates] == ["MobileNetV2"]


def test_cut_too_early_is_no_evidence():
    base = trunk("MobileNetV2")
    assert recognise(keras.Model(base.input, base.get_layer("block_6_expand_relu").output)) == []


@pytest.mark.thorough
def test_encoder_of_a_segmentation_network():
    base = trunk("MobileNetV2")
    names = ["block_1_expand_relu", "block_3_expand_relu", "block_13_expand_relu"]
    small, middle, x = (base.get_layer(n).output for n in names)
    for skip in (middle, small):
        x = layers.UpSampling2D(skip.shape[1] // x.shape[1])(x)
        x = layers.Conv2D(8, 3, padding="same")(layers.Concatenate()([x, skip]))
    (match,) = recognise(keras.Model(base.input, x))
    assert match.candidates[0].name == "MobileNetV2"


# --- what is not recognised ------------------------------------------------------


def changed(number, **changes):
    """Returns MobileNetV2 with other settings in one layer: the `number`-th that has them."""
    base = trunk("MobileNetV2")
    fitting = [la for la in base.layers if set(changes) <= set(la.get_config())]
    target = fitting[number].name

    def clone(layer):
        config = layer.get_config()
        if layer.name == target:
            config.update(changes)
        return type(layer).from_config(config)

    return keras.models.clone_model(base, clone_function=clone)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "number, changes",
    [
        (0, {"kernel_size": 5}),
        (4, {"kernel_size": 5, "padding": "same"}),
        (3, {"use_bias": True}),
        (0, {"dilation_rate": 2, "strides": 1}),
        (1, {"dilation_rate": (2, 2)}),
    ],
)
def test_one_changed_convolution_is_another_network(number, changes):
    assert recognise(changed(number, **changes)) == []
    keras.utils.clear_session()
    assert len(recognise(trunk("MobileNetV2"))) == 1  # the same network unchanged


def residual(x, filters, stride, norm=True, bottleneck=False, bias=True):
    def conv(x, f, k, s=1):
        x = layers.Conv2D(f, k, strides=s, padding="same", use_bias=bias)(x)
        return layers.BatchNormalization()(x) if norm else x

    out = 4 * filters if bottleneck else filters
    shortcut = conv(x, out, 1, stride) if stride > 1 or x.shape[-1] != out else x
    if bottleneck:
        y = layers.ReLU()(conv(x, filters, 1, stride))
        y = conv(layers.ReLU()(conv(y, filters, 3)), out, 1)
    else:
        y = conv(layers.ReLU()(conv(x, filters, 3, stride)), out, 3)
    return layers.ReLU()(layers.Add()([shortcut, y]))


def cifar_resnet20():
    x = images = keras.Input((32, 32, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(x)))
    for filters in (16, 32, 64):
        for block in range(3):
            x = residual(x, filters, 2 if filters > 16 and block == 0 else 1)
    return keras.Model(images, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def resnet50_like(stem=7, stride=2, bias=True, depths=(3, 4, 6, 3)):
    x = images = keras.Input((96, 96, 3))
    x = layers.Conv2D(64, stem, strides=stride, padding="same", use_bias=bias)(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
    for i, depth in enumerate(depths):
        for block in range(depth):
            first = 2 if i and block == 0 else 1
            x = residual(x, 64 * 2**i, first, bottleneck=True, bias=bias)
    return keras.Model(images, layers.GlobalAveragePooling2D()(x))


def vgg_like(widths, norm=False):
    x = images = keras.Input((64, 64, 3))
    for width, depth in widths:
        for _ in range(depth):
            x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
            x = layers.BatchNormalization()(x) if norm else x
        x = layers.MaxPooling2D()(x)
    return keras.Model(images, layers.Dense(10)(layers.Flatten()(x)))


VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def autoencoder():
    x = images = keras.Input((64, 64, 3))
    for width in (32, 64, 128):
        x = layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(x)
    for width in (64, 32, 3):
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(x)
    return keras.Model(images, x)


@pytest.mark.thorough
def test_the_lookalike_of_resnet50_is_close():
    # With the numbers of Keras, these builders make recognized networks. So if a variant of them
    # is not recognized in the next test, the reason is the one change in it.
    (match,) = recognise(resnet50_like())
    assert match.candidates[0].name == "ResNet50"
    (match,) = recognise(vgg_like(VGG16))
    assert match.candidates[0].name == "VGG16"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "build",
    [
        cifar_resnet20,
        lambda: resnet50_like(stem=3, stride=1),  # as often used on CIFAR
        lambda: resnet50_like(bias=False),  # as in torchvision, which expects `torch`
        lambda: resnet50_like(depths=(2, 2, 2, 2)),
        autoencoder,
        lambda: vgg_like(((32, 2), (64, 2), (128, 2))),
        lambda: vgg_like(VGG16[:4]),
        lambda: vgg_like(VGG16, norm=True),
        lambda: keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(8, 3), layers.Dense(2)]),
        lambda: keras.Sequential([keras.Input((7,)), layers.Dense(2)]),
    ],
    ids=[
        "cifar_resnet20",
        "resnet50_small_stem",
        "resnet50_without_bias",
        "shallow_resnet",
        "autoencoder",
        "small_vgg",
        "vgg16_without_last_block",
        "vgg16_with_batch_norm",
        "tiny_cnn",
        "no_image",
    ],
)
def test_unrelated_networks_are_not_recognised(build):
    assert recognise(build()) == []


def test_a_match_is_long():
    # A match is the whole trunk, or at least half of it with MIN_CONVOLUTIONS convolutions or more.
    for signature in SIGNATURES:
        assert signature.convolutions > MIN_CONVOLUTIONS

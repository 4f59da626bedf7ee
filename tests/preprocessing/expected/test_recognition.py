"""Networks of `keras.applications` are recognized by their structure; similar networks are not."""

import inspect

import keras
import pytest

from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES, SIGNATURES
from keras_shiftguard.preprocessing.expected.recognition import recognise

applications = keras.applications
NO_NASNET = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras has no NASNet on PyTorch"
)
# These are quick to build; examples/benchmarks/architecture_cases.py checks all networks.
SMALL = """
    ConvNeXtTiny DenseNet121 EfficientNetB0 EfficientNetB1 EfficientNetV2B0 InceptionV3 MobileNet
    MobileNetV2 MobileNetV3Large MobileNetV3Small ResNet50 ResNet50V2 ResNet101 VGG16 VGG19 Xception
""".split()
WIDTHS = [("MobileNet", 0.25), ("MobileNetV2", 0.35), ("MobileNetV2", 1.4)]
WIDTHS += [("MobileNetV3Small", 0.75), ("MobileNetV3Large", 0.75)]
VARIANTS = [
    *((name, {}, None) for name in SMALL),
    *((name, {"alpha": alpha}, "width") for name, alpha in WIDTHS),
    ("MobileNetV3Small", {"minimalistic": True}, "minimalistic"),
    ("MobileNetV3Large", {"minimalistic": True}, "minimalistic"),
    pytest.param("NASNetMobile", {}, None, marks=[NO_NASNET, pytest.mark.backend]),
    pytest.param(  # for images of any size, it is wired differently
        *("NASNetMobile", {"input_shape": (None, None, 3)}, "any-size"),
        marks=[NO_NASNET, pytest.mark.backend],
    ),
]


@pytest.fixture(autouse=True)
def free_memory():
    yield
    keras.utils.clear_session()


def trunk(name, **kwargs):
    return getattr(applications, name)(
        weights=None, include_top=False, **{"input_shape": (96, 96, 3), **kwargs}
    )


def cut(name, layer):
    base = trunk(name)
    return keras.Model(base.input, base.get_layer(layer).output)


def names_of(model):
    (match,) = recognise(model)
    return [candidate.name for candidate in match.candidates]


def test_the_table_has_every_network_of_keras():
    known = {n for n, f in vars(applications).items() if inspect.isfunction(f)}
    assert set(ARCHITECTURES) == known
    assert {s.name for s in SIGNATURES if s.variant is None} == known


def test_no_two_networks_have_the_same_fingerprint():
    fingerprints = [s.trunk for s in SIGNATURES] + [s.half for s in SIGNATURES if s.half]
    assert len(set(fingerprints)) == len(fingerprints)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "options", "variant"), VARIANTS)
def test_signature_is_that_of_keras(name, options, variant):
    (match,) = recognise(trunk(name, **options))
    assert (match.signature.name, match.signature.variant) == (name, variant)
    assert match.convolutions == match.signature.convolutions
    assert variant or [c.name for c in match.candidates] == [name]


def test_a_cut_network_that_several_share_is_not_given_one_name():
    model = cut("ResNet50", "conv4_block4_out")
    assert names_of(model) == ["ResNet50", "ResNet101"]


@pytest.mark.thorough
def test_a_cut_network_of_its_own_kind_keeps_its_name():
    assert names_of(cut("MobileNetV2", "block_13_expand_relu")) == ["MobileNetV2"]


def test_cut_too_early_is_no_evidence():
    assert recognise(cut("MobileNetV2", "block_6_expand_relu")) == []


# --- what is not recognised ------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.parametrize(
    "number, changes",
    [
        (0, {"kernel_size": 5}),
        (4, {"kernel_size": 5, "padding": "same"}),
        (3, {"use_bias": True}),
        (0, {"dilation_rate": 2, "strides": 1}),
    ],
)
def test_one_changed_convolution_is_another_network(number, changes):
    """The `number`-th layer that has these settings gets other values."""
    base = trunk("MobileNetV2")
    fitting = [la for la in base.layers if set(changes) <= set(la.get_config())]

    def clone(layer):
        other = changes if layer is fitting[number] else {}
        return type(layer).from_config({**layer.get_config(), **other})

    assert recognise(keras.models.clone_model(base, clone_function=clone)) == []

"""Models with their own preprocessor: models of KerasHub and kimm, and imitations."""

import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from photos import imagenet_photos

import keras_shiftguard as sg
from keras_shiftguard import InputConvention
from keras_shiftguard.preprocessing.expected.own_preprocessor import (
    after_preprocessor,
    converts_by_itself,
    published_elsewhere,
)

kimm = pytest.importorskip("kimm")  # `scripts/setup test` installs both
if find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)
RAW = imagenet_photos(64)[0].round()
TORCH = InputConvention("torch")
SHUFFLED = "ignore:.shuffle=True. was passed:UserWarning"  # KerasHub makes datasets of the arrays
VIT = {"image_shape": (32, 32, 3), "patch_size": 8, "num_layers": 1, "num_heads": 2}


def vit(scale=1 / 127.5, offset=-1.0):
    """Returns a small KerasHub image classifier with its preprocessor."""
    import keras_hub  # here, since on PyTorch it imports TensorFlow, which takes seconds

    models = keras_hub.models
    backbone = models.ViTBackbone(**VIT, mlp_dim=32, hidden_dim=16)
    converter = keras_hub.layers.ViTImageConverter(image_size=(32, 32), scale=scale, offset=offset)
    preprocessor = models.ViTImageClassifierPreprocessor(image_converter=converter)
    return models.ViTImageClassifier(backbone=backbone, preprocessor=preprocessor, num_classes=3)


@pytest.mark.backend
def test_a_task_is_given_raw_images_of_any_size():
    task = vit()
    assert sg.diagnose(task, RAW).status == "ok"
    found = sg.diagnose(task, RAW / 255)
    assert (found.status, found.expected) == ("mismatch", InputConvention("raw"))
    assert "own preprocessor says" in found.evidence[0]
    # The fix goes in front of the preprocessor.
    fixed = task.predict(np.asarray(found.fix(RAW / 255)), verbose=0)
    right = task.predict(RAW.astype("float32"), verbose=0)  # Grain resizes integers to integers
    assert np.allclose(fixed, right, atol=1e-4)
    with pytest.raises(sg.ShiftGuardError, match=r"Change the data instead: x = x \* 255"):
        found.apply(task)
    said = sg.diagnose(task, RAW, expects="unit")  # what the user states counts more
    assert said.status == "mismatch" and said.expected.mode == "unit"


@pytest.mark.filterwarnings(SHUFFLED)
def test_a_preprocessor_that_only_resizes_accuses_nobody():
    """The network may have been trained on images that were scaled before."""
    task = vit(scale=None, offset=None)
    task.compile("sgd", "sparse_categorical_crossentropy")
    assert sg.diagnose(task, RAW).status == "ok"
    found = sg.diagnose(task, RAW / 255)
    assert found.status == "unknown" and "only resizes" in str(found)
    guard = sg.ShiftGuard(on_mismatch="raise", verbose=0)
    task.fit(RAW / 255, np.arange(20) % 3, verbose=0, callbacks=[guard])
    assert guard.diagnosis.status == "ok"  # its weights are untrained: it is trained on this


def converter_of(scale, offset=None):
    return SimpleNamespace(image_converter=SimpleNamespace(scale=scale, offset=offset))


def test_only_the_images_of_several_inputs_are_converted():
    """Masks look like images, and inputs that the preprocessor makes need not be in the data."""
    image, mask = keras.Input((64, 64, 3), name="images"), keras.Input((64, 64, 1), name="masks")
    both = keras.layers.Concatenate()([image, mask])
    output = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(both))
    model = keras.Model({"images": image, "masks": mask}, output)
    model.preprocessor = converter_of(1 / 255)
    masks = (RAW[..., :1] > 99).astype("float32")
    assert sg.diagnose(model, {"images": RAW, "masks": masks}).status == "ok"
    prompts = np.array(["what is this?"] * len(RAW))
    assert sg.diagnose(model, {"images": RAW / 255, "prompts": prompts}).status == "mismatch"
    assert sg.diagnose(model, RAW).status == "ok"
    with pytest.raises(sg.BadInputError, match="which `data` lacks"):
        sg.diagnose(model, {"pictures": RAW, "prompts": prompts})


@pytest.mark.backend
@pytest.mark.filterwarnings(SHUFFLED)
def test_in_a_fit_the_guard_sees_what_the_converter_makes():
    task = vit()
    task.compile("sgd", "sparse_categorical_crossentropy")
    for x, status in ((RAW, "ok"), (RAW / 255, "mismatch")):
        guard = sg.ShiftGuard(on_mismatch="ignore", verbose=0)
        task.fit(x, np.arange(20) % 3, batch_size=10, verbose=0, callbacks=[guard])
        assert guard.diagnosis.status == status
        assert guard.diagnosis.expected == InputConvention("tf")


def with_classifier(network, *front):
    pool, dense = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)
    return keras.Sequential([keras.Input((64, 64, 3)), *front, network, pool, dense])


def test_a_backbone_has_the_published_convention_of_keras_hub_as_its_suspect():
    import keras_hub

    vgg = keras_hub.models.VGGBackbone(
        stackwise_num_repeats=[2, 2, 3, 3, 3],
        stackwise_num_filters=[64, 128, 256, 512, 512],
        image_shape=(64, 64, 3),
    )
    torch = TORCH.from_raw(RAW)
    for model in (vgg, with_classifier(vgg)):
        assert sg.diagnose(model, torch).status == "ok"
    caffe = sg.diagnose(vgg, InputConvention("caffe", "bgr").from_raw(RAW))
    assert (caffe.status, caffe.expected.mode) == ("unknown", "torch")
    scaled = with_classifier(vgg, keras.layers.Rescaling(1 / 127.5, -1))
    assert not sg.diagnose(scaled, torch).expected.is_known


def mobile_net(inside, **options):
    """Returns a small untrained network of kimm; its weights of ImageNet expect "torch"."""
    return kimm.models.MobileNetV2W050(
        weights=None, input_shape=[64, 64, 3], include_preprocessing=inside, **options
    )


def test_a_network_of_kimm_that_converts_by_itself(tmp_path):
    model = mobile_net(inside=True)
    model.save(tmp_path / "kimm.keras")
    names = {type(model).__name__: type(model)}
    loaded = keras.saving.load_model(tmp_path / "kimm.keras", custom_objects=names)
    assert sg.diagnose(loaded, RAW).status == "ok"
    twice = sg.diagnose(loaded, TORCH.from_raw(RAW))
    assert (twice.status, twice.expected.mode) == ("mismatch", "raw")


def test_weights_of_kimm_want_other_input_than_those_of_keras():
    body = mobile_net(inside=False, include_top=False)
    for model in (body, with_classifier(body)):
        assert sg.diagnose(model, TORCH.from_raw(RAW)).expected.mode == "torch"


class Attention:
    """An object with the attribute of a model of keras-cv-attention-models."""

    def __init__(self, mode):
        self.rescale_mode = mode


MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        (SimpleNamespace(preprocessing_mode="-1_1"), "raw"),  # its own layers convert the images
        (SimpleNamespace(preprocessing_mode="of tomorrow"), None),
        (Attention("torch"), "torch"),
        (Attention("raw01"), "unit"),
        (Attention("clip"), "custom"),
        (Attention("tf128"), "custom"),
        (Attention((np.array(MEAN), np.array(STD))), "torch"),
        (Attention((MEAN, [0, 0, 0])), None),
        (SimpleNamespace(preprocessor=converter_of("auto", 0.0)), None),
        (object(), None),
    ],
    ids=[str(i) for i in range(10)],
)
def test_modes_of_other_packages(model, mode):
    found = after_preprocessor(model)
    assert (found.mode if found else None) == mode
    assert converts_by_itself(model) == hasattr(model, "preprocessor")


def test_the_families_of_keras_hub():
    """Families whose presets share one convention are known; others have several."""
    from keras_hub import models

    encoder = {**VIT, "hidden_dim": 16, "intermediate_dim": 16}
    clip = published_elsewhere(models.CLIPVisionEncoder(**encoder))
    assert clip.mode == "custom" and clip.scale[0] == pytest.approx(1 / 255 / 0.26862954)
    assert published_elsewhere(models.SigLIPVisionEncoder(**encoder)) == InputConvention("tf")
    dense_net = models.DenseNetBackbone(stackwise_num_repeats=[1, 1], image_shape=(32, 32, 3))
    assert published_elsewhere(dense_net) is None
    keras.utils.set_random_seed(0)
    backbone = models.ViTBackbone(**VIT, hidden_dim=16, mlp_dim=32)
    # The initial biases of its MLP are not 0, but the weights are untrained: no mismatch.
    found = sg.diagnose(backbone, RAW[:, :32, :32])
    assert (found.status, found.expected.mode) == ("unknown", "tf")
    assert any("look untrained" in text for text in found.evidence)


@pytest.mark.thorough
def test_no_package_of_networks_is_imported():
    code = (
        "import sys, keras, keras_shiftguard as sg\n"
        "model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])\n"
        "sg.diagnose(model, keras.random.uniform((8, 8, 8, 3)))\n"
        "few = {'keras_hub', 'kimm', 'keras_cv_attention_models', 'timm', 'transformers'}\n"
        "assert not few & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

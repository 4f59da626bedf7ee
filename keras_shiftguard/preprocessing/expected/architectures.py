"""Table of the networks of `keras.applications`: preprocessing, size and accuracy.

A model file stores none of these facts. The conventions are those of each network's
`preprocess_input`. If a network preprocesses its input itself, the conventions are those of its
preprocessing layers.
"""

from typing import NamedTuple


class Architecture(NamedTuple):
    """One network of `keras.applications`. The networks of one family share their preprocessing."""

    name: str
    family: str
    # What the first convolution must receive: a mode of `keras_shiftguard.conventions.MODES`, or
    # "tf128", which is raw / 128 - 1. At white, "tf128" differs from "tf" by one gray level.
    mode: str
    order: str  # of the channels, for the first convolution: "rgb" or "bgr"
    # Class names of the network's own preprocessing layers, in call order, which turn raw RGB
    # 0..255 into what the first convolution must receive. Empty if the user must preprocess.
    inside: tuple[str, ...]
    size: int  # native height and width
    top1: float | None  # published accuracy on ImageNet, with a single crop at the native size
    top5: float | None


class Signature(NamedTuple):
    """Structural fingerprints of one network (`recognition.py`)."""

    name: str
    # None for the network as published; "width" for any number of filters, "minimalistic" for this
    # option of MobileNetV3, "any-size" for a NASNet that was built without an image size.
    variant: str | None
    convolutions: int  # in the trunk (`include_top=False`)
    trunk: str  # fingerprint of its last step
    # Fingerprint of the first merge layer, or else the first step, after half of the convolutions.
    # None if half of the network is too little evidence.
    half: str | None
    half_shared_with: tuple[str, ...] = ()  # other networks


# `mode`, `order` and `inside` of `Architecture`, by family. EfficientNet has its second Rescaling
# only with `weights="imagenet"`. The Normalization of EfficientNet divides by sqrt(std), and the
# second Rescaling divides by sqrt(std) again.
_FAMILIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "VGG": ("caffe", "bgr", ()),
    "ResNet": ("caffe", "bgr", ()),
    "ResNetV2": ("tf", "rgb", ()),
    "Xception": ("tf", "rgb", ()),
    "InceptionV3": ("tf", "rgb", ()),
    "InceptionResNetV2": ("tf", "rgb", ()),
    "MobileNet": ("tf", "rgb", ()),
    "MobileNetV2": ("tf", "rgb", ()),
    "NASNet": ("tf", "rgb", ()),
    "DenseNet": ("torch", "rgb", ()),
    "MobileNetV3": ("tf", "rgb", ("Rescaling",)),
    "EfficientNet": ("torch", "rgb", ("Rescaling", "Normalization", "Rescaling")),
    # Keras documents [-1, 1] for include_preprocessing=False, but the preprocessing
    # layers of B0 to B3 give `torch`.
    "EfficientNetV2B": ("torch", "rgb", ("Rescaling", "Normalization")),
    "EfficientNetV2": ("tf128", "rgb", ("Rescaling",)),
    "ConvNeXt": ("torch", "rgb", ("Normalization",)),
}

# name, family, native size, top-1, top-5. The accuracies are given by keras.io/api/applications,
# "Available models" (keras-team/keras-io, templates/api/applications/index.md), which has no top-5
# for ConvNeXt. The accuracies of MobileNetV3 are given by the docstring of MobileNetV3Large, which
# has no top-5 either. The sizes are the defaults of keras.applications.
_ROWS: tuple[tuple[str, str, int, float | None, float | None], ...] = (
    ("VGG16", "VGG", 224, 0.713, 0.901),
    ("VGG19", "VGG", 224, 0.713, 0.900),
    ("ResNet50", "ResNet", 224, 0.749, 0.921),
    ("ResNet101", "ResNet", 224, 0.764, 0.928),
    ("ResNet152", "ResNet", 224, 0.766, 0.931),
    ("ResNet50V2", "ResNetV2", 224, 0.760, 0.930),
    ("ResNet101V2", "ResNetV2", 224, 0.772, 0.938),
    ("ResNet152V2", "ResNetV2", 224, 0.780, 0.942),
    ("Xception", "Xception", 299, 0.790, 0.945),
    ("InceptionV3", "InceptionV3", 299, 0.779, 0.937),
    ("InceptionResNetV2", "InceptionResNetV2", 299, 0.803, 0.953),
    ("MobileNet", "MobileNet", 224, 0.704, 0.895),
    ("MobileNetV2", "MobileNetV2", 224, 0.713, 0.901),
    ("MobileNetV3Large", "MobileNetV3", 224, 0.756, None),
    ("MobileNetV3Small", "MobileNetV3", 224, 0.681, None),
    ("DenseNet121", "DenseNet", 224, 0.750, 0.923),
    ("DenseNet169", "DenseNet", 224, 0.762, 0.932),
    ("DenseNet201", "DenseNet", 224, 0.773, 0.936),
    ("NASNetMobile", "NASNet", 224, 0.744, 0.919),
    ("NASNetLarge", "NASNet", 331, 0.825, 0.960),
    ("EfficientNetB0", "EfficientNet", 224, 0.771, 0.933),
    ("EfficientNetB1", "EfficientNet", 240, 0.791, 0.944),
    ("EfficientNetB2", "EfficientNet", 260, 0.801, 0.949),
    ("EfficientNetB3", "EfficientNet", 300, 0.816, 0.957),
    ("EfficientNetB4", "EfficientNet", 380, 0.829, 0.964),
    ("EfficientNetB5", "EfficientNet", 456, 0.836, 0.967),
    ("EfficientNetB6", "EfficientNet", 528, 0.840, 0.968),
    ("EfficientNetB7", "EfficientNet", 600, 0.843, 0.970),
    ("EfficientNetV2B0", "EfficientNetV2B", 224, 0.787, 0.943),
    ("EfficientNetV2B1", "EfficientNetV2B", 240, 0.798, 0.950),
    ("EfficientNetV2B2", "EfficientNetV2B", 260, 0.805, 0.951),
    ("EfficientNetV2B3", "EfficientNetV2B", 300, 0.820, 0.958),
    ("EfficientNetV2S", "EfficientNetV2", 384, 0.839, 0.967),
    ("EfficientNetV2M", "EfficientNetV2", 480, 0.853, 0.974),
    ("EfficientNetV2L", "EfficientNetV2", 480, 0.857, 0.975),
    ("ConvNeXtTiny", "ConvNeXt", 224, 0.813, None),
    ("ConvNeXtSmall", "ConvNeXt", 224, 0.823, None),
    ("ConvNeXtBase", "ConvNeXt", 224, 0.853, None),
    ("ConvNeXtLarge", "ConvNeXt", 224, 0.863, None),
    ("ConvNeXtXLarge", "ConvNeXt", 224, 0.867, None),
)

ARCHITECTURES: dict[str, Architecture] = {
    name: Architecture(name, family, *_FAMILIES[family], size, top1, top5)
    for name, family, size, top1, top5 in _ROWS
}

# Written by `python tools/architecture_signatures.py`, from Keras 3.15.1.
# <signatures>
SIGNATURES: tuple[Signature, ...] = (
    Signature("VGG16", None, 13, "8f0b59b96bed", None),
    Signature("VGG19", None, 16, "03d1dffe4473", None),
    Signature("ResNet50", None, 53, "f444d893e4ad", "84b94c096381", ("ResNet101",)),
    Signature("ResNet101", None, 104, "4a296c4eea68", "455f75aa9edd"),
    Signature("ResNet152", None, 155, "1e5fc8f00bd9", "6afd37207674"),
    Signature("ResNet50V2", None, 53, "9dbe4cb899a5", "2865c1a8ebc6", ("ResNet101V2",)),
    Signature("ResNet101V2", None, 104, "ecea5f7a2aea", "d04b4d35e89c"),
    Signature("ResNet152V2", None, 155, "09ec6f457591", "e24e87498a49"),
    Signature("Xception", None, 40, "c5aaccbe78c0", "2ebbeb990e9c"),
    Signature("InceptionV3", None, 94, "dd253adb706b", "3d4df8243329"),
    Signature("InceptionResNetV2", None, 244, "1363cc647d5f", "c6497b374f89"),
    Signature("MobileNet", None, 27, "0354dde9f80c", "336da057c9d9"),
    Signature("MobileNetV2", None, 52, "5a5ce7504ca3", "31313778b3e8"),
    Signature("MobileNetV3Large", None, 62, "cbd100421e02", "746c142267f4"),
    Signature("MobileNetV3Small", None, 52, "43828d1c138f", "829fe67202cb"),
    Signature(
        "DenseNet121", None, 120, "b6c0ec22360a", "39865e5dd876", ("DenseNet169", "DenseNet201")
    ),
    Signature(
        "DenseNet169", None, 168, "0b24de90bde9", "d4e138900564", ("DenseNet121", "DenseNet201")
    ),
    Signature("DenseNet201", None, 200, "986b82ad4409", "16d5e70eb9e0", ("DenseNet169",)),
    Signature("NASNetMobile", None, 196, "25934f62b7a9", "fdee87b4fe02"),
    Signature("NASNetLarge", None, 268, "e096dce11d5c", "7aaa92b8af3c"),
    Signature("EfficientNetB0", None, 81, "b96908545259", "88441ea73124"),
    Signature("EfficientNetB1", None, 115, "bc6494b8c056", "5feda27b05c6"),
    Signature("EfficientNetB2", None, 115, "c90afd194696", "fc094290f7b7"),
    Signature("EfficientNetB3", None, 130, "30a74d332c21", "66f99da96610"),
    Signature("EfficientNetB4", None, 160, "1d1a416485ba", "a7f49e69f9f3"),
    Signature("EfficientNetB5", None, 194, "3a6dfcc147ae", "9a21495f2b98"),
    Signature("EfficientNetB6", None, 224, "2a3215e79068", "9b17dd9a3a78"),
    Signature("EfficientNetB7", None, 273, "1b3361d1273e", "42e07d676aaf"),
    Signature("EfficientNetV2B0", None, 91, "c43caa5491f8", "1b74814a85af"),
    Signature("EfficientNetV2B1", None, 111, "be113f9b8c13", "08dcea3b83a1"),
    Signature("EfficientNetV2B2", None, 116, "358271703e72", "123678b236a7"),
    Signature("EfficientNetV2B3", None, 136, "db09ad064eac", "3b6901d6743c"),
    Signature("EfficientNetV2S", None, 170, "99c8eb4d878d", "47dc00e6a785"),
    Signature("EfficientNetV2M", None, 245, "54dcb55b4979", "dafbcc0d8a66"),
    Signature("EfficientNetV2L", None, 339, "2e98b433dc79", "91c7a2bcb1bd"),
    Signature("ConvNeXtTiny", None, 22, "61ef6607f558", "054e59938a5a", ("ConvNeXtSmall",)),
    Signature("ConvNeXtSmall", None, 40, "06e72f07ba87", "1eabfdf56b36"),
    Signature("ConvNeXtBase", None, 40, "6f132cb8aa04", "5dfe245eff7b"),
    Signature("ConvNeXtLarge", None, 40, "1e15427ace68", "4cce2eace190"),
    Signature("ConvNeXtXLarge", None, 40, "7a5ff6904d45", "b2fb7754106d"),
    Signature("MobileNet", "width", 27, "d7954be7052d", "eab68c3b6239"),
    Signature("MobileNetV2", "width", 52, "5e4bd192690a", "4dd2a44625f7"),
    Signature("MobileNetV3Large", "width", 62, "22d00dc8762e", "09ecdce0531e"),
    Signature("MobileNetV3Small", "width", 52, "ec25ea913206", "1263e633c0cc"),
    Signature("MobileNetV3Large", "minimalistic", 46, "1152cf40b901", "3c7c2c1bacef"),
    Signature("MobileNetV3Small", "minimalistic", 34, "459075aff9fb", "caa590525c4f"),
    Signature("NASNetMobile", "any-size", 191, "d85b253d56bd", "502ee137398b"),
    Signature("NASNetLarge", "any-size", 263, "9bf23106e6b6", "186c2294507f"),
)
# </signatures>

"""Planted causes of an accuracy gap, for data that are right otherwise.

An oracle can undo the causes in `EXACT` exactly.
"""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from keras_shiftguard.conventions import MODES

RARE = 0.4  # share of the samples of a rarer class that is kept
SWAPPED = (5, 7)  # classes: sandal and sneaker in Fashion-MNIST, and the digits 5 and 7
RANGES = ("unit", "raw", "twice")
COLOUR_RANGES = ("unit", "raw", "twice", "torch", "caffe")
SCENES = ("darker", "blurred", "noisy")
EXACT = ("range", "order", "size", "classes")
NAMES = {
    "range": "preprocessing",
    "order": "channel order",
    "size": "resolution and crop",
    "classes": "label shift",
    "scene": "covariate shift",
    "labels": "concept shift",
}


@dataclass(frozen=True)
class Plant:
    """Set of planted causes: `kinds` maps the name of each cause to its variant.

    The cause `scene` changes the files, `labels` the labels, and `classes` the frequencies of the
    classes. The causes `size`, `order` and `range` change the pipeline.
    """

    kinds: dict[str, str] = field(default_factory=dict)

    def scene(self, images):
        return _scene(images, self.kinds.get("scene"))

    def fed(self, images, without=()):
        """Returns raw images as the faulty pipeline feeds them, but without some causes."""
        kinds = {cause: kind for cause, kind in self.kinds.items() if cause not in without}
        if "size" in kinds:
            images = np.stack([_small(image, kinds["size"]) for image in images])
        if "order" in kinds:
            images = images[..., ::-1]
        return _in_range(images, kinds.get("range", "tf"))

    def labels(self, labels):
        if "labels" not in self.kinds:
            return labels
        a, b = SWAPPED
        return np.where(labels == a, b, np.where(labels == b, a, labels))

    def frequencies(self, classes):
        """Returns the share of each class that is kept."""
        keep = np.ones(classes)
        if "classes" in self.kinds:
            keep[[int(c) for c in self.kinds["classes"].split()]] = RARE
        return keep

    def __str__(self):
        return " + ".join(
            f"{cause} ({kind})" if cause != "classes" else "half of the classes rarer"
            for cause, kind in self.kinds.items()
        )


def draw(seed, colour):
    """Draws one to three causes by seed."""
    rng = np.random.default_rng(seed)
    causes = ["range", "size", "scene"] + (["order"] if colour else ["classes", "labels"])
    chosen = rng.permutation(causes)[: 1 + seed % 3]
    kinds = {}
    for cause in chosen:
        if cause == "range":
            kinds[cause] = str(rng.choice(COLOUR_RANGES if colour else RANGES))
        elif cause == "size":
            kinds[cause] = str(rng.choice(["nearest", "bilinear"]))
        elif cause == "scene":
            kinds[cause] = str(rng.choice(SCENES))
        elif cause == "classes":
            kinds[cause] = " ".join(map(str, sorted(rng.permutation(10)[:5])))
        else:
            kinds[cause] = {"order": "BGR", "labels": "two classes swapped"}[cause]
    return Plant(kinds)


def _in_range(images, kind):
    steps = ("unit", "tf") if kind == "twice" else (kind,)
    x = images.astype("float32")
    for mode in steps:
        scale, offset = (np.asarray(v, "float32") for v in MODES[mode])
        if images.shape[-1] == 1:
            scale, offset = scale.mean(), offset.mean()
        x = x * scale + offset
    return x.astype("float32")


def _small(image, filter_):
    """Shrinks an image to 3/7 of its size without antialiasing, and enlarges it again."""
    side = image.shape[0]
    kind = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}[filter_]
    small = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    small = small.resize((side * 3 // 7,) * 2, kind).resize((side, side), kind)
    return np.asarray(small).reshape(image.shape)


def _scene(images, kind):
    if kind is None:
        return images
    large = images.shape[1] > 100
    if kind == "darker":
        return np.round(images * (0.05 if large else 0.4)).astype("uint8")
    if kind == "noisy":
        noise = np.random.default_rng(1).normal(0, 60 if large else 50, images.shape)
        return np.clip(images + noise, 0, 255).round().astype("uint8")
    blur = ImageFilter.GaussianBlur(3 if large else 1.2)
    flat = images[..., 0] if images.shape[-1] == 1 else images
    blurred = [np.asarray(Image.fromarray(image).filter(blur)) for image in flat]
    return np.stack(blurred).reshape(images.shape)

"""InceptionV3 of others, all of it trained on [0, 1]; see `nsfw_mobilenet_v2.py`."""

from nsfw_mobilenet_v2 import build as _build

SIZE, TRUE, HAS_BN, CLASSES = 299, ("unit", "rgb"), True, True


def build():
    return _build("inception_v3")

"""Networks of `keras.applications` and models around them, and the answer of their structure."""

import keras
import numpy as np
from keras import layers

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

RAW, TF, CAFFE = (InputConvention(*c) for c in (("raw",), ("tf",), ("caffe", "bgr")))
SHAPE = (96, 96, 3)
ZEROS = np.zeros((1, *SHAPE), "float32")


def trunk(name, **options):
    options = {"weights": None, "include_top": False, "input_shape": SHAPE, **options}
    return getattr(keras.applications, name)(**options)


def head(x):
    return layers.Dense(3)(x)


def to_tf(x):
    return layers.Rescaling(1 / 127.5, -1)(x)


def one(model):
    (answer,) = expect_from_structure(model)
    return answer


def behind(network, front, shape=SHAPE):
    """Returns the answer for a classifier on a network with something in front."""
    images = keras.Input(shape)
    return one(keras.Model(images, head(network(front(images)))))


def trained(layer):
    layer.bias.assign(layer.bias + 0.1)


def small(*tail):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *tail])

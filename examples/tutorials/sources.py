"""Data of the tutorials: from packages that are installed anyway, or generated as described."""

import ast
import re
import sysconfig
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np


def split(x, y, count):
    """Returns training and validation: the first `count` samples, and the others."""
    if isinstance(x, dict):
        parts = [{name: column[at] for name, column in x.items()}
                 for at in (slice(count), slice(count, None))]  # fmt: skip
    else:
        parts = [x[:count], x[count:]]
    return (parts[0], y[:count]), (parts[1], y[count:])


@cache
def _fashion():
    from fashion import fashion_mnist

    return fashion_mnist()


def fashion(count, seed=0):
    """Returns images of Fashion-MNIST, float32 in [0, 1], and their classes."""
    x, y = _fashion()
    chosen = np.random.default_rng(seed).permutation(len(x))[:count]
    return x[chosen].astype("float32") / 255, y[chosen].astype("int32")


def digits(count, seed=0):
    """Returns handwritten digits, float32 in [0, 1], and their classes."""
    from digits import mnist

    x, y = mnist()
    chosen = np.random.default_rng(seed).permutation(len(x))[:count]
    return x[chosen], y[chosen]


def photo_crops(names, count, size, seed=0, side=512):
    """Returns crops of photos, uint8 RGB, and which photo each is from.

    The left two thirds of a photo are for the first three quarters of the samples, the rest is
    for the others, so that a split in order has no pixel in both parts.
    """
    from photos import odd_photos

    photos, random = odd_photos(side), np.random.default_rng(seed)
    y = np.arange(count) % len(names)
    random.shuffle(y)
    crops = []
    for i, label in enumerate(y):
        edge = 2 * side // 3
        low, high = (0, edge - size) if i < 3 * count // 4 else (edge, side - size)
        left, top = random.integers(low, high + 1), random.integers(0, side - size + 1)
        crops.append(photos[names[label]][top : top + size, left : left + size])
    return np.stack(crops), y.astype("int32")


PARTS = ("asyncio", "email", "idlelib", "importlib", "logging", "tkinter", "unittest", "xml")


@cache
def docstrings():
    """Returns docstrings of Python's library, and the part of the library each is from."""
    pairs = []
    for label, part in enumerate(PARTS):
        folder = Path(sysconfig.get_paths()["stdlib"]) / part
        for file in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    text = ast.get_docstring(node) or ""
                    if len(text.split()) >= 6:
                        pairs.append((text, label))
    order = np.random.default_rng(0).permutation(len(pairs))
    return [pairs[i][0] for i in order], np.asarray([pairs[i][1] for i in order], "int32")


def word_ids(texts, vocabulary_of, size, length):
    """Returns ids of words `(texts, length)`: 0 is padding, 1 an unknown word."""
    split_words = [re.findall(r"[a-z]+", text.lower()) for text in texts]
    counted = Counter(word for words in split_words[:vocabulary_of] for word in words)
    ids = {word: 2 + i for i, (word, _) in enumerate(counted.most_common(size - 2))}
    rows = [[ids.get(word, 1) for word in words][:length] for words in split_words]
    return np.asarray([row + [0] * (length - len(row)) for row in rows], "int32")

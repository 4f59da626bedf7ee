"""Recommendation with two id inputs: does a file of the installed packages import a module?

The imports are real: files of the packages beside this Python, and what they import. As many pairs
that do not occur are drawn, with modules as frequent as in the true pairs.
"""

import ast
import sysconfig
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "recommendation"


def imports():
    """Returns pairs of a file and a module that it imports, as ids."""
    pairs = []
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*/*.py"))[:900]:
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                pairs += [(str(file), name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                pairs += [(str(file), node.module)]
    pairs = sorted(set(pairs))
    modules = [name for name, n in Counter(module for _, module in pairs).items() if n > 3]
    files = [name for name, n in Counter(file for file, _ in pairs).items() if n > 3]
    modules, files = ({name: i for i, name in enumerate(names)} for names in (modules, files))
    found = [(files[f], modules[m]) for f, m in pairs if f in files and m in modules]
    return np.asarray(found, "int32"), len(files), len(modules)


def build(seed):
    true, files, modules = imports()
    random, known = np.random.default_rng(seed), {tuple(pair) for pair in true.tolist()}
    false = np.column_stack([random.permutation(true[:, 0]), random.permutation(true[:, 1])])
    false = np.asarray([pair for pair in false.tolist() if tuple(pair) not in known], "int32")
    pairs, y = np.concatenate([true, false]), np.repeat([1.0, 0.0], [len(true), len(false)])
    order = random.permutation(len(y))
    x = {"file": pairs[order, :1], "module": pairs[order, 1:]}
    train, validation = sources.split(x, y[order].astype("float32"), int(0.8 * len(y)))
    inputs = {name: keras.Input((1,), dtype="int32", name=name) for name in x}
    near = [
        layers.Flatten()(layers.Embedding(size, 16, embeddings_regularizer="l2")(inputs[name]))
        for name, size in (("file", files), ("module", modules))
    ]
    hidden = layers.Dense(32, activation="relu")(
        layers.Concatenate()([*near, layers.Multiply()(near)])
    )
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.recoded("module", modules),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
        mistakes.class_mix(lambda y: (y == 1) | (np.arange(len(y)) % 5 == 0)),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 8}, mistakes=planted)

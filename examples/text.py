"""Text as token ids: a server looks up the ids of words without converting them to lower case.

    python examples/text.py

The task of the model: from which part of Python's library does a docstring come? The texts are the
docstrings of the Python that runs this script.
"""

import ast
import re
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import keras
import numpy as np

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS = 5 if SMALL else 40
PARTS = ("asyncio", "email", "importlib", "multiprocessing", "unittest", "xml")
LENGTH, WORDS = 32, 1500


def docstrings(part):
    for file in sorted((Path(sysconfig.get_paths()["stdlib"]) / part).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                if len((ast.get_docstring(node) or "").split()) >= 6:
                    yield ast.get_docstring(node)


pairs = [(text, i) for i, part in enumerate(PARTS) for text in docstrings(part)]
order = np.random.default_rng(0).permutation(len(pairs))
texts, labels = [pairs[i][0] for i in order], np.asarray([pairs[i][1] for i in order])
half, later = len(texts) // 2, 3 * len(texts) // 4


def words(text):
    return re.findall(r"[A-Za-z]+", text)


counted = Counter(word for text in texts[:half] for word in words(text.lower()))
ids = {word: 2 + i for i, (word, _) in enumerate(counted.most_common(WORDS))}


def tokens(texts):
    """Returns token ids `(texts, 32)`: 0 is padding, 1 is a word outside the vocabulary."""
    rows = [[ids.get(word, 1) for word in words(text)][:LENGTH] for text in texts]
    return np.asarray([row + [0] * (LENGTH - len(row)) for row in rows], "int32")


keras.utils.set_random_seed(0)
layers = [keras.layers.Embedding(WORDS + 2, 32), keras.layers.GlobalMaxPooling1D()]
model = keras.Sequential([*layers, keras.layers.Dense(len(PARTS), activation="softmax")])
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
train = tokens([text.lower() for text in texts[:half]])
model.fit(train, labels[:half], epochs=EPOCHS, verbose=0)

# The reference texts must not be the texts from which the vocabulary was made, because in those
# texts fewer words are unknown than in new texts.
reference = sg.profile(tokens([text.lower() for text in texts[half:later]]))
right, wrong = tokens([text.lower() for text in texts[later:]]), tokens(texts[later:])
for name, x in (("as in training", right), ("not lowered", wrong)):
    accuracy = model.evaluate(x, labels[later:], verbose=0)[1]
    print(f"{len(x)} new docstrings, {name}: accuracy {accuracy:.1%}, ", end="")
    print(f"{np.mean(x[x > 0] == 1):.0%} of the words unknown")
    print(f"{sg.compare(reference, x)}\n")

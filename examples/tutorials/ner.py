"""Named entities: what is each word of a line of Python's library: the name of a function that is
defined, of a parameter, a call, an attribute, a keyword, or something else?

Words are those of the tokenizer of Python; its grammar tells the classes, so that a word such as
`name` has another class in another place.
"""

import keyword
import re
import sysconfig
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "sequence tagging"
WORDS, LENGTH = 1500, 20
OTHER, DEFINED, PARAMETER, CALL, ATTRIBUTE, KEYWORD = range(1, 7)


@keras.saving.register_keras_serializable(package="tutorials")
def masked_accuracy(y, answers):
    """Returns the share of the words that are right, without padding."""
    y, answers = ops.cast(y, "int32"), ops.cast(ops.argmax(answers, axis=-1), "int32")
    words = ops.cast(y > 0, "float32")
    return ops.sum(words * ops.cast(y == answers, "float32")) / ops.sum(words)


def tagged(line):
    """Returns the words of a line, and the class of each."""
    words = re.findall(r"\w+|[^\w\s]", line)
    tags, is_definition = [], words[:1] == ["def"]
    for i, word in enumerate(words):
        before, after = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
        if keyword.iskeyword(word):
            tags.append(KEYWORD)
        elif not word.isidentifier():
            tags.append(OTHER)
        elif before in ("def", "class"):
            tags.append(DEFINED)
        elif is_definition and before in ("(", ","):
            tags.append(PARAMETER)
        elif after == "(":
            tags.append(CALL)
        else:
            tags.append(ATTRIBUTE if before == "." else OTHER)
    return words, tags


def lines(count, seed):
    folder, texts = Path(sysconfig.get_paths()["stdlib"]), []
    for part in ("email", "asyncio", "unittest"):
        for file in sorted((folder / part).rglob("*.py")):
            texts += file.read_text(encoding="utf-8").splitlines()
    texts = [text for text in texts if len(text.split()) > 2 and "#" not in text]
    chosen = np.random.default_rng(seed).permutation(len(texts))[:count]
    return [tagged(texts[i]) for i in chosen]


def build(seed):
    pairs = lines(4000, seed)
    counted = Counter(word for words, _ in pairs[:3000] for word in words)
    ids = {word: i + 2 for i, (word, _) in enumerate(counted.most_common(WORDS - 2))}
    x, y = np.zeros((2, len(pairs), LENGTH), "int32")
    for i, (words, tags) in enumerate(pairs):
        x[i, : len(words)] = [ids.get(word, 1) for word in words[:LENGTH]]
        y[i, : len(tags)] = tags[:LENGTH]
    train, validation = sources.split(x, y, 3000)
    inputs = keras.Input((None,), dtype="int32")
    hidden = layers.Embedding(WORDS, 32)(inputs)
    hidden = layers.Conv1D(48, 3, padding="same", activation="relu")(hidden)
    hidden = layers.Conv1D(48, 3, padding="same", activation="relu")(layers.Dropout(0.2)(hidden))
    model = keras.Model(inputs, layers.Dense(7)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=[masked_accuracy])
    moved = lambda x, y: (x, np.roll(y, 1, axis=1))  # noqa: E731
    planted = (
        mistakes.other_vocabulary(size=WORDS),
        mistakes.unknown_words(),
        Mistake("tags one word late", moved, "label|tag|target", "label|tag|target|align"),
        mistakes.padded_before(),
        mistakes.labels_shifted(),
    )
    fit = {"batch_size": 32, "epochs": 4}
    return Tutorial(model, train, validation, fit, "masked_accuracy", planted)

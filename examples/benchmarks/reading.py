"""Reading benchmark: does a stranger read state, cause, since, cost and next step of a verdict?

    python examples/benchmarks/reading.py > verdicts.txt
    python examples/benchmarks/reading.py --truth

Twelve fits, none of which the verdict was made on: another network, a table with names, a
regression, a segmentation, texts, a series, two faults at once, a fault that is corrected, an
adaptation that may help and one that cannot, a right network from scratch and a right head. The
first command prints what the terminal shows at the end of each. A reader who knows nothing else
answers five questions about each; the second command prints the answers.
"""

import argparse
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_breast_cancer, load_diabetes
from tutorials import sources

import keras_shiftguard as sg


def model_of(inputs, outputs, loss="sparse_categorical_crossentropy", rate=3e-3):
    model = keras.Model(inputs, outputs)
    metrics = ["accuracy"] if "crossentropy" in loss else ["mae"]
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    return model


def digit_network(side=28):
    x = inputs = keras.Input((side, side, 1))
    for width in (16, 32):
        y = layers.Conv2D(width, 3, strides=2, padding="same")(x)
        y = layers.Activation("swish")(layers.GroupNormalization(4)(y))
        x = layers.Add()([layers.Conv2D(width, 3, padding="same")(y), y])
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x))
    return model_of(inputs, outputs)


def fit(model, train, validation, epochs=5, **arguments):
    guard = sg.ShiftGuard(on_shift="ignore", **arguments)
    model.fit(*train, validation_data=validation, epochs=epochs, verbose=0, callbacks=[guard])
    return guard


def numbers(count=3500, train=2500, seed=3):
    x, y = sources.digits(count, seed)
    x = x.reshape(-1, 28, 28, 1)
    return (x[:train], y[:train]), (x[train:], y[train:])


def another_network():
    train, (x, y) = numbers()
    fit(digit_network(), train, (1 - x, y))


def table_with_names():
    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = ((data.data - data.data.mean(0)) / data.data.std(0))[order].astype("float32")
    y, names = data.target[order], ["radius", "texture", "perimeter", "area", "smoothness"]
    columns = {name: x[:, i] for i, name in enumerate(names)}
    inputs = {name: keras.Input((1,), name=name) for name in names}
    hidden = layers.Dense(16, "relu")(layers.Concatenate()(list(inputs.values())))
    model = model_of(inputs, layers.Dense(2, "softmax")(hidden), rate=0.02)
    train = {name: column[:350, None] for name, column in columns.items()}, y[:350]
    validation = {name: column[350:, None] for name, column in columns.items()}
    validation["texture"] = validation["texture"] * 25.4
    fit(model, train, (validation, y[350:]), 12)


def regression():
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (20 * x[order]).astype("float32"), ((y[order] - 152) / 77).astype("float32")
    inputs = keras.Input((10,))
    model = model_of(inputs, layers.Dense(1)(layers.Dense(8, "relu")(inputs)), "mse", 0.01)
    other = x[242:].copy()
    other[:, [2, 9]] = np.where(np.arange(200)[:, None] % 4 == 0, -9.0, other[:, [2, 9]])
    fit(model, (x[:242], y[:242]), (other, y[242:]), 25)


def segmentation():
    (x, _), (v, _) = numbers(1600, 1100)
    masks, other = (x > 0.4).astype("float32"), (v > 0.4).astype("float32")
    inputs = keras.Input((28, 28, 1))
    hidden = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(hidden)
    fit(model_of(inputs, outputs, "binary_crossentropy"), (x, masks), (np.roll(v, 3, 2), other), 6)


def texts():
    """Which half of an alphabet a row of letters is from; validation was numbered by two more."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 3000)
    x = 2 + 30 * y[:, None] * (rng.random((3000, 20)) < 0.3) + rng.integers(0, 30, (3000, 20))
    x = np.where(np.arange(20) < rng.integers(8, 21, 3000)[:, None], x, 0).astype("int32")
    inputs = keras.Input((20,), dtype="int32")
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(100, 8)(inputs))
    model = model_of(inputs, layers.Dense(3, "softmax")(hidden), rate=0.01)
    other = np.where(x[2000:] > 0, x[2000:] + 2, 0).astype("int32")
    fit(model, (x[:2000], y[:2000]), (other, y[2000:]), 6)


def series():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 2400)
    time = np.arange(48)[None]
    x = np.sin(time * (0.3 + 0.2 * y[:, None]) + rng.uniform(0, 6, (2400, 1)))
    x = np.stack([x, np.abs(x) + 0.2 * rng.normal(size=x.shape)], axis=-1).astype("float32")
    inputs = keras.Input((48, 2))
    hidden = layers.GlobalAveragePooling1D()(layers.Conv1D(16, 7, activation="relu")(inputs))
    model = model_of(inputs, layers.Dense(3, "softmax")(hidden), rate=0.01)
    fit(model, (x[:1600], y[:1600]), (x[1600:, :, ::-1].copy(), y[1600:]), 6)


def two_faults():
    train, (x, y) = numbers()
    exchanged = np.where(y == 4, 9, np.where(y == 9, 4, y))
    fit(digit_network(), train, (x[:, ::-1].copy(), exchanged))


def corrected():
    train, validation = numbers()
    train, validation = ((255 * x, y) for x, y in (train, validation))
    fit(digit_network(), train, validation, 3, expects="tf", on_mismatch="fix")


def adaptation_that_may_help():
    with_batch_norm(lambda x: 0.3 * x)


def adaptation_that_cannot():
    with_batch_norm(lambda x: x)


def with_batch_norm(change):
    train, validation = numbers()
    inputs = keras.Input((28, 28, 1))
    hidden = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 5, 2)(inputs)))
    hidden = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 3, 2)(hidden)))
    outputs = layers.Dense(10, "softmax")(layers.Flatten()(hidden))
    target = change(sources.digits(1200, 9)[0].reshape(-1, 28, 28, 1))
    model = model_of(inputs, outputs)
    fit(model, train, validation, 4, adapt="batch_norm", target_data=target)


def healthy_from_scratch():
    x, y = sources.fashion(3000, 5)
    x = x.reshape(-1, 28, 28, 1)
    fit(digit_network(), (x[:2000], y[:2000]), (x[2000:], y[2000:]))


def healthy_head():
    train, _ = numbers(3000, 2000, seed=11)
    body = digit_network()
    body.fit(*train, epochs=2, verbose=0)
    body.trainable = False
    x, y = sources.fashion(2400, 6)
    x = x.reshape(-1, 28, 28, 1)
    outputs = layers.Dense(10, "softmax")(body.layers[-2].output)
    model = model_of(body.inputs, outputs)
    fit(model, (x[:1600], y[:1600]), (x[1600:], y[1600:]), 6)


RUNS = {
    another_network: "act; images of validation inverted; 1; most of the accuracy; invert them",
    table_with_names: "act; column texture times 25.4; 1; a cost; divide it by 25.4",
    regression: "act; two columns filled with -9 in a quarter of the rows; 1; a cost; fill alike",
    segmentation: "act; images moved 3 pixels against masks; 1; a cost; move them back",
    texts: "act; token ids higher by 2; 1; a cost; subtract 2",
    series: "act; the two channels exchanged; 1; a cost; exchange them",
    two_faults: "act; upside down, and labels 4 and 9 exchanged; 1; a cost; flip, and exchange",
    corrected: "corrected; fed 0..255, expects -1..1; 1; nothing inside fit; apply to the model",
    adaptation_that_may_help: "fine or look; adaptation to darker images; -; -; -",
    adaptation_that_cannot: "fine or look; adaptation changed nothing; -; -; -",
    healthy_from_scratch: "fine; alike; -; -; nothing",
    healthy_head: "fine; alike; -; -; nothing",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--truth", action="store_true", help="print the answers, and run nothing")
    parser.add_argument("--only", nargs="+", type=int, help="numbers of the runs")
    options = parser.parse_args()
    for number, (run, truth) in enumerate(RUNS.items(), 1):
        if options.only and number not in options.only:
            continue
        print(f"--- run {number}", flush=True)
        if options.truth:
            print(truth)
            continue
        shown = StringIO()
        with redirect_stdout(shown), redirect_stderr(StringIO()):
            keras.utils.set_random_seed(0)
            run()
        print(shown.getvalue().strip(), flush=True)


if __name__ == "__main__":
    main()

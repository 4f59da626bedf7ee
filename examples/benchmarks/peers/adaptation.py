"""The library adapt 0.4.5 on the tasks of `../adaptation.py`: same data, network and epochs.

    examples/benchmarks/peers/setup_adapt DIR
    DIR/bin/python examples/benchmarks/peers/adaptation.py mnist-uci [--seeds 5]

The encoder is the network up to the layer `features`. The task network is the rest, with a softmax
on the outputs, which CDAN needs. Each method has the library's defaults, and `dann` is also run
with the strength 1 of the paper. Adam at 0.001 trains all parts, as on our side.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from adapt.feature_based import CDAN, DANN, DeepCORAL
from adaptation_data import TASKS

METHODS = {
    "dann (0.1)": lambda **kw: DANN(lambda_=0.1, **kw),
    "dann (1)": lambda **kw: DANN(lambda_=1.0, **kw),
    "cdan": lambda **kw: CDAN(**kw),
    "coral": lambda **kw: DeepCORAL(**kw),
}


def adapted(make, seed, task):
    """Returns the accuracy on the test part of the target."""
    keras.utils.set_random_seed(seed)
    (x, y), (test_x, test_y) = task.source, task.test
    layers = task.network().layers
    encoder = keras.Sequential([keras.Input(x.shape[1:]), *layers[:-1]])
    classes = layers[-1].units
    head = keras.Sequential([keras.Input((layers[-2].units,)), layers[-1], keras.layers.Softmax()])
    model = make(
        encoder=encoder, task=head, Xt=task.target[0], loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(1e-3), verbose=0, random_state=seed,
    )  # fmt: skip
    labels = np.eye(classes, dtype="float32")[y]
    model.fit(x, labels, epochs=task.epochs, batch_size=task.batch)
    answers = np.asarray(model.predict(test_x)).argmax(axis=1)
    return float((answers == test_y).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    arguments = parser.parse_args()
    print(f"adapt 0.4.5, {arguments.task}")
    print(f"{'method':<12} {'mean':>6} {'sd':>6} {'worst':>6}  each seed")
    for name in arguments.methods:
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        scores = np.array([adapted(METHODS[name], s, TASKS[arguments.task](s)) for s in seeds])
        print(
            f"{name:<12} {scores.mean():6.3f} {scores.std(ddof=min(1, len(scores) - 1)):6.3f} "
            f"{scores.min():6.3f}  {' '.join(f'{s:.3f}' for s in scores)}",
            flush=True,
        )


if __name__ == "__main__":
    main()

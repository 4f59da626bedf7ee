"""adapt 0.4.5 on the tasks of `../adaptation.py`: the same data, network, epochs, batches.

    examples/benchmarks/peers/setup_adapt DIR
    DIR/bin/python examples/benchmarks/peers/adaptation.py digits [--epochs 30] [--seeds 5]
    DIR/bin/python examples/benchmarks/peers/adaptation.py moons --angle 35

The encoder is the network up to `features`. The task is the rest of it, with a softmax on its
outputs, which CDAN needs. Each method has the library's defaults, and `dann` is also run with
the strength 1 of the paper. Adam at 0.001 trains all parts, as on our side. The column `cpu/ep`
holds the CPU seconds of an epoch, with tracing.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from adapt.feature_based import CDAN, DANN, DeepCORAL
from adaptation_data import digits, lenet, moons, small_net

METHODS = {
    "dann (0.1)": lambda **kw: DANN(lambda_=0.1, **kw),
    "dann (1)": lambda **kw: DANN(lambda_=1.0, **kw),
    "cdan": lambda **kw: CDAN(**kw),
    "coral": lambda **kw: DeepCORAL(**kw),
}


def adapted(make, seed, task, net, epochs, batch_size):
    keras.utils.set_random_seed(seed)
    (x, y), _, target, (test_x, test_y) = task
    layers = net().layers
    encoder = keras.Sequential([keras.Input(x.shape[1:]), *layers[:-1]])
    classes = layers[-1].units
    head = keras.Sequential([keras.Input((layers[-2].units,)), layers[-1], keras.layers.Softmax()])
    model = make(
        encoder=encoder, task=head, Xt=target, loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(1e-3), verbose=0, random_state=seed,
    )  # fmt: skip
    start = time.process_time()
    model.fit(x, np.eye(classes, dtype="float32")[y], epochs=epochs, batch_size=batch_size)
    seconds = (time.process_time() - start) / epochs
    answers = np.asarray(model.predict(test_x)).argmax(axis=1)
    return float((answers == test_y).mean()), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=["digits", "label-shift", "moons"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--angle", type=int, default=35)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    arguments = parser.parse_args()
    is_moons = arguments.table == "moons"
    epochs = arguments.epochs or (150 if is_moons else 30)
    print(f"adapt 0.4.5, {arguments.table}, {epochs} epochs")
    print(f"{'method':<12} {'mean':>6} {'sd':>6} {'worst':>6} {'cpu/ep':>8}  each seed")
    for name in arguments.methods:
        rows = []
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            if is_moons:
                task, net, batch = moons(seed, arguments.angle), small_net, 64
            else:
                task, net, batch = digits(seed, arguments.table == "label-shift"), lenet, 100
            rows.append(adapted(METHODS[name], seed, task, net, epochs, batch))
        scores, seconds = np.array(rows).T
        print(
            f"{name:<12} {scores.mean():6.3f} {scores.std(ddof=min(1, len(rows) - 1)):6.3f} "
            f"{scores.min():6.3f} {seconds.mean():8.2f}  {' '.join(f'{s:.3f}' for s in scores)}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Strong view benchmark: does AdaMatch gain if its strong view is widened towards the target?

    KERAS_BACKEND=torch python examples/benchmarks/strong_view.py [--tasks uci-mnist] [--seeds 2]

Two strong views are compared, both made by an `AdaptiveAugmentation` layer. `fixed` has the
strengths of `Views`. `widened` has at least those, and the strengths that
`ShiftGuard(target_data=..., adapt=True)` chooses for the same source and target. The figures are
accuracies on the target. No label of the target is used.
"""

import argparse

import keras
import numpy as np
from adaptation import optimizer_of
from adaptation_data import TASKS

import keras_shiftguard as sg
from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.domains.views import STRONG_IMAGE

EPOCHS = 6  # in which the guard chooses its strengths
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def measured_strengths(task):
    """Returns the strengths that the guard chooses, by the name of the operation."""
    guard = sg.ShiftGuard(
        target_data=task.target[0], adapt=True, on_shift="ignore", on_mismatch="ignore", verbose=0
    )
    model = task.network()
    model.compile("adam", LOSS)
    model.fit(*task.source, batch_size=task.batch, epochs=EPOCHS, callbacks=[guard], verbose=0)
    return guard.augmentation.strengths


def accuracy(task, seed, strengths):
    """Returns the accuracy on the target after AdaMatch, whose strong view has these strengths."""
    keras.utils.set_random_seed(seed)
    model = task.network()
    layer = AdaptiveAugmentation(value_range=(0, 1), seed=seed)
    layer.build((None, *model.input_shape[1:]))
    layer.set_strengths({k: v for k, v in strengths.items() if k in layer.bank.names})
    adapted = sg.DomainAdaptationModel(model, "features", "adamatch", augmentation=layer, verbose=0)
    adapted.compile(optimizer_of("adamatch", 0), LOSS, metrics=["accuracy"])
    adapted.fit(
        *task.source, target_data=task.target[0], validation_data=task.validation,
        epochs=task.epochs, batch_size=task.batch, verbose=0,
    )  # fmt: skip
    x, y = task.test
    return float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = ["uci-mnist", "mnist-thick", "mnist-uci", "fashion-coarse"]
    parser.add_argument("--tasks", nargs="+", default=tasks, choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    print("| task | seed | fixed | widened | widened operations |\n|---|---|---|---|---|")
    for name in options.tasks:
        for seed in range(options.seeds):
            task = TASKS[name](seed)
            keras.utils.set_random_seed(seed)
            found = measured_strengths(task)
            wide = {k: max(v, STRONG_IMAGE.get(k, 0.0)) for k, v in found.items()} | {
                k: v for k, v in STRONG_IMAGE.items() if k not in found
            }
            more = {k: v for k, v in wide.items() if v > STRONG_IMAGE.get(k, 0.0)}
            cells = [accuracy(task, seed, strengths) for strengths in (STRONG_IMAGE, wide)]
            words = ", ".join(f"{k} {v:.2f}" for k, v in more.items())
            figures = " | ".join(f"{np.round(cell, 3):.3f}" for cell in cells)
            print(f"| {name} | {seed} | {figures} | {words} |", flush=True)


if __name__ == "__main__":
    main()

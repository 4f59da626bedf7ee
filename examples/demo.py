"""Demo: a wrong preprocessing step, its diagnosis and its repair.

    make demo

A pretrained network expects images in B, G, R order, 0..255, minus the ImageNet mean. That is
Keras's `caffe` convention, as for ResNet50 and VGG. A tutorial says
`ImageDataGenerator(rescale=1 / 255)`. Everything runs, nothing warns, and the accuracy stays
low. In this demo `diagnose` says why, from a few images and before any training. Then the same
`fit` runs twice with the mistake in it: without a guard, and with
`ShiftGuard(on_mismatch="fix")`, which repairs the input inside `fit`.

The photos (ImageNet, from foolbox) and the weights of the network (EfficientNet-Lite0, trained
on ImageNet) are real. One thing is arranged: the first convolution and the batch norm behind it are
changed so that the network expects the `caffe` convention instead of its own. On images in that
convention, its answers are the same as before, except for a small difference at the image border
(see `lite0.py`). The task is small, since there are twenty photos: from which photo was a crop cut?
Training and validation crops come from opposite halves of each photo and never overlap.
"""

# ruff: noqa: E402 (Keras is imported first, with its output silenced)

import time

START = time.time()  # the imports below take some seconds

import argparse
import contextlib
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Silences standard error, where TensorFlow writes on import in spite of its log level."""
    terminal = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with silence():
    import keras

import lite0
import numpy as np
from demo_photos import SIZE, cut_photos, feed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import keras_shiftguard as sg

WANTED = sg.InputConvention("caffe", "bgr")
MISTAKE = "rescale=1/255"
# Both runs make the mistake.
RUNS = {
    "alone": "no guard",
    "repaired": 'ShiftGuard(on_mismatch="fix")',
}


def classifier(backbone: keras.Model, num_classes: int) -> keras.Model:
    """Returns a model for transfer learning: a frozen backbone and a new head."""
    inputs = keras.Input((SIZE, SIZE, 3))
    outputs = keras.layers.Dense(num_classes, activation="softmax")(backbone(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


class Bar(keras.callbacks.Callback):
    """Callback that advances a progress bar by one for each training and validation batch."""

    def __init__(self, progress: Progress, total: int) -> None:
        super().__init__()
        self.progress, self.task = progress, progress.add_task("training", total=total)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.progress.advance(self.task)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.progress.advance(self.task)


def train(
    model: keras.Model, folder: Path, seed: int, epochs: int, guard: sg.ShiftGuard | None
) -> float:
    """Runs one `fit`, with or without a guard; returns its validation accuracy."""
    images = feed(folder / "train", True, seed)
    held_out = feed(folder / "validation", False, seed)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(file=sys.stdout)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = Bar(progress, epochs * (len(images) + len(held_out)))
        history = model.fit(
            images,
            validation_data=held_out,
            epochs=epochs,
            callbacks=[bar] if guard is None else [guard, bar],
            verbose=0,
        )
    return history.history["val_accuracy"][-1]


def is_right(diagnosis: sg.Diagnosis) -> bool:
    """Returns whether the verdict names the mistake that was made here."""
    expected, observed = diagnosis.expected, diagnosis.observed
    return (
        diagnosis.status == "mismatch"
        and (expected.mode, expected.channel_order) == ("caffe", "bgr")
        and (observed.mode, observed.channel_order) == ("unit", "rgb")
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the demo and returns the exit status: 0 if every verdict was right."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1, help="3: with mean and deviation")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--train-crops", type=int, default=5, help="of each photo")
    parser.add_argument("--validation-crops", type=int, default=3, help="of each photo")
    parser.add_argument("--log-dir", type=Path, default=Path("logs/demo"))
    parser.add_argument("--work-dir", type=Path, default=Path(".demo"), help="for the photos")
    options = parser.parse_args(argv)
    # The verdict is printed below, so the warning is not needed.
    warnings.simplefilter("ignore", sg.ShiftWarning)
    shutil.rmtree(options.log_dir, ignore_errors=True)

    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    print("Network: EfficientNet-Lite0 with its ImageNet weights, frozen. Its first layer is")
    print("         folded so that it wants what ResNet50 wants: BGR, 0..255 minus the mean.")
    print("Photos:  20 of ImageNet; crops of one half to train, of the other to validate.")
    print("Task:    from which photo is this crop? Guessing scores 5 %.")
    print(f"Mistake: ImageDataGenerator({MISTAKE}), as in the tutorials: RGB in [0, 1].")
    backbone = lite0.build(folded_to=WANTED, include_top=False, pooling="avg", size=SIZE)
    backbone.trainable = False
    folders = [options.work_dir / f"seed{seed}" for seed in range(options.seeds)]
    for seed, folder in enumerate(folders):
        cut_photos(folder, seed, options.train_crops, options.validation_crops)

    print("\nprint(sg.diagnose(model, images))  # before any training, no labels")
    images, _ = feed(folders[0] / "train", True, 0)[0]
    verdicts = [sg.diagnose(classifier(backbone, len(images)), images)]
    print("\n".join(f"  | {line}" for line in str(verdicts[0]).splitlines()))
    print(f"  ({time.time() - START:.0f} s after the start)", flush=True)

    accuracies: dict[str, list[float]] = {run: [] for run in RUNS}
    for run, words in RUNS.items():
        print(f"\nmodel.fit with {MISTAKE} and {words}", flush=True)
        for seed, folder in enumerate(folders):
            keras.utils.set_random_seed(seed)
            model = classifier(backbone, len(list((folder / "train").iterdir())))
            guard = None
            if run == "repaired":
                log_dir = options.log_dir / f"seed{seed}"
                guard = sg.ShiftGuard(on_mismatch="fix", log_dir=log_dir, verbose=0)
            accuracy = train(model, folder, seed, options.epochs, guard)
            accuracies[run].append(accuracy)
            verdicts += [] if guard is None else [guard.diagnosis]
            print(f"  seed {seed}: validation accuracy {accuracy:.1%}", flush=True)

    spread = ", mean and standard deviation" if options.seeds > 1 else ""
    print(f"\nValidation accuracy with the wrong rescale{spread} (seeds: {options.seeds})")
    for run, words in RUNS.items():
        values = np.asarray(accuracies[run])
        deviation = f"  +/- {values.std(ddof=1):.1%}" if options.seeds > 1 else ""
        print(f"  {words:<30} {values.mean():6.1%}{deviation}")
    print(f"\nLook at it: {_tensorboard()} --logdir {options.log_dir}")
    right = sum(map(is_right, verdicts))
    found = "found and named" if right == len(verdicts) else "NOT always found and named"
    cost = 100 * (np.mean(accuracies["repaired"]) - np.mean(accuracies["alone"]))
    print(
        f"Verdict: the mistake costs {cost:.0f} points of accuracy. It was {found} in {right} of "
        f"{len(verdicts)} looks, {time.time() - START:.0f} s."
    )
    return 0 if right == len(verdicts) else 1


def _tensorboard() -> str:
    beside = Path(sys.executable).with_name("tensorboard")
    if not beside.exists():
        return "tensorboard"
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


if __name__ == "__main__":
    sys.exit(main())

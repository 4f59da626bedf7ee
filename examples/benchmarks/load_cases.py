"""Cases of the benchmark `load.py`; each runs in a process of its own, which prints JSON.

    KERAS_BACKEND=jax python examples/benchmarks/load_cases.py classes --guard

The printed values are by the words of their row in the table of `load.py`.
"""

import argparse
import gc
import json
import os
import resource
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from growth import resident
from load_log_dir import FAULTS, broken_files, fill, give_back, small_disk, whole_records

import keras_shiftguard as sg

RNG = np.random.default_rng(0)


def at_step(number, action):
    """Returns a callback that calls a function after the training step with this number."""
    steps = iter(range(1, 10**9))

    def after(batch, logs):
        if next(steps) == number:
            action()

    return keras.callbacks.LambdaCallback(on_train_batch_end=after)


def compiled(inputs, outputs):
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, metrics=["accuracy"])
    return model


def image_model():
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    hidden = keras.layers.Conv2D(8, 3, activation="relu")(image)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    return compiled(image, keras.layers.Dense(4)(hidden))


def images(number):
    return RNG.normal(size=(number, 16, 16, 3)).astype("float32"), RNG.integers(0, 4, number)


def guards(args, log_dir):
    return [sg.ShiftGuard(log_dir=log_dir, verbose=0)] if args.guard else []


def spent(model, x, y, epochs, callbacks, **given):
    """Fits a model; returns the CPU seconds and the warnings of the guard."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, epochs=epochs, callbacks=callbacks, verbose=0, **given)
    seconds = time.process_time() - start
    return seconds, [str(w.message) for w in caught if w.category is sg.ShiftWarning]


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def steps(args, folder):
    """Three epochs with validation; their memory once all code has run, and at the end."""
    an_epoch = 20 if args.small else 1000
    (x, y), validation = images(32 * an_epoch), images(256)
    found, model = [], image_model()
    marks = (an_epoch + an_epoch // 10, 2 * an_epoch, 3 * an_epoch)
    memory = [at_step(mark, lambda: found.append(resident())) for mark in marks]
    callbacks = [*guards(args, folder), *memory]
    seconds, told = spent(model, x, y, 3, callbacks, validation_data=validation)
    return {
        f"memory after {marks[0]:,} steps, MiB": f"{found[0]:.0f}",
        f"growth up to step {marks[1]:,}, MiB": f"{found[1] - found[0]:+.1f}",
        f"growth up to step {marks[2]:,}, MiB": f"{found[2] - found[0]:+.1f}",
        f"CPU time of {marks[2]:,} steps, s": f"{seconds:.0f}",
        "warnings of these steps": len(told),
    }


def left(args, folder):
    """Threads, and open files, after fits that end or are ended, compared with before them."""
    x, y = images(128)
    model = image_model()

    def fit(*endings):
        with suppress(RuntimeError, KeyboardInterrupt):
            spent(model, x, y, 2, [*guards(args, folder), *endings], validation_data=(x, y))

    def end(error):
        def action():
            raise error

        return at_step(6, action)

    def counted():
        gc.collect()
        native, python = len(os.listdir("/proc/self/task")), threading.active_count()
        return np.array([native, python, len(os.listdir("/proc/self/fd"))])

    fit()  # the backend makes its threads
    found = {}
    for words, endings in {
        "that ended": (),
        "that an exception ended": (RuntimeError,),
        "that Ctrl-C ended": (KeyboardInterrupt,),
    }.items():
        before = counted()
        for _ in range(5):
            fit(*map(end, endings))
        more = counted() - before
        found[f"left by five fits {words}: threads of the system, of Python, files"] = (
            "{:+d}, {:+d}, {:+d}".format(*more)
        )
    return found


def inputs(args, folder):
    """A model with 300 inputs."""
    number, samples = (20, 128) if args.small else (300, 256)
    tensors = [keras.Input((4,), name=f"sensor_{i}") for i in range(number)]
    model = compiled(tensors, keras.layers.Dense(2)(keras.layers.Concatenate()(tensors)))
    x = {each.name: RNG.normal(size=(samples, 4)).astype("float32") for each in tensors}
    y = RNG.integers(0, 2, samples)
    train = {name: values[: samples // 2] for name, values in x.items()}
    rest = {name: values[samples // 2 :] for name, values in x.items()}, y[samples // 2 :]
    given = {"validation_data": rest, "batch_size": 32}
    first, told = spent(model, train, y[: samples // 2], 1, guards(args, folder), **given)
    two, more = spent(model, train, y[: samples // 2], 2, guards(args, folder), **given)
    return {
        "CPU time of the first epoch, s": f"{first:.1f}",
        "CPU time of two more epochs, s": f"{two:.1f}",
        "peak of memory, MiB": f"{peak():.0f}",
        "warnings": len(told + more),
    } | sizes(args, folder)


def classes(args, folder):
    """A model with 100,000 classes."""
    number, samples = (1000, 256) if args.small else (100_000, 4096)
    image = keras.Input((16,))
    model = compiled(image, keras.layers.Dense(number)(image))
    x, y = RNG.normal(size=(samples, 16)).astype("float32"), RNG.integers(0, number, samples)
    half = samples // 2
    given = {"validation_data": (x[half:], y[half:]), "batch_size": 64}
    first, told = spent(model, x[:half], y[:half], 1, guards(args, folder), **given)
    two, more = spent(model, x[:half], y[:half], 2, guards(args, folder), **given)
    return {
        "CPU time of the first epoch, s": f"{first:.1f}",
        "CPU time of two more epochs, s": f"{two:.1f}",
        "peak of memory, MiB": f"{peak():.0f}",
        "warnings": len(told + more),
    } | sizes(args, folder)


def sizes(args, folder):
    """Returns the sizes of the log of the latest fit, and of its state file."""
    if not args.guard:
        return {}
    events = max(Path(folder, "shiftguard").iterdir())
    state = max(Path(folder).glob("guard-state-*.npz"))
    pages = Path(folder, "shift.json").stat().st_size + Path(folder, "shift.html").stat().st_size
    kib = [path / 1024 for path in (events.stat().st_size, state.stat().st_size, pages)]
    return {"events of two epochs, state file, page, KiB": "{:.0f}, {:.0f}, {:.0f}".format(*kib)}


def faults(args, folder):
    """Faults of the log directory in the middle of a fit."""
    x, y = images(128)

    def fitted(*callbacks):
        model = image_model()
        _, told = spent(model, x, y, 3, callbacks, validation_data=(x, y))
        variables = [*model.weights, *model.optimizer.variables]
        return [np.array(keras.ops.convert_to_numpy(v)) for v in variables], told

    def broken(fault, log_dir):
        guard = sg.ShiftGuard(log_dir=log_dir, verbose=0, on_shift="ignore")
        before = []

        def action():
            before.extend(whole_records(log_dir))
            fault(log_dir)

        weights, told = fitted(guard, at_step(6, action))  # an epoch has four steps
        give_back(log_dir)
        same = len(plain) == len(weights) and all(map(np.array_equal, plain, weights))
        kept = ""
        if log_dir.exists():
            whole = whole_records(log_dir)[: len(before)] == before
            kept = f", records kept: {whole}, broken files: {len(broken_files(log_dir))}"
        return f"weights {'equal' if same else 'DIFFER'}, warnings: {len(told)}{kept}"

    plain, _ = fitted()
    found = {}
    for words, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as place, small_disk(place) as is_small:
            Path(place).chmod(0o755)
            needs_root = fault is fill and not is_small
            found[words] = "needs root" if needs_root else broken(fault, Path(place) / "logs")
    return found


def one_writer(args, folder):
    """Fits a small model, as one of several processes that share a log directory."""
    x, y = images(128)
    guard = sg.ShiftGuard(log_dir=args.log_dir, verbose=0)
    Path(folder).rmdir()
    Path(args.log_dir, f"ready-{args.number}").touch()
    while not Path(args.log_dir, "go").exists():
        time.sleep(0.01)
    epochs = 5 if args.small else 30
    _, told = spent(image_model(), x, y, epochs, [guard], validation_data=(x, y))
    Path(folder).mkdir()
    return {"warnings": told}


CASES = {each.__name__: each for each in (steps, left, inputs, classes, faults, one_writer)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--guard", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--log-dir", help="of `one_writer`")
    parser.add_argument("--number", help="of `one_writer`")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(CASES[args.case](args, folder)))


if __name__ == "__main__":
    main()

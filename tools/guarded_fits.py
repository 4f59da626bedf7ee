"""A pytest plugin that puts a `ShiftGuard` into every `fit`, `evaluate` and `predict`.

`tools/keras_tests.py` loads the plugin. The plugin writes a line of JSON to `--results` when a test
begins, and another when the test ends, with the outcome and the counted samples of each call:

    {"test": ..., "outcome": "passed", "seconds": ..., "cpu": ..., "message": "",
     "calls": [{"method": "fit", "guarded": true, "batches": 2, "counted": 64, "expected": 64,
                "warnings": [], ...}]}

With `--guards plain` no guard is put in, and only the calls are noted.
"""

import functools
import inspect
import json
import re
import time
import warnings
from fnmatch import fnmatch
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_differences import read_results

import keras_shiftguard
from keras_shiftguard.errors import ShiftWarning

ARGUMENTS = {
    "guard": {"on_mismatch": "ignore", "on_shift": "ignore", "verbose": 0},
    "adapt": {"on_mismatch": "ignore", "on_shift": "ignore", "verbose": 0, "adapt": True},
}
STREAMS = {"fit": "train", "evaluate": "validation", "predict": "prediction"}


class CountedGuard(keras_shiftguard.ShiftGuard):
    """A guard that counts the batches of the latest pass over the data."""

    def __init__(self, method, **arguments):
        super().__init__(**arguments)
        self.method = method
        self.batches = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.batches = 0
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._note("fit", batch)
        super().on_train_batch_end(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._note("evaluate", batch)
        super().on_test_batch_end(batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._note("predict", batch)
        super().on_predict_batch_end(batch, logs)

    def _note(self, method, batch):
        if self.method == method:
            self.batches = batch + 1


class Notes:
    """Notes on the calls of the current test.

    `calls` has one entry for each call. `open` has the entries of the guarded calls that are still
    running, the outermost first.
    """

    def __init__(self):
        self.calls = []
        self.open = []

    def warned(self, message):
        """Adds a warning of the guard to the entry of the innermost call."""
        if self.open:
            self.open[-1]["warnings"].append(str(message).partition("\n")[0])


NOTES = Notes()


def guard_calls(trainer, guards):
    """Wraps `fit`, `evaluate` and `predict` of a class: notes each call and adds a guard."""
    for method in STREAMS:
        setattr(trainer, method, _guarded(getattr(trainer, method), method, guards))
    original = warnings.warn_explicit

    def warn_explicit(message, category, *args, **kwargs):
        if category is ShiftWarning:
            NOTES.warned(message)
        return original(message, category, *args, **kwargs)

    warnings.warn_explicit = warn_explicit


def _guarded(original, method, guards):
    signature = inspect.signature(original)

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:
            return original(self, *args, **kwargs)
        callbacks = bound.arguments.get("callbacks")
        # `fit` calls `evaluate` with its own `CallbackList`, which has the guard already. A
        # `CallbackList` that a test made is not changed.
        ready = isinstance(callbacks, keras.callbacks.CallbackList)
        if ready and any(isinstance(each, CountedGuard) for each in callbacks.callbacks):
            return original(self, *args, **kwargs)
        note = {"method": method, "guarded": guards != "plain" and not ready, "warnings": []}
        NOTES.calls.append(note)
        if not note["guarded"]:
            return original(self, *args, **kwargs)
        guard = CountedGuard(method, **ARGUMENTS[guards])
        bound.arguments["callbacks"] = [guard, *keras.tree.flatten(callbacks or [])]
        NOTES.open.append(note)
        note["raised"] = True
        try:
            result = original(*bound.args, **bound.kwargs)
            note["raised"] = False
            return result
        finally:
            NOTES.open.remove(note)
            profile = guard.profiles.get(STREAMS[method])
            note["batches"] = guard.batches
            note["counted"] = None if profile is None else int(profile.num_samples)
            note["expected"] = None if note["raised"] else _fed(self, bound.arguments)

    return call


def _fed(model, arguments):
    """Returns the number of samples in the latest pass, or None if it is not known."""
    limits = ("steps", "steps_per_epoch", "validation_split")
    stopped = any(
        getattr(model, f"stop_{what}", False) for what in ("training", "evaluating", "predicting")
    )
    limited = any(arguments.get(name) for name in limits) or keras.config.max_steps_per_epoch()
    if stopped or limited:
        return None
    first = next(iter(keras.tree.flatten(arguments.get("x"))), None)
    return len(first) if isinstance(first, np.ndarray) and first.ndim else None


def pytest_addoption(parser):
    """Adds the options that `tools/keras_tests.py` passes."""
    parser.addoption("--guards", choices=["plain", *ARGUMENTS], default="guard")
    parser.addoption("--results", type=Path, help="file to which results are appended")
    parser.addoption("--only", type=Path, help="file of the tests to run, as names or patterns")


def pytest_configure(config):
    """Patches the trainer of the backend, from which `keras.Model` and some tests inherit."""
    config.addinivalue_line("markers", "requires_trainable_backend: all of ours are")
    config.addinivalue_line("markers", "multi_device: wants several devices")
    [trainer] = [c for c in keras.Model.__mro__ if "fit" in vars(c) and c is not keras.Model][:1]
    guard_calls(trainer, config.getoption("--guards"))


def name_of(item):
    """Returns the name of a test in the results, without Keras's folders and memory addresses."""
    name = re.sub(r"0x[0-9a-f]{6,}", "0x", item.nodeid)
    return name.removeprefix("keras/src/")


def pytest_collection_modifyitems(config, items):
    """Removes tests that `--only` does not name, and tests that have a result already."""
    patterns = config.getoption("--only")
    if patterns is not None:
        patterns = patterns.read_text().splitlines()
        exact = set(patterns)
        patterns = [pattern for pattern in patterns if "*" in pattern]
    results = read_results(config.getoption("--results"))
    done = {test for test, result in results.items() if result["outcome"] != "began"}

    def wanted(name):
        if name in done:
            return False
        return patterns is None or name in exact or any(fnmatch(name, p) for p in patterns)

    items[:] = [item for item in items if wanted(name_of(item))]


def _write(config, line):
    with config.getoption("--results").open("a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Runs one test and writes its outcome."""
    name, start, cpu = name_of(item), time.monotonic(), time.process_time()
    NOTES.__init__()
    item.phases = []
    _write(item.config, {"test": name, "outcome": "began"})
    result = yield
    bad = [phase for phase in item.phases if phase.outcome != "passed"]
    message = _message(bad[0]) if bad and bad[0].outcome == "failed" else ""
    outcome = bad[0].outcome if bad else "passed"
    seconds = round(time.monotonic() - start, 2)
    cpu = round(time.process_time() - cpu, 2)
    line = {"test": name, "outcome": outcome, "seconds": seconds, "cpu": cpu, "message": message}
    _write(item.config, {**line, "calls": NOTES.calls})
    return result


def _message(report):
    """Returns the error message of a report; the log of pytest has the traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return (str(report.longrepr) if crash is None else crash.message)[:1000]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Keeps the report of each phase of a test."""
    report = yield
    item.phases.append(report)
    return report


def pytest_collectreport(report):
    """Records a file that cannot be imported, to be counted as a failed test."""
    if report.failed:
        COLLECTION_FAILURES.append((report.nodeid, _message(report)))


COLLECTION_FAILURES = []


def pytest_collection_finish(session):
    """Writes a failed result for each file that cannot be imported."""
    for name, message in COLLECTION_FAILURES:
        name = name.removeprefix("keras/src/")
        line = {"test": name, "outcome": "failed", "seconds": 0, "message": message, "calls": []}
        _write(session.config, line)

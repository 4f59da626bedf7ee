"""Fits of the account benchmark (`accounts.py`): what is planted, what it costs, what is said."""

import itertools
import math
import time
import warnings
from contextlib import suppress
from types import SimpleNamespace
from zlib import crc32

import keras
import numpy as np
from accounts_cases import CAUSES, SIDES, VARIANTS
from accounts_networks import NETWORKS, built

import keras_shiftguard as sg

BATCH = 32
STAGES = ("mix", "raw", "scale", "fed", "labels", "fit")


class Planted:
    """The data of a cell, with any of its causes in them.

    Args:
        cell: A `Cell`.
    """

    def __init__(self, cell):
        self.cell, self.network = cell, NETWORKS[cell.network]
        plants = dict(cell.plants)
        plants |= {SIDES[cause]: None for cause in plants if cause in SIDES}
        self.causes = sorted(plants, key=lambda cause: STAGES.index(CAUSES[cause].stage))
        self.strengths = plants
        train, validation, others = self.network.sizes
        self.settings = {"train": train, "validation": validation, "epochs": self.network.epochs}
        self.settings |= VARIANTS.get(cell.variant, {})
        for cause in map(CAUSES.get, plants):
            self.settings |= cause.fit
        self.settings |= {CAUSES[c].sets: s for c, s in plants.items() if CAUSES[c].sets}
        pool = round(self.settings["validation"] * (validation + others) / validation)
        if any(CAUSES[cause].stage == "mix" for cause in plants):
            pool *= 2
        x, y = self.network.load()
        order = np.random.default_rng(cell.seed).permutation(len(x))
        (x, self.x, _), (y, self.y, _) = (
            np.split(each[order], [train, train + pool]) for each in (x, y)
        )
        self.is_validation = np.arange(len(self.x)) < len(self.x) * validation / (
            validation + others
        )
        x, y = x[: self.settings["train"]], y[: self.settings["train"]]
        self.moments = 0.0, 1.0
        if self.network.data == "table" or self.settings.get("standardise"):
            axes = tuple(range(x.ndim - 1))
            self.moments = x.mean(axis=axes), np.maximum(x.std(axis=axes), 1e-3)
        self.train = self.scaled(x), y

    def scaled(self, x):
        mean, deviation = self.moments
        return ((x - mean) / deviation).astype("float32")

    def data(self, present, validation=True):
        """Returns inputs and labels with some of the causes: validation, or the other samples."""
        x, y, mine, is_scaled = self.x, self.y, self.is_validation == validation, False
        for name in self.causes:
            if name not in present:
                continue
            cause, strength = CAUSES[name], self.strengths[name]
            rng = np.random.default_rng([self.cell.seed, crc32(name.encode())])
            if not is_scaled and cause.stage in STAGES[STAGES.index("fed") :]:
                x, is_scaled = self.scaled(x), True
            if cause.stage == "mix":
                kept = rng.random(len(y)) < cause.change(y, self.network.hard)
                x, y, mine = x[kept], y[kept], mine[kept]
            elif cause.stage == "scale":
                x, is_scaled = cause.change(x, y, self.network.hard), True
            elif cause.stage == "labels":
                y = cause.change(y, strength, rng)
            elif cause.change is not None:
                x = cause.change(x, strength, rng)
        x = x if is_scaled else self.scaled(x)
        return np.ascontiguousarray(x[mine], "float32"), y[mine].astype(self.y.dtype)


def norms(model):
    return [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]


def refreshed(model, x):
    """A copy whose batch norm has means over the batches of training; None without batch norm."""
    if not norms(model):
        return None
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for number in range(max(1, len(x) // BATCH)):
        for layer in norms(copy):
            layer.momentum = 1 - 1 / (number + 1)
        copy(x[number * BATCH : (number + 1) * BATCH], training=True)
    return copy


def worths(model, task, x, y):
    """Returns what each prediction is worth: 1 if right, a share of labels, minus the error."""
    p = np.asarray(model.predict(x, verbose=0, batch_size=256), "float64")
    if task == "numbers":
        return -((p.reshape(y.shape) - y) ** 2)
    if task == "labels":
        return ((p > 0.5) == (y > 0.5)).mean(axis=1)
    return (p[:, 0] > 0.5 if p.shape[1] == 1 else p.argmax(axis=1)) == y


class Truth:
    """What each cause of a cell costs a trained network, on validation.

    Args:
        planted: A `Planted`.
        model: The network with its final weights.
    """

    def __init__(self, planted, model):
        self.planted, self.model, self.task = planted, model, planted.network.task
        self.fresh, self.known = refreshed(model, planted.train[0]), {}
        self.unit = 1.0
        if self.task == "numbers":
            x, y = planted.data(planted.causes)
            self.unit = -float(worths(model, self.task, x, y).mean())

    def predictor(self, present):
        is_young = "young" in present or "young" not in self.planted.causes
        return self.model if is_young else self.fresh

    def score(self, present):
        """The metric on validation with some of the causes, more is better."""
        if present not in self.known:
            x, y = self.planted.data(present)
            worth = worths(self.predictor(present), self.task, x, y)
            self.known[present] = float(worth.mean()) / self.unit
        return self.known[present]

    def costs(self):
        """Returns the truth by cause, and the smallest and largest in any order."""
        causes = [c for c in self.planted.causes if c != "memorised"]
        found = {cause: [] for cause in causes}
        for order in itertools.permutations(causes):
            for i, cause in enumerate(order):
                left = frozenset(order[i:])
                found[cause].append(self.score(left - {cause}) - self.score(left))
        costs = {c: (float(np.mean(v)), min(v), max(v)) for c, v in found.items()}
        right = frozenset()
        x, y = self.planted.train
        known = worths(self.predictor(right), self.task, x, y).mean() / self.unit
        costs["memorised"] = (float(known) - self.score(right),) * 3
        if self.fresh is not None and "young" not in causes:
            everything = frozenset(causes)
            x, y = self.planted.data(everything)
            fresh = float(worths(self.fresh, self.task, x, y).mean()) / self.unit
            costs["young"] = (fresh - self.score(everything),) * 3
        return costs

    def gap(self, history):
        """Returns the gap as Keras logs it, the same of the network at rest, and its error."""
        (x, y), (vx, vy) = self.planted.train, self.planted.data(self.planted.causes)
        known, found = (
            worths(self.model, self.task, *data) / self.unit for data in ((x, y), (vx, vy))
        )
        error = math.hypot(*(each.std() / len(each) ** 0.5 for each in (known, found)))
        name = {"classes": "accuracy", "labels": "binary_accuracy", "numbers": "loss"}[self.task]
        if self.task == "numbers":
            logged, now = -history["loss"][-1] / self.unit, -history["val_loss"][-1] / self.unit
        else:
            logged, now = history[name][-1], history[f"val_{name}"][-1]
        return logged - now, logged - float(known.mean()), float(error)


def told(model, train, validation, epochs):
    """Fits a network under a guard.

    Returns:
        `(history, gap, state, seconds)`: what Keras logs, `guard.gap` or None, the state of the
        verdict, and the CPU seconds that the guard takes after the last epoch.
    """
    with suppress(ImportError):  # other jobs must not take time from the experiments
        from keras_shiftguard.callback import spending

        clock = {"perf_counter": time.process_time, "process_time": time.process_time}
        spending.time = SimpleNamespace(**clock)
    guard, seconds = sg.ShiftGuard(verbose=0, on_shift="ignore", on_mismatch="ignore"), [0.0]
    ends = guard.on_train_end

    def timed(logs=None):
        start = time.process_time()
        ends(logs)
        seconds[0] = time.process_time() - start

    guard.on_train_end = timed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"epochs": epochs, "batch_size": BATCH, "verbose": 0, "callbacks": [guard]}
        history = model.fit(*train, validation_data=validation, **options).history
        start = time.process_time()
        gap = getattr(guard, "gap", None)
        seconds[0] += time.process_time() - start
    state = guard.verdict.state if guard.verdict is not None else None
    return history, gap, state, seconds[0]


def row_of(row):
    """Returns a row of an account as plain values."""
    plain = {"kind": row.kind, "cause": row.cause, "sure": bool(row.sure), "kept": None}
    plain |= {"points": float(row.points), "metric": row.metric, "step": row.step}
    plain["interval"] = None if row.interval is None else [float(end) for end in row.interval]
    plain["accuracy"] = None if row.accuracy is None else float(row.accuracy)
    name, strength = row.operation or (None, None)
    return plain | {"operation": name, "strength": None if name is None else str(strength)}


def keep(rows, plain, truth, data):
    """Notes what the repairs of sure rows gain on other samples, each after those taken before.

    The order is that of `row.accuracy`, the accuracy with this row and those before it away.
    """
    (x, y), model, task = data, truth.model, truth.task
    before = worths(model, task, x, y).mean()
    unit = -before if task == "numbers" else 1.0
    order = range(len(rows))
    if task != "numbers":
        order = sorted(order, key=lambda i: plain[i]["accuracy"] or 0)
    for row, into in ((rows[i], plain[i]) for i in order):
        if not row.sure:
            continue
        if row.kind == "model" and truth.fresh is not None:
            model = truth.fresh
        elif row.repair is not None and row.kind == "labels":
            y = np.asarray(keras.ops.convert_to_numpy(row.repair(y)))
        elif row.repair is not None:
            x = np.asarray(keras.ops.convert_to_numpy(row.repair(x)), "float32")
        else:
            continue
        after = worths(model, task, x, y).mean()
        into["kept"], before = float((after - before) / unit), after


def run(cell):
    """Runs a cell and returns what is true of it, and what was said, as plain values."""
    planted = Planted(cell)
    train, validation = planted.train, planted.data(planted.causes)
    keras.utils.set_random_seed(cell.seed)
    labels = np.concatenate([train[1], validation[1]])
    model = built(planted.network, train[0], labels)
    for layer in norms(model):
        layer.momentum = planted.settings.get("momentum", layer.momentum)
    start = time.process_time()
    history, gap, state, added = told(model, train, validation, planted.settings["epochs"])
    seconds = time.process_time() - start
    truth = Truth(planted, model)
    logged, learning, error = truth.gap(history)
    found = {
        "name": cell.name, "part": cell.part, "group": cell.group, "network": cell.network,
        "plants": [list(plant) for plant in cell.plants], "state": state,
        "truth": truth.costs(), "logged gap": logged, "learning": learning, "error": error,
        "added": added, "seconds": seconds, "rows": None, "sum": None,
    }  # fmt: skip
    if gap is not None:
        found["rows"] = [row_of(row) for row in gap.rows]
        found["gap"] = float(gap.gap)
        found["sum"] = float(sum(row.points for row in gap.rows) - gap.gap)
        keep(gap.rows, found["rows"], truth, planted.data(planted.causes, validation=False))
    return found

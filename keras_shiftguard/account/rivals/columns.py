"""Columns of a table that are moved, each by its own amount, as where a scaler was fitted again."""

from typing import Any

import numpy as np

from keras_shiftguard.account.likelihoods import Classes, Numbers
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half

MOST = 32  # columns. A convention: each pass predicts eight times as many rows.
STEPS = (-2.0, -1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 2.0)  # deviations of training. A convention.
PASSES = 3  # over all columns. A convention.
MIN_GAIN = 0.005  # nats a sample. A convention.
FEW = 200  # samples that choose. A convention.
STEP = "x_val = scaler.transform(raw_x_val)  # with the scaler that was fitted on training"


def rivals(case: Case) -> list[Rival]:
    """Returns the rival, for a single input of up to `MOST` columns of numbers."""
    if case.there is None or len(case.specs) != 1 or case.specs[0].series:
        return []
    if not isinstance(case.likelihood, Classes | Numbers):
        return []
    x = case.there.x
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind != "f":
        return []
    if not 2 <= x.shape[1] <= MOST or case.budget < 2 * PASSES * len(STEPS) * x.shape[1] * FEW:
        return []
    spread = (np.nanstd(x, axis=0) + 1e-9).astype("float32")
    likelihood = case.likelihood

    def fit(half: Half) -> Undoing:
        some = half.at(slice(0, FEW))
        moved = _moved(some, spread, likelihood)
        offsets = (moved * spread).astype("float32")
        which = np.flatnonzero(moved)
        named = ", ".join(str(column) for column in which[:3])
        where = f"{len(which)} columns" if len(which) > 3 else f"columns {named}"
        cause = f"{where} of {{data}} are moved, as where a scaler is fitted again"
        strength = ([1.0] * len(offsets), offsets.tolist())
        repair = {"operations": [["units", [list(strength[0]), list(strength[1])]]]}
        return Undoing(
            lambda k: k.with_x((k.x + offsets).astype("float32")),
            moved.tolist(),
            ("units", strength),
            cause,
            STEP,
            repair,
        )

    return [Rival("input", "columns moved", "columns", fit, case.specs[0].name)]


def _moved(half: Half, spread: np.ndarray, likelihood: Any) -> np.ndarray:
    """Returns how far each column is moved, in deviations, so that the labels are likeliest."""
    columns = half.x.shape[1]

    def like(outputs: np.ndarray) -> float:
        return float(likelihood.log(outputs, half.y, likelihood.fit(outputs, half.y)).mean())

    found, reached = np.zeros(columns), like(half.outputs)
    for _ in range(PASSES):
        tries = [(c, s) for c in range(columns) for s in STEPS]
        moves = np.repeat(found[None], len(tries), axis=0)
        moves[np.arange(len(tries)), [c for c, _ in tries]] += [s for _, s in tries]
        changed = half.x[None] + (moves * spread)[:, None]
        outputs = half.predict(changed.reshape(-1, columns).astype("float32"), None)
        likes = np.array([like(part) for part in np.split(outputs, len(tries))])
        gains = (likes - reached).reshape(columns, len(STEPS))
        best = gains.argmax(axis=1)
        better = np.flatnonzero(gains.max(axis=1) > MIN_GAIN)
        if not len(better):
            break
        # Columns that win alone are taken one after another, as long as they win together.
        before = reached
        for column in better[np.argsort(-gains.max(axis=1)[better])]:
            tried = found.copy()
            tried[column] += STEPS[best[column]]
            now = like(half.predict((half.x + tried * spread).astype("float32"), None))
            if now > reached + MIN_GAIN:
                found, reached = tried, now
        if reached <= before + MIN_GAIN:
            break
    return found

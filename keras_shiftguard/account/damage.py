"""Damage: what validation has lost. Nothing undoes it; training put through it shows the cost.

Which damage it is, is chosen without labels: training samples that went through it look like those
of validation. One half chooses, and the other one must agree.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_shiftguard.account.candidates.kinds import are_texts, scale_of
from keras_shiftguard.account.candidates.lossy_rows import lossy_series, lossy_texts
from keras_shiftguard.account.fix_lines import PREVENTED
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.account.words import seems_after
from keras_shiftguard.operations.operation import Operation
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows

MIN_APART = 0.05  # mean distance below which nothing is lost. A convention.
# Shares of the distance that may be left, on the half that chooses and on the other one.
# Conventions.
MAX_LEFT, MAX_LEFT_ELSEWHERE = 0.6, 0.7
FEW = 200  # samples on which damages are compared. A convention.
# Values that are left of each channel, and strengths of damages of the table. Conventions.
LEVELS = (2, 4, 8)
OF_TABLE = {
    "noise": (0.05, 0.1, 0.2, 0.4),
    "blur": (0.02, 0.04, 0.08),
    "coarsen": (2.0, 3.0, 4.0),
    "resolution": (1.0, 2.0),
}


class Damage(NamedTuple):
    """What is lost, and what training loses by it."""

    cause: str
    points: float
    error: float
    step: str | None


def damage_of(case: Case, halves: list[Half], training: Half) -> Damage | None:
    """Returns the damage of the only input that makes training look like validation, or None."""
    if len(case.specs) != 1 or isinstance(training.x, Rows):
        return None
    spec = case.specs[0]
    x = np.asarray(training.x)
    made = _table(x, np.asarray(case.here.x), spec)
    if made is None or any(np.asarray(half.x).shape[1:] != x.shape[1:] for half in halves):
        return None
    damages, describe = made
    few = x[:FEW]
    one, other = (describe(np.asarray(half.x)[:FEW]) for half in halves)
    before = apart(describe(few), one)
    if before < MIN_APART or not damages:
        return None
    looks = {name: describe(np.asarray(run(few))) for name, run in damages.items()}
    left, name = min((apart(look, one), name) for name, look in looks.items())
    elsewhere = apart(describe(few), other)
    if left > MAX_LEFT * before or apart(looks[name], other) > MAX_LEFT_ELSEWHERE * elsewhere:
        return None
    changed = training.with_x(np.asarray(damages[name](x)).astype(x.dtype))
    worth = case.likelihood.worth
    lost = worth(training.outputs, training.y) - worth(changed.outputs, changed.y)
    error = float(lost.std() / len(lost) ** 0.5)
    return Damage(f"{{data}} looks like training {name}", float(lost.mean()), error, _step(name))


def _step(name: str) -> str | None:
    if name.startswith("augmented"):
        return "Build validation without random augmentation."
    known = [line for key, line in PREVENTED.items() if key in name]
    return known[0] if known else "Find the step of the pipeline that loses this, and leave it out."


def _table(
    x: np.ndarray, others: np.ndarray, spec: InputSpec
) -> tuple[dict[str, Callable[[np.ndarray], Any]], Callable[[np.ndarray], np.ndarray]] | None:
    """Returns the damages that suit an input, by name, and the measure that tells them apart."""
    if spec.layout == "features":
        if are_texts(spec, others) and x.ndim == 2:
            found, measure = lossy_texts(x, others)
        elif x.ndim == 3:
            found, measure = lossy_series(x, others)
        else:
            return None
        return {f"{seems_after(c.choice)}": c.apply for c in found}, measure
    if x.ndim != 4:
        return None
    return _of_images(x, spec), lambda images: _looks(images, spec.layout == "channels_first")


def _of_images(x: np.ndarray, spec: InputSpec) -> dict[str, Callable[[np.ndarray], Any]]:
    scale = scale_of(x, None, spec)

    def unit(run: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
        def on(images: np.ndarray) -> np.ndarray:
            return in_chunks(lambda part: scale.from_unit(run(scale.to_unit(part))), images)

        return on

    layers = keras.layers
    first: dict[str, Any] = {"data_format": "channels_last"}
    found = {"divided as integers": unit(keras.ops.floor)}
    for number in LEVELS:
        found[f"with {number} levels of gray"] = unit(_rounded(number - 1))
    for name, strengths in OF_TABLE.items():
        words = {"noise": "made noisier", "blur": "blurred"}.get(name, "of lower resolution")
        for strength in strengths:
            run = _run(OPERATIONS[name], strength)
            found[f"{words} ({OPERATIONS[name].unit.format(strength)})"] = unit(run)
    for amount in (0.08, 0.15):
        turn = layers.RandomRotation(amount, fill_mode="constant", seed=0, **first)
        move = layers.RandomTranslation(amount, amount, fill_mode="constant", seed=0, **first)
        zoom = layers.RandomZoom(2 * amount, fill_mode="constant", seed=0, **first)
        ways = {
            "turned": [turn],
            "moved": [move],
            "zoomed": [zoom],
            "turned and moved": [turn, move],
        }
        for name, chain in ways.items():
            found[f"augmented: {name} by up to {100 * amount:.0f} %"] = unit(_chain(chain))
    return found


def _run(operation: Operation, strength: float) -> Callable[[Any], Any]:
    apply = operation.apply
    assert apply is not None
    return lambda z: apply(z, strength)


def _rounded(number: int) -> Callable[[Any], Any]:
    return lambda z: keras.ops.round(z * number) / number


def _chain(chain: list[Any]) -> Callable[[Any], Any]:
    def run(z: Any) -> Any:
        for layer in chain:
            z = layer(z, training=True)
        return z

    return run


def _looks(images: np.ndarray, channels_first: bool) -> np.ndarray:
    """Returns light, detail, levels and place of each image, `(samples, features)`."""
    z = images.astype("float64").mean(axis=1 if channels_first else -1)
    flat = z.reshape(len(z), -1)
    levels = np.array([len(np.unique(row)) for row in flat], "float64")
    dx, dy = np.diff(z, axis=2), np.diff(z, axis=1)
    weight = np.abs(z - np.median(z)) + 1e-6
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    i, j = np.mgrid[: z.shape[1], : z.shape[2]]
    row, column = (weight * i).sum(axis=(1, 2)), (weight * j).sum(axis=(1, 2))
    u, v = i - row[:, None, None], j - column[:, None, None]
    return np.stack(
        [
            *(flat.mean(axis=1), flat.std(axis=1), levels),
            *((flat <= flat.min()).mean(axis=1), (flat >= flat.max()).mean(axis=1)),
            *(
                np.abs(dx).mean(axis=(1, 2)),
                np.abs(dy).mean(axis=(1, 2)),
                (dx == 0).mean(axis=(1, 2)),
            ),
            np.abs(np.diff(z, 2, axis=2)).mean(axis=(1, 2)),
            *(np.abs(row - z.shape[1] / 2), np.abs(column - z.shape[2] / 2)),
            *((weight * u * u).sum(axis=(1, 2)), (weight * v * v).sum(axis=(1, 2))),
            (weight * u * v).sum(axis=(1, 2)),
        ],
        axis=1,
    )


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the mean Kolmogorov-Smirnov distance of two sets of features."""
    found = []
    for a, b in zip(one.T, other.T, strict=True):
        a, b = np.sort(a), np.sort(b)
        both = np.concatenate([a, b])
        shares = [np.searchsorted(each, both, side="right") / len(each) for each in (a, b)]
        found.append(np.abs(shares[0] - shares[1]).max())
    return float(np.mean(found))

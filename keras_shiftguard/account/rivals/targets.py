"""Numbers to predict in another unit: a factor, an offset, a logarithm."""

import numpy as np

from keras_shiftguard.account.likelihoods import Numbers
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.io.code_lines import digits
from keras_shiftguard.operations.columns import UNITS, named_unit
from keras_shiftguard.operations.label_repair import MAPS

NEAR = 0.15  # logarithms of factors that are nearer are one unit. A convention.
# Means (in deviations) and logarithms of deviations that differ by less are of one unit: samples of
# another place differ as much. A convention.
MIN_MOVED = 0.4
INVERSE = {"exp": "log", "log": "exp", "expm1": "log1p", "log1p": "expm1"}


def rivals(case: Case) -> list[Rival]:
    """Returns the maps that give the numbers of validation the distribution of training."""
    if not isinstance(case.likelihood, Numbers) or case.there is None or not len(case.there):
        return []
    here, there = (np.asarray(half.y, "float64") for half in (case.here, case.there))
    found = []
    if _apart(here, there) > MIN_MOVED:
        for name, function in MAPS.items():
            with np.errstate(all="ignore"):
                mapped = function(here)
            if np.isfinite(mapped).all() and _apart(mapped, there) < _apart(here, there) / 2:
                found.append(_rival(1.0, 0.0, name))
        factor = float(there.std() / (here.std() + 1e-12))
        known = [k for unit in UNITS for k in (unit, 1 / unit) if abs(np.log(factor / k)) < NEAR]
        found += [_rival(k, 0.0, "") for k in known if _apart(here * k, there) < MIN_MOVED]
        if np.isfinite(factor) and factor > 0:
            found.append(_rival(factor, float(there.mean() - factor * here.mean()), ""))
    return found


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Returns how far two distributions are apart: means in deviations, and their ratio."""
    spread = other.std() + 1e-12
    moved = abs(one.mean() - other.mean()) / spread
    return float(np.arcsinh(moved) + abs(np.log((one.std() + 1e-12) / spread)))


def _rival(factor: float, offset: float, name: str) -> Rival:
    def apply(samples: Half) -> Half:
        y = np.asarray(samples.y, "float64")
        mapped = MAPS[name](y) if name else y
        dense = np.log(abs(factor)) * y.shape[-1]
        if name:  # how much denser the labels become, by the derivative of the map
            derivative = {
                "exp": y,
                "expm1": y,
                "log": -np.log(np.maximum(y, 1e-12)),
                "log1p": -np.log1p(np.maximum(y, -1 + 1e-12)),
            }[name]
            dense = dense + derivative.reshape(len(y), -1).sum(axis=1)
        return samples.with_y(mapped * factor + offset, dense)

    if name:
        cause = f"the numbers to predict of {{data}} look like {INVERSE[name]}(those of training)"
        step = f"y_val = np.{name}(y_val)"
    else:
        unit = named_unit(factor) if not offset else ""
        words = f", as between {unit}" if unit else ""
        moved = f", moved by {-offset / factor:+.4g}" if offset else ""
        size = f"{1 / factor:.4g} times as large{moved}{words}"
        cause = f"the numbers to predict of {{data}} are in another unit: {size}"
        plus = f" {'+-'[offset < 0]} {digits(abs(offset))}" if offset else ""
        step = f"y_val = y_val * {digits(factor)}{plus}"
    strength = (factor, offset, name)
    repair = {"factor": factor, "offset": offset, "name": name}
    undoing = Undoing(apply, strength, ("targets", strength), cause, step, repair)
    return Rival("labels", f"targets {name}", "targets", lambda _: undoing, is_free=True)

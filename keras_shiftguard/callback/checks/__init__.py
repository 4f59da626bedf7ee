"""Checks of an epoch. A new one is one file, and one line in `EXPERIMENTS` or `CHECKS`."""

from keras_shiftguard.callback.checks import (
    as_repaired,
    augmented,
    broken,
    difference,
    enlarging,
    label_units,
    labels,
    leak,
    mix,
    nonfinite,
    other_rows,
    schedule,
    step,
)
from keras_shiftguard.callback.checks.check import Check

# Those that run the model, in this order, see `Checking.experiment`.
EXPERIMENTS: dict[str, Check] = {
    "schedule": schedule.look,
    "known_labels": labels.tell_again,
    "other_rows": other_rows.look,
    "difference": difference.look,
    "step": step.look,
    "mix": mix.look,
    "label_units": label_units.look,
    "labels": labels.look,
    "enlarging": enlarging.look,
    "as_repaired": as_repaired.look,
}
CHECKS: dict[str, Check] = {
    "augmented": augmented.look,
    "broken": broken.look,
    "leak": leak.look,
    "nonfinite": nonfinite.look,
}

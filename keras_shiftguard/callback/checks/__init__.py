"""Checks of an epoch: facts that need no experiment. A new one is a file, and a line here."""

from keras_shiftguard.callback.checks import augmented, broken, leak, nonfinite
from keras_shiftguard.callback.checks.check import Check

CHECKS: dict[str, Check] = {
    "augmented": augmented.look,
    "broken": broken.look,
    "leak": leak.look,
    "nonfinite": nonfinite.look,
}

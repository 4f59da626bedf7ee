"""Checks of an epoch that need no experiment. A new one is one file, and one line in `CHECKS`."""

from keras_shiftguard.callback.checks import broken, leak, nonfinite
from keras_shiftguard.callback.checks.check import Check

CHECKS: dict[str, Check] = {
    "broken": broken.look,
    "leak": leak.look,
    "nonfinite": nonfinite.look,
}

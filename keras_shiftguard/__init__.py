"""Tools that find out why a Keras model is less accurate than it should be, and repair the cause.

import keras_shiftguard as sg

guard = sg.ShiftGuard(log_dir="logs/run1")
model.fit(train, validation_data=val, callbacks=[guard])
print(guard.diagnosis)

print(sg.diagnose(model, images))
"""

from keras_shiftguard.errors import (
    BadInputError,
    NoBackendError,
    PreprocessingMismatchError,
    ShiftDetectedError,
    ShiftGuardError,
    ShiftWarning,
)

try:
    import keras  # noqa: F401
except ModuleNotFoundError as error:
    # Keras imports the backend that KERAS_BACKEND names. If this backend is not installed, Python's
    # error does not say what to install.
    if (error.name or "").split(".")[0] in ("tensorflow", "jax", "torch"):
        raise NoBackendError(str(error.name).split(".")[0]) from error
    raise

from keras_shiftguard.account.report import GapReport
from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.callback.guard import ShiftGuard
from keras_shiftguard.comparison import compare
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.verdict import Verdict
from keras_shiftguard.domains.alignment.reversal import GradientReversal
from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.explain.estimates.estimate import AccuracyEstimate, estimate_accuracy
from keras_shiftguard.explain.gap import explain_gap
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.operations.label_repair import LabelRepair as _LabelRepair  # noqa: F401
from keras_shiftguard.operations.repair import Repair as _Repair  # noqa: F401  # saved models hold it
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnose import diagnose
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile

__version__ = "0.3.0"

__all__ = [
    "AccuracyEstimate",
    "AdaptiveAugmentation",
    "BadInputError",
    "Diagnosis",
    "DomainAdaptationModel",
    "GapReport",
    "GradientReversal",
    "InputConvention",
    "InputCorrection",
    "InputProfile",
    "PreprocessingMismatchError",
    "ShiftDetectedError",
    "ShiftGuard",
    "ShiftGuardError",
    "ShiftReport",
    "ShiftWarning",
    "Verdict",
    "compare",
    "diagnose",
    "estimate_accuracy",
    "explain_gap",
    "profile",
]


def __dir__() -> list[str]:
    """Returns the public names and `__...__` names; subpackages are not part of the interface."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])

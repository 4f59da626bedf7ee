"""Says why a Keras model is less accurate than it should be, and repairs it.

import keras_shiftguard as sg

guard = sg.ShiftGuard(log_dir="logs/run1")
model.fit(train, validation_data=val, callbacks=[guard])
print(guard.diagnosis)

print(sg.diagnose(model, images))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# First: whether Keras can run at all.
from keras_shiftguard import backend as _backend  # noqa: F401
from keras_shiftguard import saved_classes as _saved_classes

if TYPE_CHECKING:
    from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
    from keras_shiftguard.adaptation.domains.model import DomainAdaptationModel
    from keras_shiftguard.adaptation.domains.reversal import GradientReversal
    from keras_shiftguard.callback.guard import ShiftGuard
    from keras_shiftguard.comparison import compare
    from keras_shiftguard.detection.report import ShiftReport
    from keras_shiftguard.errors import (
        BadInputError,
        PreprocessingMismatchError,
        ShiftGuardError,
        ShiftWarning,
    )
    from keras_shiftguard.explain.gap import explain_gap
    from keras_shiftguard.explain.report import GapReport
    from keras_shiftguard.instrument.measure import profile
    from keras_shiftguard.preprocessing.correction.convention import InputConvention
    from keras_shiftguard.preprocessing.correction.layer import InputCorrection
    from keras_shiftguard.preprocessing.diagnose import diagnose
    from keras_shiftguard.preprocessing.diagnosis import Diagnosis
    from keras_shiftguard.profiles import InputProfile

__version__ = "0.1.0"

__all__ = [
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
    "ShiftGuard",
    "ShiftGuardError",
    "ShiftReport",
    "ShiftWarning",
    "compare",
    "diagnose",
    "explain_gap",
    "profile",
]

# Where they live: read when a name is first asked for, since all of them together
# take half a second. Type checkers read the imports above.
_MODULES = {
    "AdaptiveAugmentation": "keras_shiftguard.adaptation.augmentation.layer",
    "BadInputError": "keras_shiftguard.errors",
    "Diagnosis": "keras_shiftguard.preprocessing.diagnosis",
    "DomainAdaptationModel": "keras_shiftguard.adaptation.domains.model",
    "GapReport": "keras_shiftguard.explain.report",
    "GradientReversal": "keras_shiftguard.adaptation.domains.reversal",
    "InputConvention": "keras_shiftguard.preprocessing.correction.convention",
    "InputCorrection": "keras_shiftguard.preprocessing.correction.layer",
    "InputProfile": "keras_shiftguard.profiles",
    "PreprocessingMismatchError": "keras_shiftguard.errors",
    "ShiftGuard": "keras_shiftguard.callback.guard",
    "ShiftGuardError": "keras_shiftguard.errors",
    "ShiftReport": "keras_shiftguard.detection.report",
    "ShiftWarning": "keras_shiftguard.errors",
    "compare": "keras_shiftguard.comparison",
    "diagnose": "keras_shiftguard.preprocessing.diagnose",
    "explain_gap": "keras_shiftguard.explain.gap",
    "profile": "keras_shiftguard.instrument.measure",
}

_saved_classes.register()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])

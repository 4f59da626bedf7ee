"""Says why a Keras model is less accurate than it should be, and repairs it.

import keras_shiftguard as sg

guard = sg.ShiftGuard(log_dir="logs/run1")
model.fit(train, validation_data=val, callbacks=[guard])
print(guard.diagnosis)

print(sg.diagnose(model, images))
"""

# First: whether Keras can run at all.
from keras_shiftguard import backend as _backend  # noqa: F401
from keras_shiftguard.adaptation.model import DomainAdaptationModel
from keras_shiftguard.adaptation.reversal import GradientReversal
from keras_shiftguard.augmentation.layer import AdaptiveAugmentation
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
from keras_shiftguard.guard import ShiftGuard
from keras_shiftguard.measure import profile
from keras_shiftguard.preprocessing.convention import InputConvention
from keras_shiftguard.preprocessing.correction import InputCorrection
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

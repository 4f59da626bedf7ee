"""Names of the public contract that this version does not contain yet.

Other programs already call them: they get a clear error, not a missing name.
"""

from typing import Any, NoReturn

from keras_shiftguard.errors import NotInThisVersionError


def explain_gap(
    model: Any, data: Any, reference: Any = None, max_samples: int | None = None
) -> NoReturn:
    """Not in this version: explains an accuracy gap row by row."""
    _refuse("explain_gap()")


def DomainAdaptationModel(*args: Any, **kwargs: Any) -> NoReturn:
    """Not in this version: the domain-adversarial model."""
    _refuse("DomainAdaptationModel")


def GradientReversal(*args: Any, **kwargs: Any) -> NoReturn:
    """Not in this version: the gradient-reversal layer."""
    _refuse("GradientReversal")


def AdaptiveAugmentation(*args: Any, **kwargs: Any) -> NoReturn:
    """Not in this version: the augmentation layer that follows the shift."""
    _refuse("AdaptiveAugmentation")


def _refuse(name: str) -> NoReturn:
    raise NotInThisVersionError(
        f"keras_shiftguard.{name} is not in this version, which checks preprocessing (`diagnose`, "
        "`ShiftGuard`) and finds shift (`ShiftGuard`, `compare`). See CHANGELOG.md for what is."
    )

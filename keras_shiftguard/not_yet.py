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


def _refuse(name: str) -> NoReturn:
    raise NotInThisVersionError(
        f"keras_shiftguard.{name} is not in this version, which checks preprocessing (`diagnose`, "
        "`ShiftGuard`), finds shift (`ShiftGuard`, `compare`) and adapts to it "
        "(`DomainAdaptationModel`). See CHANGELOG.md for what is."
    )

"""The methods of `DomainAdaptationModel` by name."""

from collections.abc import Callable
from typing import Any

from keras_shiftguard.domains.alignment.adamatch import AdaMatch
from keras_shiftguard.domains.alignment.adversarial import DomainAdversarial
from keras_shiftguard.domains.alignment.discrepancy import CORAL_WEIGHT, Discrepancy, coral, mmd
from keras_shiftguard.domains.auto import FIRST_STAGE, MOMENTUM
from keras_shiftguard.domains.report import ALIGNING
from keras_shiftguard.errors import BadInputError

METHODS = (*ALIGNING, "adamatch", "augmentation")
# The methods that need class probabilities, and those that need a strong view of each sample.
NEED_CLASSES = ("cdan", "adamatch", "auto")
NEED_VIEWS = ("adamatch", "augmentation", "auto")


def method_names(method: Any) -> tuple[str, ...]:
    """Returns the argument `method` as a tuple of names.

    Raises:
        BadInputError: If it is neither `"auto"`, nor one of `METHODS`, nor a tuple of these.
    """
    names = tuple(method) if isinstance(method, list | tuple) else (method,)
    if names == ("auto",):
        return names
    if not names or any(name not in METHODS for name in names) or len(set(names)) < len(names):
        raise BadInputError(
            f"`method` must be 'auto', one of {METHODS}, or a tuple of different ones of these. "
            f"Received: method={method!r}"
        )
    return names


def refuse_classes(names: tuple[str, ...], why: str) -> None:
    """Raises a BadInputError, with what is lacking, if one of the methods needs classes."""
    for name in names:
        if name in NEED_CLASSES:
            raise BadInputError(f"method={name!r} needs {why}")


def make_methods(
    names: tuple[str, ...], width: int, num_classes: int, units: tuple[int, ...], entropy: bool
) -> list[Any]:
    """Returns a built layer for each method; `layer.loss(pair, progress, strength)` is its loss.

    `"augmentation"` has no loss of its own, and no layer.
    """
    make: dict[str, Callable[[], Any]] = {
        "dann": lambda: DomainAdversarial(0, units, name="dann"),
        "cdan": lambda: DomainAdversarial(num_classes, units, entropy, name="cdan"),
        "mmd": lambda: Discrepancy(mmd, 1.0, name="mmd"),
        "coral": lambda: Discrepancy(coral, CORAL_WEIGHT, name="coral"),
        "adamatch": lambda: AdaMatch(num_classes, name="adamatch"),
        "auto": lambda: AdaMatch(num_classes, FIRST_STAGE, MOMENTUM, name="adamatch"),
    }
    layers = [make[name]() for name in names if name in make]
    for layer in layers:
        layer.build((None, width))
    return layers

"""The classes that a saved model may name, known to Keras before they are imported.

`keras.models.load_model` looks a class up by its registered name alone, after an
`import keras_shiftguard` that is to cost nothing. So what is registered at import is a
stand-in, which imports the class when a model that holds one is loaded.
"""

from importlib import import_module
from typing import Any

import keras

PACKAGE = "keras_shiftguard"
MODULES = {
    "AdaptiveAugmentation": "augmentation.layer",
    "Alignment": "adaptation.alignment",
    "DomainAdaptationModel": "adaptation.model",
    "DomainHead": "adaptation.domain_head",
    "GradientReversal": "adaptation.reversal",
    "InputCorrection": "preprocessing.correction",
}


def register() -> None:
    """Registers a stand-in for each class that is not imported yet."""
    registered = keras.saving.get_custom_objects()
    for name, module in MODULES.items():
        registered.setdefault(f"{PACKAGE}>{name}", StandIn(name, module))


class StandIn:
    """What Keras finds in the registry until the class itself registers there.

    Args:
        name: Of the class.
        module: Where it is, below the package.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.module = module

    def from_config(self, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """An instance of the class, as its own `from_config` makes it."""
        cls = getattr(import_module(f"{PACKAGE}.{self.module}"), self.name)
        with keras.saving.custom_object_scope(custom_objects or {}):
            return cls.from_config(config)

"""The compiled steps of a model, swapped for those that measure, and back."""

from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import keras

KINDS = ("train", "test")


class CompiledSteps:
    """What Keras compiled of a model's steps as they were, and as they are wrapped.

    Tracing a step takes seconds, and TensorFlow never lets go of a graph that was
    traced for training. So Keras's own steps are put back as they were, and the
    wrapped ones can be used again until `compile`.

    Args:
        model: A compiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._plain: dict[str, Any] = {}
        self._wrapped: dict[str, Any] = {}

    def wrap(self) -> None:
        """Has the steps compiled as they are wrapped now; tracing waits for the next batch."""
        before, self._plain = self._plain, _functions(self.model)
        for kind, plain in self._plain.items():
            if plain is not None:  # else Keras makes it when it is needed, as it is now
                if self._wrapped.get(kind) is not None and plain == before[kind]:
                    setattr(self.model, f"{kind}_function", self._wrapped[kind])
                else:
                    _make(self.model, kind)
        self._wrapped = _functions(self.model)

    def unwrap(self) -> bool:
        """Puts the plain ones back, once the steps of the model are plain again.

        Returns:
            Whether `wrap` may be called again. Not where somebody had a step compiled
            in between, or compiles steps in a way of his own: then they are made anew.
        """
        now = _functions(self.model)
        known = all(_is_made_by_keras(self.model, kind) for kind in KINDS)
        for kind, wrapped in self._wrapped.items():
            known &= wrapped is None or now[kind] == wrapped
        for kind, function in now.items():
            if known and self._plain[kind] is not None:
                setattr(self.model, f"{kind}_function", self._plain[kind])
            elif function is not None:  # never None again: Keras may be about to call it
                _make(self.model, kind)
        self._plain, self._wrapped = _functions(self.model), now if known else {}
        return known


def keep(model: keras.Model, key: Hashable, thing: Any) -> None:
    """Keeps a thing as long as Keras keeps the model's compiled steps."""
    # With the functions themselves, which `compile` drops: there is nothing to undo.
    for function in _functions(model).values():
        with suppress(AttributeError):  # None, or a method
            function.shiftguard = {**getattr(function, "shiftguard", {}), key: thing}


def kept(model: keras.Model, key: Hashable) -> Any:
    """What `keep` kept; None if there is nothing, or the model was compiled since."""
    functions = _functions(model).values()
    return next((f.shiftguard[key] for f in functions if key in getattr(f, "shiftguard", ())), None)


def _functions(model: keras.Model) -> dict[str, Any]:
    return {kind: getattr(model, f"{kind}_function") for kind in KINDS}


def _make(model: keras.Model, kind: str) -> None:
    getattr(model, f"make_{kind}_function")(force=True)


def _is_made_by_keras(model: keras.Model, kind: str) -> bool:
    """Whether nobody has a way of his own to make a step, which may change more than it."""
    return str(getattr(model, f"make_{kind}_function").__module__).startswith("keras.")

"""The compiled steps of a model, swapped for those that measure, and back."""

from contextlib import suppress
from typing import Any

import keras

KINDS = ("train", "test")


class CompiledSteps:
    """What Keras compiled of a model's steps as they were, and as they are wrapped.

    Tracing a step takes seconds, and TensorFlow never lets go of a graph that was
    traced for training. So neither of the two is made anew from fit to fit: both
    live as long as Keras keeps its own, until `compile`.

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
        known = all(_is_kerass_own(self.model, kind) for kind in KINDS)
        for kind, wrapped in self._wrapped.items():
            known &= wrapped is None or now[kind] == wrapped
        for kind, function in now.items():
            if known and self._plain[kind] is not None:
                setattr(self.model, f"{kind}_function", self._plain[kind])
            elif function is not None:  # never None again: Keras may be about to call it
                _make(self.model, kind)
        self._plain, self._wrapped = _functions(self.model), now
        return known


def keep(model: keras.Model, thing: Any) -> None:
    """Keeps a thing as long as Keras keeps the model's compiled steps."""
    # As an attribute of a function that `compile` drops: there is nothing to undo.
    with suppress(AttributeError):
        _anchor(model).shiftguard = thing


def kept(model: keras.Model) -> Any:
    """What `keep` kept; None if there is nothing, or the model was compiled since."""
    return getattr(_anchor(model), "shiftguard", None)


def _anchor(model: keras.Model) -> Any:
    return next((f for f in _functions(model).values() if f is not None), None)


def _functions(model: keras.Model) -> dict[str, Any]:
    return {kind: getattr(model, f"{kind}_function") for kind in KINDS}


def _make(model: keras.Model, kind: str) -> None:
    getattr(model, f"make_{kind}_function")(force=True)


def _is_kerass_own(model: keras.Model, kind: str) -> bool:
    """Whether making a step changes no more than the one function."""
    return str(getattr(model, f"make_{kind}_function").__module__).startswith("keras.")

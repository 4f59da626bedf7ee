"""Swaps a model's compiled steps for steps that measure, and restores them later."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

import keras

KINDS = ("train", "test")  # as in `model.train_function` and `model.test_function`


class CompiledSteps:
    """The compiled train and test functions of a model, with and without the measurement.

    Tracing a step takes seconds, and TensorFlow never frees a graph that was traced
    for training. So Keras's own functions are restored and not traced again, and the
    functions that measure can be used again until the model is compiled.

    The function that is set on the model chooses at each batch: it calls the function that
    measures if `is_active`, else Keras's own. So a fit without the guard, after one with the
    guard that was interrupted, is neither measured nor changed.

    Args:
        model: A compiled model.
        is_active: Function that takes `"train"` or `"test"`, and returns whether the present
            batch of that step must be measured.
    """

    def __init__(self, model: keras.Model, is_active: Callable[[str], bool]) -> None:
        self.model = model
        self._is_active = is_active
        # By kind: Keras's own function, and the function that chooses between it and measuring.
        self._plain: dict[str, Any] = {}
        self._wrapped: dict[str, Any] = {}

    def make_plain(self) -> dict[str, Any]:
        """Makes Keras's own functions and returns them by kind, without tracing them.

        Call it before the steps of the model are wrapped.
        """
        for kind in KINDS:
            getattr(self.model, f"make_{kind}_function")()
        return _functions(self.model)

    def wrap(self, plain: dict[str, Any]) -> None:
        """Sets the measuring functions on the model; new ones are traced at the next batch.

        Those of an earlier `wrap` are used again while Keras's own functions are the same.

        Args:
            plain: The result of `make_plain`.
        """
        before, self._plain = self._plain, plain
        for kind in KINDS:
            if self._wrapped.get(kind) is None or plain[kind] != before[kind]:
                _make(self.model, kind)
                measuring = getattr(self.model, f"{kind}_function")
                self._wrapped[kind] = self._choosing(kind, measuring, plain[kind])
            setattr(self.model, f"{kind}_function", self._wrapped[kind])

    def _choosing(self, kind: str, measuring: Any, plain: Any) -> Callable[..., Any]:
        """Returns a function that calls `measuring` if `is_active(kind)`, else `plain`."""

        def function(*arguments: Any) -> Any:
            return (measuring if self._is_active(kind) else plain)(*arguments)

        return function

    def unwrap(self) -> bool:
        """Restores Keras's functions. Call it after the steps of the model were restored.

        Returns:
            Whether a later `wrap` can reuse the wrapped functions. It cannot if a callback
            recompiled a step in between, or if the model overrides `make_train_function`
            or `make_test_function`: then all functions are compiled again.
        """
        now = _functions(self.model)
        reusable = all(_is_made_by_keras(self.model, kind) for kind in KINDS)
        for kind, wrapped in self._wrapped.items():
            reusable &= now[kind] == wrapped
        for kind, function in now.items():
            if reusable:
                setattr(self.model, f"{kind}_function", self._plain[kind])
            elif function is not None:  # must not become None: Keras may be about to call it
                _make(self.model, kind)
        self._plain, self._wrapped = _functions(self.model), now if reusable else {}
        return reusable


def cache(model: keras.Model, key: Hashable, value: Any) -> None:
    """Caches a value until the model is compiled again.

    The value is an attribute of the compiled functions, which `compile` drops, so
    nothing has to be cleaned up.
    """
    for function in _functions(model).values():
        with suppress(AttributeError):  # None and methods take no attributes
            function.shiftguard = {**getattr(function, "shiftguard", {}), key: value}


def cached(model: keras.Model, key: Hashable) -> Any:
    """Returns the value that `cache` stored; None without one, or after `compile`."""
    functions = _functions(model).values()
    return next((f.shiftguard[key] for f in functions if key in getattr(f, "shiftguard", ())), None)


def _functions(model: keras.Model) -> dict[str, Any]:
    """Returns the train and test functions of a model by kind; None if not made yet."""
    return {kind: getattr(model, f"{kind}_function") for kind in KINDS}


def _make(model: keras.Model, kind: str) -> None:
    """Makes Keras compile a function of the model anew."""
    getattr(model, f"make_{kind}_function")(force=True)


def _is_made_by_keras(model: keras.Model, kind: str) -> bool:
    """Whether the model inherits `make_{kind}_function` from Keras.

    An override may change more of the model than the compiled function.
    """
    return str(getattr(model, f"make_{kind}_function").__module__).startswith("keras.")

"""`GradientReversal`: a layer that returns its input and reverses the gradient."""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.statistics.state import untrained


def reverse(x: Any, strength: Any) -> Any:
    """Returns `x`; its gradient is multiplied by `-strength`.

    The code adds a multiple of `x - stop_gradient(x)`, which is exactly zero. So finite values
    stay the same bit for bit in every precision; `(1 + s) * stop_gradient(x) - s * x` would
    round them. Infinity becomes NaN.

    Args:
        x: A floating-point tensor of any shape.
        strength: A scalar, at least 0.
    """
    constant = ops.stop_gradient(x)
    return constant - ops.cast(strength, x.dtype) * (x - constant)


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class GradientReversal(keras.layers.Layer):
    """Gradient reversal layer: returns its input unchanged, and reverses the gradient.

    The layers after it learn to tell the domains apart; the layers before it learn
    to make that impossible.

    Args:
        strength: Factor of the reversed gradient, at least 0. The layer keeps it in the
            variable `self.strength`, which can be assigned at any time, also while a
            compiled `fit` runs.

    Call arguments:
        inputs: A tensor of any shape, in float32, float16 or bfloat16.

    Output shape:
        The shape and dtype of the input.

    Raises:
        BadInputError: If `strength` is negative or not finite.

    Reference: Ganin et al., "Domain-Adversarial Training of Neural Networks",
    JMLR 17 (2016), section 4.2.

    Example:

    >>> float(GradientReversal(0.5)(np.full((1, 1), 3.0, "float32"))[0, 0])
    3.0
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= strength < float("inf"):
            raise BadInputError(
                "`strength` must be a finite number, at least 0, since the layer itself changes "
                "the sign of the gradient. "
                f"Received: strength={strength!r}"
            )
        self.initial_strength = float(strength)
        self.strength = untrained(self, "strength", self.initial_strength)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return reverse(inputs, self.strength)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.initial_strength}

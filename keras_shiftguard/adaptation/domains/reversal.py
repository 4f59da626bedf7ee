"""`GradientReversal`: the identity, whose gradient points the other way."""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.errors import BadInputError


def reverse(x: Any, strength: Any) -> Any:
    """`x`, with `-strength` times the gradient.

    The difference in brackets is exactly zero, so the value is that of `x` bit
    for bit in every precision; `(1 + s) * stop_gradient(x) - s * x` is not.
    """
    d = ops.stop_gradient(x)
    return d - ops.cast(strength, x.dtype) * (x - d)


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class GradientReversal(keras.layers.Layer):
    """Hands its input on unchanged, and reverses the gradient that comes back.

    What stands behind the layer learns to tell the domains apart; what stands
    before it learns to make that impossible.

    Args:
        strength: What the gradient is multiplied with, after its sign is
            turned. Kept in a variable, `self.strength`: `assign` it at any
            time, also while a compiled `fit` runs.

    Call arguments:
        inputs: A tensor of any shape, in float32, float16 or bfloat16.

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
                "`strength` must be a finite number, at least 0: the layer turns the sign itself. "
                f"Received: strength={strength!r}"
            )
        self.initial_strength = float(strength)
        self.strength = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_strength),
            dtype="float32",
            trainable=False,
            autocast=False,
            name="strength",
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        return reverse(inputs, self.strength)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.initial_strength}

"""`InferenceCall`: a model in inference mode, on named arrays, without any change of the model."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import as_called, no_gradients


class InferenceCall:
    """Calls a model in inference mode, with its present weights.

    On TensorFlow the call is compiled, unless the model runs eagerly: an eager call takes some
    milliseconds for each layer, and a recurrent layer loops over its steps in Python. What is
    compiled belongs to this object, not to the model. Python values that the model's `call` reads
    are those of the first call, as in `fit`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

        def run(fed: Any) -> Any:
            return keras.tree.map_structure(ops.stop_gradient, model(fed, training=False))

        self._run: Callable[[Any], Any] = run
        if keras.backend.backend() == "tensorflow" and not getattr(model, "run_eagerly", False):
            import tensorflow as tf

            self._run = tf.function(run, autograph=False, reduce_retracing=True)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Returns the outputs of the model, tensors without gradients."""
        with keras.StatelessScope(), no_gradients():
            return self._run(as_called(self.model, inputs))

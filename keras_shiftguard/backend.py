"""Keras needs a backend; without one the error says what to install."""

from keras_shiftguard.errors import NoBackendError

try:
    import keras  # noqa: F401
except ModuleNotFoundError as error:
    # Keras imports the backend of KERAS_BACKEND, TensorFlow by default, and names no way out.
    if error.name is None or error.name.split(".")[0] not in ("tensorflow", "jax", "torch"):
        raise
    raise NoBackendError(error.name.split(".")[0]) from error

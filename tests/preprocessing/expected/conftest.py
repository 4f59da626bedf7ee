"""A network of `keras.applications` for the tests of the structure of models."""

import pytest
from structures import trunk


@pytest.fixture(scope="module")
def base():
    """Returns MobileNetV2 in its published width, without its classifier; it expects `tf`."""
    return trunk("MobileNetV2", pooling="avg")

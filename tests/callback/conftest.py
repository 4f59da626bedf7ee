"""Each test of this folder starts with the same random numbers."""

import keras
import pytest


@pytest.fixture(autouse=True)
def the_same_random_numbers_for_each_test():
    """Seeds the weights of models, which layers draw when they are made."""
    keras.utils.set_random_seed(0)

"""Each test of this folder starts with the same random numbers."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def the_same_random_numbers_for_each_test(request):
    """Seeds the generator `RNG` of a file, so that no test depends on earlier ones."""
    if hasattr(request.module, "RNG"):
        state = np.random.default_rng(0).bit_generator.state
        request.module.RNG.bit_generator.state = state

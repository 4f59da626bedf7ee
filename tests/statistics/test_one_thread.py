"""On PyTorch an update runs in one CPU thread; afterwards the number of threads is as before."""

import keras
import pytest

from keras_shiftguard.statistics.compiled import compiled_once
from keras_shiftguard.statistics.state import State

pytestmark = [
    pytest.mark.backend,
    pytest.mark.each_backend,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch"),
]


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_as_before(fails):
    import torch

    def update():
        seen.append(torch.get_num_threads())
        if fails:
            raise ValueError

    seen, before = [], torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ValueError) if fails else pytest.MonkeyPatch.context():
            compiled_once(update, State("test"), "key")
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)

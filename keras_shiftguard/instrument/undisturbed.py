"""Contexts that keep the computations of `ShiftGuard` from changing the training.

A fit with `ShiftGuard` must draw the same random numbers as a fit without it. But the data that it
reads may be shuffled with a global random generator. A new pass over a PyTorch `DataLoader`
always draws from PyTorch's generator, and so does `model.predict` on PyTorch. Shuffling and dropout
in training use the same generator.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.state import assign, read


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Context after which the global generators of Python, NumPy and PyTorch are as before.

    Use this context only for reading the user's data: if other threads draw random numbers in the
    meantime, they draw the same numbers again later.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with same_torch_numbers():
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def same_torch_numbers() -> AbstractContextManager[Any]:
    """Returns a context after which PyTorch's generators, of CPU and current GPU, are as before.

    The context does nothing if PyTorch is not imported.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return nullcontext()
    on_gpu = torch.cuda.is_initialized()
    devices = [torch.cuda.current_device()] if on_gpu else []
    forked: AbstractContextManager[Any] = torch.random.fork_rng(devices=devices)
    return forked


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Context for forward passes in inference mode, after which a model is as before.

    The context restores the state of PyTorch's random generators, the seeds of layers that draw
    random numbers in inference as well, and on PyTorch the mode of each module. The modules run in
    evaluation mode, because in training mode a `torch.nn.BatchNorm2d` inside a layer would change
    its statistics.
    """
    states = model.non_trainable_variables
    seeds = [(v, read(v)) for v in states if "int" in str(v.dtype) and tuple(v.shape) == (2,)]
    modules = model.modules() if keras.backend.backend() == "torch" else ()
    modes = [(module, module.training) for module in modules]
    try:
        if modes:
            model.eval()
        with same_torch_numbers():
            yield
    finally:
        for module, is_training in modes:
            module.training = is_training
        for variable, before in seeds:
            if not np.array_equal(read(variable), before):
                assign(variable, before)

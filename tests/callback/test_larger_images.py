"""Larger validation images, of which those of training may be crops."""

import numpy as np

import keras_shiftguard as sg
from keras_shiftguard.callback.questions import are_larger
from keras_shiftguard.profiles import InputProfile


def images(*sizes):
    rng = np.random.default_rng(0)
    batches = [rng.random((8, *size, 3)).astype("float32") for size in sizes]
    return sg.profile(iter(batches))


def test_every_image_must_be_as_large():
    small = images((16, 16))
    assert are_larger(small, images((24, 24)))
    assert not are_larger(images((24, 24)), small)
    assert not are_larger(small, images((24, 12)))
    assert not are_larger(small, images((24, 24), (12, 12)))


def test_tables_and_missing_inputs_have_no_size():
    table = sg.profile(np.random.default_rng(0).random((40, 5)).astype("float32"))
    assert not are_larger(table, table)
    assert not are_larger(images((16, 16)), InputProfile())

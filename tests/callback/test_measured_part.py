"""The verdict of a run is the same whether a part of the samples or all of them are measured."""

import lite0
import numpy as np
import pytest
from photos import imagenet_photos

import keras_shiftguard as sg
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.statistics import schedule, stream

CAFFE = InputConvention("caffe", "bgr")
FED = {
    "right": CAFFE,
    "unit": InputConvention("unit"),
    "raw": InputConvention("raw", "bgr"),
    "swapped": InputConvention("caffe"),
}
PHOTOS = imagenet_photos()[0]
ROWS = 8  # measured in full of a batch of 20, so a smaller part than of a batch of 64 in a fit


@pytest.fixture(scope="module")
def network():
    model = lite0.build(CAFFE)
    model.compile(loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.thorough
@pytest.mark.eager
@pytest.mark.parametrize("name", FED)
def test_the_verdict_on_the_first_batches(name, network, monkeypatch):
    images = FED[name].from_raw(PHOTOS)

    def verdict(rows):
        for module in (schedule, stream):
            monkeypatch.setattr(module, "ROWS", rows)
        monkeypatch.setattr(schedule, "SAMPLES_PER_PASS", rows)
        guard = sg.ShiftGuard(on_mismatch="ignore", on_shift="ignore", verbose=0)
        network.evaluate(images, np.zeros(20), 20, callbacks=[guard], verbose=0)
        return guard.diagnosis

    part, whole = verdict(ROWS), verdict(len(PHOTOS))
    for each in (part, whole):
        assert each.status == ("ok" if name == "right" else "mismatch"), each
        assert (each.expected, each.observed) == (CAFFE, FED[name])
    assert part.advice == whole.advice

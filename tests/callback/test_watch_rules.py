"""The rules of `ShiftWatch`, on profiles without a fit: findings, questions, notes and state."""

import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.callback.checks import augmented
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.errors import ShiftWarning


def images(seed, n=300, noise=0.0, gain=0.0):
    """Returns images of coarse patterns, with noise and a random gain for each."""
    rng = np.random.default_rng(seed)
    x = np.kron(rng.random((n, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    x = x * (1 + gain * rng.uniform(-1, 1, (n, 1, 1, 1)))
    return (x + (0.05 + noise) * rng.normal(size=x.shape)).astype("float32")


def stream(x, classes=10):
    """Returns the profile of images with class ids; the last class is twice as frequent."""
    return sg.profile((x, np.minimum(np.arange(len(x)) % (classes + 1), classes - 1)))


def watch(tolerance=None, **options):
    return ShiftWatch(0.05, "ignore", tolerance, **options)


PLAIN = stream(images(0))


def augmented_after(passes):
    """Returns the findings on augmentation after each epoch, and the notes of the check."""
    guard, state, findings, notes = watch(), None, [], []
    for number, validation in enumerate(passes, 1):
        now = {"train": PLAIN, "validation": validation}
        guard.compare(now, number)
        state, told = augmented.look(state, Epoch(number, {}, now, None, pairs=guard.pairs))
        guard.apply(told)
        found = [f for f in guard.report.findings if f.family == "augmentation"]
        findings.append(found[0] if found else None)
        notes += told.notes
    return findings, notes


def test_augmentation_in_validation_has_the_p_value_of_its_labels():
    (first, found), _ = augmented_after(stream(images(epoch, gain=0.3)) for epoch in (1, 2))
    assert first is None and found.since == 2 and found.p_value < 1e-6


def test_a_drawn_validation_of_two_classes_is_not_called_augmented():
    """In a few epochs, two draws may have the same class counts by chance."""
    drawn = (stream(images(i, 100), n) for i, n in enumerate((2, 2, 3, 2)))
    assert augmented_after(drawn) == ([None] * 4, [])
    # The same class counts in many epochs cannot be chance.
    findings, _ = augmented_after(stream(images(i, 100), 2) for i in range(8))
    assert findings[:2] == [None, None] and findings[-1].p_value < 1e-4


def test_as_many_samples_of_each_class_may_be_a_sampler():
    """A sampler that draws four samples of each class has these counts in every epoch."""
    drawn = (sg.profile((images(i, 100), np.arange(100) % 10)) for i in range(3))
    findings, notes = augmented_after(drawn)
    assert findings == [None] * 3 and len(notes) == 1 and "a sampler draws" in notes[0]


def test_an_unaugmented_reference_does_not_accuse_augmented_training():
    guard = watch(0.01, reference=PLAIN)
    for epoch in (1, 2, 3):
        augmented = stream(images(epoch, gain=0.4))
        guard.compare({"train": augmented, "validation": PLAIN}, epoch)
        guard.mark_open()
        told = [f for f in guard.report.findings if f.against == "reference"]
        assert told and not any(f.matters for f in told)


@pytest.mark.parametrize(
    ("tolerance", "gain", "epochs"), [(None, 1, (1, 1)), (0.01, 1, (0, 1)), (0.01, 255, (1, 1))]
)
def test_unaugmented_training_that_differs_from_the_reference_is_told(tolerance, gain, epochs):
    """The second epoch shows that training is not augmented; another scale is certain at once."""
    guard = watch(tolerance, reference=PLAIN)
    for epoch, is_alarm in enumerate(epochs, 1):
        guard.compare({"train": stream(gain * images(0, noise=0.02))}, epoch)
        guard.mark_open()
        told = [f for f in guard.report.findings if f.against == "reference"]
        assert told and any(f.matters for f in told) == is_alarm


@pytest.mark.parametrize("name", ["validation", "prediction"])
def test_a_pass_alone_says_what_is_missing(name):
    guard = watch(streams=("prediction",) if name == "prediction" else ("train", "validation"))
    guard.compare({name: PLAIN}, None)
    what = "an evaluation" if name == "validation" else "a prediction"
    (note,) = guard.report.notes
    assert note.startswith(f"{what} alone has nothing to compare with")


def test_an_evaluation_is_no_training_to_stop():
    guard = ShiftWatch(0.05, "stop", None, reference=PLAIN)
    guard.compare({"validation": stream(images(1) * 3)}, None)
    with pytest.warns(ShiftWarning) as warned:
        assert not guard.act(in_fit=False)
    assert "Training stops" not in str(warned[0].message)

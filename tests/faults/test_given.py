"""Injected faults of the reference and target data.

A fault gives one warning, and changes neither the training nor what the log already holds. Every
test belongs to a row of docs/faults.md.
"""

import zipfile

import keras
import pytest
from faults.fits import BACKEND, TARGET, X, quiet, records, same, watched

import keras_shiftguard as sg
from keras_shiftguard.profiles.attached import MEMBER, OF_KERAS

pytestmark = pytest.mark.eager


def damaged(path, how):
    sg.profile(X).save(path)
    whole = path.read_bytes()
    half = len(whole) // 2
    changed = {
        "empty": b"",
        "a byte in the middle": whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :],
    }
    path.write_bytes(changed[how])
    return path


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["empty", "a byte in the middle"])
def test_the_reference_profile_is_damaged(how, tmp_path, unwatched):
    guard = quiet(reference=damaged(tmp_path / "train.profile", how), log_dir=tmp_path / "logs")
    weights, warned = watched(guard)
    assert same(weights, unwatched)
    assert len(warned) == 1 and "reference" in warned[0] and "train.profile" in warned[0]
    assert guard.report is not None and set(guard.profiles) == {"train", "validation"}
    assert len(records(tmp_path / "logs")) > 10


@pytest.mark.thorough
def test_the_profile_attached_to_the_reference_is_damaged(tmp_path, unwatched):
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for member in (*OF_KERAS, MEMBER):
            archive.writestr(member, "{}")
    weights, warned = watched(quiet(reference=tmp_path / "model.keras"))
    assert same(weights, unwatched)
    assert len(warned) == 1 and "reference" in warned[0] and "model.keras" in warned[0]


class Failing(keras.utils.PyDataset):
    """Target data of three batches, which fail after `good` reads."""

    def __init__(self, good):
        super().__init__()
        self.good = good

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.good -= 1
        if self.good < 0:
            raise ConnectionError("the storage is gone")
        return TARGET[32 * index : 32 * (index + 1)]


@pytest.mark.thorough
# The target fails while it is measured, in its first prediction, or in the second epoch.
@pytest.mark.backend
@pytest.mark.to_the_bit
@pytest.mark.parametrize("good", [2, 3, 8])
def test_the_target_raises(good, unwatched):
    if BACKEND != "tensorflow" and good == 2:
        pytest.skip("the target is measured in the same way on every backend")
    guard = quiet(target_data=Failing(good))
    weights, warned = watched(guard)
    assert same(weights, unwatched)
    assert len(warned) == 1 and "the storage is gone" in warned[0] and "target" in warned[0]
    assert guard.report.num_samples["train"] == len(X)  # the other streams are still measured
    assert guard.profiles["train"].num_samples == len(X)


@pytest.mark.thorough
def test_the_target_raises_where_training_is_adapted_to_it():
    guard = quiet(target_data=Failing(2), adapt=("augmentation", "batch_norm"))
    _, warned = watched(guard)
    assert len(warned) == 1 and "the storage is gone" in warned[0]
    assert guard.batch_norm is None

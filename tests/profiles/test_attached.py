"""Profiles attached to saved models: Keras loads the model, and this package reads the profile."""

import os
import stat
import sys
import zipfile

import keras
import numpy as np
import pytest
from attached_models import RAW, TF, UNIT, files, network

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, InputProfile, profile
from keras_shiftguard.profiles import storage
from keras_shiftguard.profiles.attached import MEMBER, has_profile


def test_the_model_loads_as_before_and_the_profile_comes_back(saved):
    before = keras.saving.load_model(saved).get_weights()
    os.chmod(saved, 0o640)
    profile(RAW).attach(saved)
    training = profile(TF)
    training.attach(saved)  # a second profile replaces the first
    for one, other in zip(before, keras.saving.load_model(saved).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    loaded = InputProfile.load(saved)
    (name,) = loaded.inputs
    np.testing.assert_array_equal(loaded.inputs[name].mean, training.inputs[name].mean)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640
    assert files(saved.parent) == ["model.keras"]
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist().count(MEMBER) == 1 and archive.testzip() is None


def test_saving_again_drops_it(saved):
    profile(RAW).attach(saved)
    assert has_profile(saved)
    network().save(saved)
    assert not has_profile(saved)
    with pytest.raises(BadInputError, match="No profile is attached"):
        InputProfile.load(saved)


def zeros(archive):
    """Writes a small file that unpacks to more than is read."""
    with archive.open(MEMBER, "w", force_zip64=True) as member:
        for _ in range(storage.MAX_BYTES // 2**20 + 1):
            member.write(bytes(2**20))


@pytest.mark.parametrize(
    ("write", "compression", "words"),
    [
        (lambda a: a.writestr(MEMBER, b"no profile"), zipfile.ZIP_STORED, "not a readable profile"),
        (lambda a: a.writestr(MEMBER, bytes(1000)), zipfile.ZIP_LZMA, "too large to read"),
        (zeros, zipfile.ZIP_DEFLATED, "too large to read"),
    ],
    ids=["broken", "lzma", "zeros"],
)
def test_a_broken_or_hostile_member_is_a_clear_error(saved, write, compression, words):
    level = 1 if compression == zipfile.ZIP_DEFLATED else None
    with zipfile.ZipFile(saved, "a", compression, compresslevel=level) as archive:
        write(archive)
    with pytest.raises(BadInputError, match=words):
        InputProfile.load(saved)


def test_a_damaged_zip_file_is_a_clear_error(saved):
    content = bytearray(saved.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at : at + 2] = b"??"  # damages the central directory
    saved.write_bytes(content)
    with pytest.raises(BadInputError, match="is not a readable profile"):
        InputProfile.load(saved)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_full_disk_leaves_the_old_file(saved):
    """A limit on file sizes stops the copy of the model in the middle, as a full disk does."""
    import resource

    before = saved.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (len(before) // 2, len(before) + 1000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(OSError):
                profile(RAW).attach(saved)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert saved.read_bytes() == before
        assert files(saved.parent) == ["model.keras"]


def test_a_link_to_the_model_stays_a_link(saved):
    link = saved.with_name("latest.keras")
    link.symlink_to(saved.name)
    profile(RAW).attach(link)
    assert link.is_symlink() and has_profile(saved)
    assert files(saved.parent) == ["latest.keras", "model.keras"]


def test_a_damaged_model_is_named_and_left_alone(saved):
    profile(RAW).attach(saved)
    with zipfile.ZipFile(saved) as archive:
        weights = archive.getinfo("model.weights.h5")
    content = bytearray(saved.read_bytes())
    content[weights.header_offset + 500] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(BadInputError, match="damaged model file"):
        profile(RAW).attach(saved)
    assert saved.read_bytes() == content and files(saved.parent) == ["model.keras"]


def test_a_profile_does_not_replace_a_model(saved):
    before = saved.read_bytes()
    with pytest.raises(BadInputError, match="is a saved model"):
        profile(RAW).save(saved)
    assert saved.read_bytes() == before


@pytest.mark.parametrize("name", ["train.profile", ".", "absent.keras"])
def test_what_is_no_model_is_refused(tmp_path, name):
    profile(RAW).save(tmp_path / "train.profile")
    with pytest.raises(BadInputError, match="attached to a .keras file"):
        profile(RAW).attach(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (3, "must be a path"),
        ("best.weights.h5", "cannot hold a profile"),
        ("best-{epoch:02d}.keras", "without placeholders"),
    ],
)
def test_a_path_that_can_hold_no_profile_is_refused_before_training(path, words):
    with pytest.raises(BadInputError, match=words):
        sg.ShiftGuard(attach_to=path)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
@pytest.mark.thorough
@pytest.mark.backend
def test_a_saved_model_directory_remembers_as_well(tmp_path):
    network().export(tmp_path / "exported", verbose=False)
    profile(UNIT).attach(tmp_path / "exported")
    assert InputProfile.load(tmp_path / "exported").num_samples == 16

"""Every release can read the profiles that earlier releases wrote."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_shiftguard as sg

STORED = sorted((Path(__file__).parent / "stored").glob("*.profile"))
MODELS = sorted((Path(__file__).parent / "stored").glob("*.keras"))
IMAGES = (np.arange(8 * 8 * 8 * 3).reshape(8, 8, 8, 3) * 37 % 256).astype("uint8")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_it_says_the_same_as_a_profile_made_today(path, tmp_path):
    old, new = sg.InputProfile.load(path), sg.profile((IMAGES, np.arange(8) % 3))
    assert old.num_samples == new.num_samples == 8
    (one,), (other,) = old.inputs.values(), new.inputs.values()
    assert np.allclose(one.mean, other.mean) and np.allclose(one.minimum, other.minimum)
    assert np.array_equal(one.counts, other.counts)
    assert (old + new).num_samples == 16
    assert not sg.compare(old, new).shifted
    old.save(tmp_path / "again.profile")
    assert sg.InputProfile.load(tmp_path / "again.profile").num_samples == 8


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_remembers_what_an_earlier_release_attached(path):
    assert keras.saving.load_model(path).count_params() == 579
    assert sg.InputProfile.load(path).num_samples == 8
    right, wrong = sg.diagnose(path, IMAGES / 255), sg.diagnose(path, IMAGES)
    assert (right.status, wrong.status, wrong.expected.mode) == ("ok", "mismatch", "unit")


def test_this_release_has_stored_one_of_each():
    text = "store sg.profile((IMAGES, np.arange(8) % 3)) as tests/profiles/stored/<version>.profile"
    text += ", and a model with sg.profile((IMAGES / 255, ...)) attached as <version>.keras"
    assert sg.__version__ in [path.stem for path in STORED], text
    assert sg.__version__ in [path.stem for path in MODELS], text

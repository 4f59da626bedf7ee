"""What an attached profile says of the input that its model must be fed."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from attached_models import RAW, TF, UNIT, network, quiet_guard
from keras import layers

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, ShiftWarning, diagnose, profile


def test_the_file_says_what_the_model_must_be_fed(saved):
    profile(TF).attach(saved)
    right, wrong = diagnose(saved, TF), diagnose(saved, RAW)
    assert right.status == "ok" and wrong.status == "mismatch"
    assert any("The profile attached to model.keras says" in text for text in wrong.evidence)
    np.testing.assert_allclose(np.asarray(wrong.fix(RAW)), TF, rtol=0, atol=1e-5)
    assert not sg.compare(saved, TF).shifted and sg.compare(saved, RAW).shifted
    # It also states what another model expects.
    found = diagnose(network(), RAW, expects=saved)
    assert (found.status, found.expected.mode) == ("mismatch", "tf")


def test_a_reference_says_what_the_model_expects(saved):
    profile(TF).attach(saved)
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", verbose=0)
    with pytest.warns(ShiftWarning, match="The profile attached to model.keras says"):
        network().predict(RAW, callbacks=[guard], verbose=0)
    assert guard.diagnosis.status == "mismatch" and guard.diagnosis.expected.mode == "tf"


def test_whose_word_counts(saved):
    """The user's word, then the attached profile, then the model's own layers or attribute."""
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, -1)(images))
    model = keras.Model(images, layers.Dense(2)(layers.Flatten()(x)))
    model.save(saved)
    assert diagnose(saved, RAW).expected.mode == "raw"
    profile(UNIT).attach(saved)
    assert diagnose(saved, RAW).expected.mode == "unit"
    assert diagnose(saved, RAW, expects="tf").expected.mode == "tf"
    model.rescale_mode = "torch"  # as in keras-cv-attention-models
    assert diagnose(model, RAW).expected.mode == "torch"
    guard = quiet_guard(reference=saved)
    model.predict(RAW, callbacks=[guard], verbose=0)
    assert guard.diagnosis.expected.mode == "unit"
    # The profile may describe the images before a converter of the model converts them.
    converter = SimpleNamespace(scale=1 / 127.5, offset=-1.0)
    model.preprocessor = SimpleNamespace(image_converter=converter)
    model.predict(TF, callbacks=[guard := quiet_guard(reference=saved)], verbose=0)
    assert guard.diagnosis.status == "ok" and guard.diagnosis.expected.mode == "tf"


PALE_UNIT = (150 + RAW * 0.4) / 255  # or photos in [-1, 1], as dark as these are pale
PALE_TF = (RAW * 0.45 + 140) / 127.5 - 1  # they look like ordinary photos in [0, 1]


def test_a_profile_of_pale_images_accuses_nobody(saved):
    profile(PALE_TF).attach(saved)
    assert diagnose(saved, TF).status != "mismatch"
    with pytest.raises(BadInputError, match="may as well be pale"):
        sg.ShiftGuard(expects=saved)
    profile(PALE_UNIT).attach(saved)
    found = diagnose(saved, UNIT)
    assert found.status == "unknown" and "does not show how its images" in found.evidence[0]
    assert f"`keras_shiftguard.compare({str(saved)!r}, data)` compares" in found.evidence[0]
    assert "model.keras does not tell what the model expects" in str(found)
    assert diagnose(saved, UNIT, expects="unit").status == "ok"


def augmented():
    rng = np.random.default_rng(0)
    gain, level = rng.uniform(0.7, 1.3, (16, 1, 1, 1)), rng.uniform(-0.2, 0.2, (16, 1, 1, 1))
    return (UNIT * gain + level).astype("float32")


def standardised():
    images = RAW + np.random.default_rng(0).normal(size=RAW.shape)  # no image is flat
    images -= images.mean((1, 2, 3), keepdims=True)
    return (images / images.std((1, 2, 3), keepdims=True)).astype("float32")


@pytest.mark.parametrize("make", [augmented, standardised])
def test_a_profile_that_does_not_tell_is_passed_over(saved, make):
    images = make()
    profile(images).attach(saved)
    found = diagnose(saved, UNIT if make is augmented else images)
    assert found.status == "unknown" and not found.expected.is_known
    with pytest.raises(BadInputError, match="does not show how"):
        diagnose(network(), RAW, expects=profile(images))


def test_a_profile_of_a_table_says_nothing_of_images(tmp_path):
    keras.Sequential([keras.Input((3,)), layers.Dense(1)]).save(tmp_path / "table.keras")
    profile(np.ones((8, 3), "float32")).attach(tmp_path / "table.keras")
    assert diagnose(tmp_path / "table.keras", np.ones((8, 3), "float32")).status == "unknown"


def test_a_profile_of_images_with_other_channels_is_passed_over(saved):
    far = RAW * [257.0, 400.0, 600.0] + 3.0  # in each channel, far from every named convention
    profile(far.astype("float32")).attach(saved)
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", verbose=0)
    network(channels=1).predict(RAW[..., :1], callbacks=[guard], verbose=0)
    assert guard.report is not None


def test_pixels_of_sixteen_bits_are_far_from_every_named_convention(saved):
    deep = RAW * 257.0 + 3.0
    profile(deep).attach(saved)
    assert diagnose(saved, deep).status == "ok"
    assert diagnose(saved, UNIT).status == "mismatch"


def test_a_loss_of_ones_own_is_not_needed(saved):
    @keras.saving.register_keras_serializable(package="own_test")
    def own_loss(y_true, y_pred):
        return keras.ops.mean(y_pred)

    model = network()
    model.compile("sgd", own_loss)
    model.save(saved)
    keras.saving.get_custom_objects().pop("own_test>own_loss")
    found = diagnose(saved, RAW, expects="raw")
    assert "You said (`expects`)" in str(found) and found.status != "mismatch"

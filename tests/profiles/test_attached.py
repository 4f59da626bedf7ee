"""Profiles attached to saved models: Keras loads the model, and this package reads the profile."""

import os
import stat
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from skimage.data import astronaut

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, InputProfile, ShiftWarning, diagnose, profile
from keras_shiftguard.profiles import storage
from keras_shiftguard.profiles.attached import MEMBER, has_profile


def photos(number=16, size=32):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 512 - size, (number, 2))
    images = np.stack([astronaut()[i : i + size, j : j + size] for i, j in corners])
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images.astype("float32")


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def saved(tmp_path):
    network().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_the_model_loads_as_before_and_the_profile_comes_back(saved):
    before = keras.saving.load_model(saved).get_weights()
    os.chmod(saved, 0o640)
    training = profile(photos() / 127.5 - 1)
    training.attach(saved)
    for one, other in zip(before, keras.saving.load_model(saved).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    loaded = InputProfile.load(saved)
    (name,) = loaded.inputs
    np.testing.assert_array_equal(loaded.inputs[name].mean, training.inputs[name].mean)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640
    assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]


def test_a_second_profile_replaces_the_first(saved):
    profile(photos()).attach(saved)
    profile(photos() / 255).attach(saved)
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist().count(MEMBER) == 1
        assert archive.testzip() is None
    assert InputProfile.load(saved).inputs["input"].maximum.max() == 1
    keras.saving.load_model(saved)


def test_saving_again_drops_it(saved):
    profile(photos()).attach(saved)
    assert has_profile(saved)
    network().save(saved)
    assert not has_profile(saved)
    with pytest.raises(BadInputError, match="No profile is attached"):
        InputProfile.load(saved)


def test_a_broken_or_hostile_member_is_a_clear_error(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr(MEMBER, b"no profile")
    with pytest.raises(BadInputError, match="not a readable profile"):
        InputProfile.load(saved)
    network().save(saved)
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr(MEMBER, bytes(1000))
    with pytest.raises(BadInputError, match="too large to read"):
        InputProfile.load(saved)
    network().save(saved)
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(MEMBER, "w", force_zip64=True) as member:  # a small file of zeros
            for _ in range(storage.MAX_BYTES // 2**20 + 1):
                member.write(bytes(2**20))
    with pytest.raises(BadInputError, match="too large to read"):
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
                profile(photos()).attach(saved)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert saved.read_bytes() == before
        assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]


@pytest.mark.thorough
def test_what_is_no_model_is_refused(tmp_path):
    profile(photos()).save(tmp_path / "train.profile")
    for path in (tmp_path / "train.profile", tmp_path, tmp_path / "absent.keras"):
        with pytest.raises(BadInputError, match="attached to a .keras file"):
            profile(photos()).attach(path)


def test_the_file_says_what_the_model_must_be_fed(saved):
    profile(photos() / 127.5 - 1).attach(saved)
    right, wrong = diagnose(saved, photos() / 127.5 - 1), diagnose(saved, photos())
    assert right.status == "ok" and wrong.status == "mismatch"
    assert any("The profile attached to model.keras says" in text for text in wrong.evidence)
    np.testing.assert_allclose(
        np.asarray(wrong.fix(photos())), photos() / 127.5 - 1, rtol=0, atol=1e-5
    )
    assert not sg.compare(saved, photos() / 127.5 - 1).shifted
    assert sg.compare(saved, photos()).shifted


def test_a_profile_that_shows_no_convention_says_so(saved):
    pale = (150 + photos() * 0.4) / 255  # or photos in [-1, 1], as dark as these are pale
    profile(pale).attach(saved)
    found = diagnose(saved, photos() / 255)
    assert found.status == "unknown"
    assert f"`keras_shiftguard.compare({str(saved)!r}, data)` compares" in found.evidence[0]
    assert "It does not show how its images" in found.evidence[0]
    assert "model.keras does not tell what the model expects" in str(found)
    assert diagnose(saved, photos() / 255, expects="unit").status == "ok"
    profile(photos() / 255).attach(saved)
    assert not any("does not tell" in text for text in diagnose(saved, photos() / 255).evidence)


def test_a_fit_attaches_its_profile_to_the_checkpoint(tmp_path):
    path = tmp_path / "best.keras"
    x, y = photos() / 127.5 - 1, np.zeros(16)
    guard = sg.ShiftGuard(attach_to=path, verbose=0)
    save = keras.callbacks.ModelCheckpoint(path)
    network().fit(x, y, callbacks=[save, guard], verbose=0)
    assert InputProfile.load(path).num_samples == 16
    assert diagnose(path, photos()).status == "mismatch"


@pytest.mark.thorough
def test_the_profile_of_a_mismatch_is_not_attached(saved):
    guard = sg.ShiftGuard(expects="tf", on_mismatch="ignore", attach_to=saved, verbose=0)
    with pytest.warns(ShiftWarning, match="attached no profile"):
        network().fit(photos(), np.zeros(16), callbacks=[guard], verbose=0)
    assert not has_profile(saved)


def test_after_a_correction_the_profile_after_it_is_attached(tmp_path, capsys):
    path = tmp_path / "best.keras"
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=path)
    save = keras.callbacks.ModelCheckpoint(path)
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        network().fit(
            *(photos() / 255, np.arange(16) % 2),
            batch_size=8,
            epochs=2,
            shuffle=False,
            callbacks=[save, guard],
            verbose=0,
        )
    assert f"training after the correction is attached to {path}" in capsys.readouterr().out
    attached, right = InputProfile.load(path), photos() / 127.5 - 1
    (summary,) = attached.inputs.values()
    np.testing.assert_allclose(summary.mean, right.mean((0, 1, 2)), atol=1e-4)
    assert attached.num_samples == 16 and attached.labels.counts[:2].tolist() == [8, 8]
    assert diagnose(path, right).status == "ok"
    assert diagnose(path, photos() / 255).status == "mismatch"
    assert not sg.compare(path, right).shifted


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
@pytest.mark.parametrize("on_mismatch", ["warn", "fix"])
def test_by_hand_a_mismatch_is_attached_to_the_corrected_model_only(saved, on_mismatch):
    model, x = network(), photos() / 255
    guard = sg.ShiftGuard(expects="tf", on_mismatch=on_mismatch, verbose=0)
    model.fit(x, np.zeros(16), callbacks=[guard], verbose=0)
    with pytest.raises(BadInputError, match="so the profile is not attached"):
        guard.profiles["train"].attach(saved)
    assert not has_profile(saved)
    guard.diagnosis.apply(model).save(saved)
    guard.profiles["train"].attach(saved)
    assert InputProfile.load(saved).num_samples == 16
    assert diagnose(saved, x).status == "ok"


def test_only_the_corrected_input_is_measured_again(tmp_path):
    image, table = keras.Input((32, 32, 3), name="image"), keras.Input((2,), name="table")
    both = layers.Concatenate()([layers.Flatten()(image), table])
    model = keras.Model([image, table], layers.Dense(1)(both))
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    guard = sg.ShiftGuard(
        expects={"image": "tf"}, on_mismatch="fix", attach_to=tmp_path / "model.keras", verbose=0
    )
    x = {"image": photos() / 255, "table": np.arange(32.0).reshape(16, 2)}
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        y = np.linspace(0, 1, 16)
        model.fit(x, y, batch_size=8, shuffle=False, callbacks=[guard], verbose=0)
    attached = InputProfile.load(tmp_path / "model.keras")
    assert attached.inputs["image"].minimum.min() == -1
    assert attached.inputs["table"].maximum.max() == 31
    assert attached.labels.num_samples == 16


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
def test_a_correction_that_came_too_late_is_not_what_the_model_was_trained_on(saved):
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=saved, verbose=0)
    with pytest.warns(ShiftWarning, match="only 0 of 1 batches were corrected"):
        network().fit(photos() / 255, np.zeros(16), callbacks=[guard], verbose=0)
    assert not has_profile(saved)


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


def test_a_link_to_the_model_stays_a_link(saved):
    link = saved.with_name("latest.keras")
    link.symlink_to(saved.name)
    profile(photos()).attach(link)
    assert link.is_symlink() and has_profile(saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["latest.keras", "model.keras"]


def test_a_damaged_model_is_named_and_left_alone(saved):
    profile(photos()).attach(saved)
    with zipfile.ZipFile(saved) as archive:
        weights = archive.getinfo("model.weights.h5")
    content = bytearray(saved.read_bytes())
    content[weights.header_offset + 500] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(BadInputError, match="damaged model file"):
        profile(photos()).attach(saved)
    assert saved.read_bytes() == content
    assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]


# Attaches two profiles in turn, for ever, and says when it begins.
ATTACHING = """
import sys
from keras_shiftguard import InputProfile
path, *profiles = sys.argv[1:]
profiles = [InputProfile.load(profile) for profile in profiles]
print("begins", flush=True)
while True:
    for each in profiles:
        each.attach(path)
"""


@pytest.mark.thorough
def test_a_kill_leaves_the_model_whole(saved, tmp_path):
    before = keras.saving.load_model(saved).get_weights()
    with zipfile.ZipFile(saved, "a") as archive:  # a large file takes longer to write
        archive.writestr("assets/large", np.random.default_rng(0).bytes(20_000_000))
    profiles = [tmp_path / "raw", tmp_path / "unit"]
    profile(photos()).save(profiles[0])
    profile(photos() / 255).save(profiles[1])
    profile(photos()).attach(saved)
    during = 0
    for delay in np.random.default_rng(1).uniform(0.02, 0.4, 3):
        command = [sys.executable, "-c", ATTACHING, str(saved), *map(str, profiles)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begins\n"
        time.sleep(delay)
        deadline = time.monotonic() + 30
        while not any(tmp_path.glob(".model.keras.*")) and time.monotonic() < deadline:
            pass  # a third of the time nothing is being written
        process.kill()
        process.communicate()
        during += any(tmp_path.glob(".model.keras.*"))
        with zipfile.ZipFile(saved) as archive:
            assert archive.testzip() is None
        assert InputProfile.load(saved).inputs["input"].maximum.max() in (1, 255)
        for one, other in zip(before, keras.saving.load_model(saved).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert during, "no kill came while a profile was being attached"


def test_a_profile_does_not_replace_a_model(saved):
    before = saved.read_bytes()
    with pytest.raises(BadInputError, match="is a saved model"):
        profile(photos()).save(saved)
    assert saved.read_bytes() == before


@pytest.mark.thorough
def test_a_path_that_is_wrong_costs_a_warning_and_not_the_fit(tmp_path):
    guard = sg.ShiftGuard(attach_to=tmp_path / "absent.keras", verbose=0)
    with pytest.warns(ShiftWarning, match="does not exist"):
        network().fit(photos() / 255, np.zeros(16), callbacks=[guard], verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
@pytest.mark.thorough
@pytest.mark.backend
def test_a_saved_model_directory_remembers_as_well(tmp_path):
    network().export(tmp_path / "exported", verbose=False)
    profile(photos() / 255).attach(tmp_path / "exported")
    assert InputProfile.load(tmp_path / "exported").num_samples == 16


def test_a_damaged_zip_file_is_a_clear_error(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at : at + 2] = b"??"  # damages the central directory
    path.write_bytes(content)
    with pytest.raises(sg.BadInputError, match="is not a readable profile"):
        sg.InputProfile.load(path)


@pytest.mark.thorough
def test_a_profile_that_does_not_tell_is_passed_over(saved, tmp_path):
    rng = np.random.default_rng(0)
    gain, level = rng.uniform(0.7, 1.3, (16, 1, 1, 1)), rng.uniform(-0.2, 0.2, (16, 1, 1, 1))
    profile((photos() / 255 * gain + level).astype("float32")).attach(saved)  # augmented
    found = diagnose(saved, photos() / 255)
    assert found.status == "unknown" and not found.expected.is_known
    images = photos() + np.random.default_rng(0).normal(size=(16, 32, 32, 3))  # no image is flat
    images -= images.mean((1, 2, 3), keepdims=True)
    images /= images.std((1, 2, 3), keepdims=True)
    images = images.astype("float32")
    profile(images).attach(saved)  # standardized one by one
    assert diagnose(saved, images).status == "unknown"
    table = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    table.save(tmp_path / "table.keras")
    profile(np.ones((8, 3), "float32")).attach(tmp_path / "table.keras")
    assert diagnose(tmp_path / "table.keras", np.ones((8, 3), "float32")).status == "unknown"
    with pytest.raises(BadInputError, match="does not show how"):
        diagnose(network(), photos(), expects=profile(images))


def test_whose_word_counts(saved):
    """The user's word, then the attached profile, then the model's own layers or attribute."""
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, -1)(images))
    model = keras.Model(images, layers.Dense(2)(layers.Flatten()(x)))
    model.save(saved)
    assert diagnose(saved, photos()).expected.mode == "raw"
    profile(photos() / 255).attach(saved)
    assert diagnose(saved, photos()).expected.mode == "unit"
    assert diagnose(saved, photos(), expects="tf").expected.mode == "tf"
    model.rescale_mode = "torch"  # as in keras-cv-attention-models
    assert diagnose(model, photos()).expected.mode == "torch"
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", on_mismatch="ignore", verbose=0)
    model.predict(photos(), callbacks=[guard], verbose=0)
    assert guard.diagnosis.expected.mode == "unit"


def test_a_model_file_states_what_another_model_expects(saved):
    profile(photos() / 127.5 - 1).attach(saved)
    found = diagnose(network(), photos(), expects=saved)
    assert (found.status, found.expected.mode) == ("mismatch", "tf")
    assert diagnose(network(), photos() / 127.5 - 1, expects=saved).status == "ok"


def test_a_profile_of_pale_images_accuses_nobody(saved):
    """The values of pale images in [-1, 1] look like ordinary images in [0, 1]."""
    pale = (photos() * 0.45 + 140) / 127.5 - 1
    profile(pale).attach(saved)
    assert diagnose(saved, photos() / 127.5 - 1).status != "mismatch"
    with pytest.raises(BadInputError, match="may as well be pale images"):
        sg.ShiftGuard(expects=saved)


def test_a_profile_of_images_with_other_channels_is_passed_over(saved):
    far = photos() * [257.0, 400.0, 600.0] + 3.0  # in each channel, far from every named convention
    profile(far.astype("float32")).attach(saved)
    gray = keras.Sequential([keras.Input((32, 32, 1)), layers.Conv2D(4, 3)])
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", verbose=0)
    gray.predict(photos()[..., :1], callbacks=[guard], verbose=0)
    assert guard.report is not None


def test_pixels_of_sixteen_bits_are_far_from_every_named_convention(saved):
    deep = photos() * 257.0 + 3.0
    profile(deep).attach(saved)
    assert diagnose(saved, deep).status == "ok"
    assert diagnose(saved, photos() / 255).status == "mismatch"


def test_a_reference_says_what_the_model_expects(saved):
    profile(photos() / 127.5 - 1).attach(saved)
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", verbose=0)
    with pytest.warns(ShiftWarning, match="The profile attached to model.keras says"):
        keras.saving.load_model(saved).predict(photos(), callbacks=[guard], verbose=0)
    assert guard.diagnosis.status == "mismatch" and guard.diagnosis.expected.mode == "tf"


def test_a_converter_of_the_model_counts_more_than_a_reference(saved):
    """The profile may describe the images before the model converts them."""
    profile(photos()).attach(saved)
    model = keras.saving.load_model(saved)
    converter = SimpleNamespace(scale=1 / 127.5, offset=-1.0)
    model.preprocessor = SimpleNamespace(image_converter=converter)
    guard = sg.ShiftGuard(reference=saved, on_shift="ignore", verbose=0)
    model.predict(photos() / 127.5 - 1, callbacks=[guard], verbose=0)
    assert guard.diagnosis.status == "ok" and guard.diagnosis.expected.mode == "tf"


def test_a_loss_of_ones_own_is_not_needed(tmp_path):
    @keras.saving.register_keras_serializable(package="own_test")
    def own_loss(y_true, y_pred):
        return keras.ops.mean(y_pred)

    model = network()
    model.compile("sgd", own_loss)
    model.save(tmp_path / "model.keras")
    keras.saving.get_custom_objects().pop("own_test>own_loss")
    found = diagnose(tmp_path / "model.keras", photos(), expects="raw")
    assert "You said (`expects`)" in str(found) and found.status != "mismatch"


class Brightened(keras.utils.PyDataset):
    """Noise images whose brightness is drawn anew in each epoch."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.uniform(0.3, 0.7, (256, 8, 8, 1))

    def __len__(self):
        return 8

    def __getitem__(self, i):
        x = self.x[32 * i : 32 * i + 32] + self.rng.uniform(-0.3, 0.3, (32, 1, 1, 1))
        return x.astype("float32"), np.arange(32) % 2


@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_profile_of_augmented_training_says_what_to_compare_with(tmp_path, capsys, is_augmented):
    path = tmp_path / "best.keras"
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    model.compile("sgd", "binary_crossentropy")
    data = Brightened()
    x, y = data.x.astype("float32"), np.arange(256) % 2
    model.fit(
        *((data,) if is_augmented else (x, y)),
        validation_data=(x, y),
        epochs=3,
        callbacks=[keras.callbacks.ModelCheckpoint(path), sg.ShiftGuard(attach_to=path)],
        verbose=0,
    )
    printed = capsys.readouterr().out
    assert f"The profile of training is attached to {path}" in printed
    assert ("such as `guard.profiles['validation']`" in printed) == is_augmented

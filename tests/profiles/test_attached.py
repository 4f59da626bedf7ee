"""Profiles attached to saved models: Keras loads the model, and this package reads the profile."""

import os
import stat
import sys
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

Y = np.arange(16) % 2


def photos(number=16, size=32):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 512 - size, (number, 2))
    images = np.stack([astronaut()[i : i + size, j : j + size] for i, j in corners])
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images.astype("float32")


RAW, UNIT, TF = photos(), photos() / 255, photos() / 127.5 - 1


def network(channels=3):
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((32, 32, channels)), *body])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def quiet_guard(**options):
    return sg.ShiftGuard(on_shift="ignore", on_mismatch="ignore", verbose=0, **options)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def saved(tmp_path):
    network().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


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


# --- attached by a fit ------------------------------------------------------------------


def test_a_fit_attaches_its_profile_to_the_checkpoint(tmp_path):
    path = tmp_path / "best.keras"
    guard = sg.ShiftGuard(attach_to=path, verbose=0)
    save = keras.callbacks.ModelCheckpoint(path)
    network().fit(TF, Y, callbacks=[save, guard], verbose=0)
    assert InputProfile.load(path).num_samples == 16
    assert diagnose(path, RAW).status == "mismatch"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("exists", "words"), [(True, "attached no profile"), (False, "does not exist")]
)
def test_what_cannot_be_attached_costs_a_warning_and_not_the_fit(saved, exists, words):
    path = saved if exists else saved.with_name("absent.keras")
    guard = sg.ShiftGuard(expects="tf", on_mismatch="ignore", attach_to=path, verbose=0)
    with pytest.warns(ShiftWarning, match=words):
        network().fit(RAW if exists else TF, Y, callbacks=[guard], verbose=0)
    assert not has_profile(saved)


def test_after_a_correction_the_profile_after_it_is_attached(tmp_path, capsys):
    path = tmp_path / "best.keras"
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=path)
    save = keras.callbacks.ModelCheckpoint(path)
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        network().fit(UNIT, Y, callbacks=[save, guard], **options)
    assert f"training after the correction is attached to {path}" in capsys.readouterr().out
    attached = InputProfile.load(path)
    (summary,) = attached.inputs.values()
    np.testing.assert_allclose(summary.mean, TF.mean((0, 1, 2)), atol=1e-4)
    assert attached.num_samples == 16 and attached.labels.counts[:2].tolist() == [8, 8]
    assert diagnose(path, TF).status == "ok" and diagnose(path, UNIT).status == "mismatch"


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
@pytest.mark.parametrize("on_mismatch", ["warn", "fix"])
def test_by_hand_a_mismatch_is_attached_to_the_corrected_model_only(saved, on_mismatch):
    model = network()
    guard = sg.ShiftGuard(expects="tf", on_mismatch=on_mismatch, verbose=0)
    model.fit(UNIT, Y, callbacks=[guard], verbose=0)
    with pytest.raises(BadInputError, match="so the profile is not attached"):
        guard.profiles["train"].attach(saved)
    assert not has_profile(saved)
    guard.diagnosis.apply(model).save(saved)
    guard.profiles["train"].attach(saved)
    assert diagnose(saved, UNIT).status == "ok"


def test_only_the_corrected_input_is_measured_again(tmp_path):
    image, table = keras.Input((32, 32, 3), name="image"), keras.Input((2,), name="table")
    both = layers.Concatenate()([layers.Flatten()(image), table])
    model = keras.Model([image, table], layers.Dense(1)(both))
    model.compile("sgd", "mse")
    path = tmp_path / "model.keras"
    model.save(path)
    guard = sg.ShiftGuard(expects={"image": "tf"}, on_mismatch="fix", attach_to=path, verbose=0)
    x = {"image": UNIT, "table": np.arange(32.0).reshape(16, 2)}
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        model.fit(x, Y, batch_size=8, shuffle=False, callbacks=[guard], verbose=0)
    attached = InputProfile.load(path)
    assert attached.inputs["image"].minimum.min() == -1
    assert attached.inputs["table"].maximum.max() == 31


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
def test_a_correction_that_came_too_late_is_not_what_the_model_was_trained_on(saved):
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=saved, verbose=0)
    with pytest.warns(ShiftWarning, match="only 0 of 1 batches were corrected"):
        network().fit(UNIT, Y, callbacks=[guard], verbose=0)
    assert not has_profile(saved)


class Brightened(keras.utils.PyDataset):
    """Noise images whose brightness is drawn anew in each epoch."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.uniform(0.3, 0.7, (256, 8, 8, 1)).astype("float32")

    def __len__(self):
        return 8

    def __getitem__(self, i):
        x = self.x[32 * i : 32 * i + 32] + self.rng.uniform(-0.3, 0.3, (32, 1, 1, 1))
        return x.astype("float32"), np.arange(32) % 2


@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_profile_of_augmented_training_says_what_to_compare_with(tmp_path, capsys, is_augmented):
    path, data, y = tmp_path / "best.keras", Brightened(), np.arange(256) % 2
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    model.fit(
        *((data,) if is_augmented else (data.x, y)),
        validation_data=(data.x, y),
        epochs=3,
        callbacks=[keras.callbacks.ModelCheckpoint(path), sg.ShiftGuard(attach_to=path)],
        verbose=0,
    )
    printed = capsys.readouterr().out
    assert f"The profile of training is attached to {path}" in printed
    assert ("such as `guard.profiles['validation']`" in printed) == is_augmented


# --- what the profile says of the model's input ---------------------------------------------


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

"""A resumed fit continues with the saved state of its guard."""

import keras
import numpy as np
import pytest
from benchmarks import kill_and_resume
from keras import layers
from plugin.logs import PROVIDERS, opened, unpacked
from small_fits import compiled, digits

import keras_shiftguard as sg
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.log.resume import read_epoch_state, write_epoch_state
from keras_shiftguard.profiles import storage

backend = pytest.mark.backend


def data(light=1.0):
    rng = np.random.default_rng(0)
    images = np.kron(rng.random((160, 4, 4, 3)), np.ones((1, 3, 3, 1)))
    return (images * light).astype("float32"), np.arange(160) % 4


def fit(guard, first, last, light):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12, 12, 3)), layers.Flatten(), layers.Dense(4)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    for epoch in range(first, last):  # validation changes from one fit to the next
        more = {"initial_epoch": epoch, "epochs": epoch + 1}
        val = data(light(epoch))
        model.fit(*data(), validation_data=val, callbacks=[guard], shuffle=False, verbose=0, **more)
    return guard


def quiet(log_dir=None, **options):
    return sg.ShiftGuard(log_dir=log_dir, on_shift="ignore", verbose=0, **options)


@pytest.mark.thorough
@backend
def test_another_guard_goes_on_where_the_first_one_ended(tmp_path):
    def darker(epoch):
        return 0.6 if epoch else 1.0

    def always(name):  # without costs, which take more labelled samples than these
        return quiet(tmp_path / name, tolerance=None)

    whole = fit(always("whole"), 0, 3, darker)
    assert {f.since for f in whole.report.findings} == {2}  # found in epoch 2; the date is kept
    fit(always("parts"), 0, 2, darker)
    parts = fit(always("parts"), 2, 3, darker)
    assert parts.report == whole.report
    for name, profile in whole.profiles.items():
        assert parts.profiles[name].num_samples == profile.num_samples
    names = [p.name for p in sorted((tmp_path / "parts").glob("guard-state*"))]
    assert names == ["guard-state-2.npz", "guard-state-3.npz"]


@backend
def test_a_harmless_difference_is_no_alarm_after_a_resume(tmp_path):
    """The resumed fit has kept no samples yet, and its passes repeat those before."""
    x, y = digits()
    useless = np.random.default_rng(0).normal(0, 0.1, (len(x), 1))
    x = np.concatenate([x.reshape(-1, 64), useless], axis=1).astype("float32")
    moved = x[600:720] + np.float32(0.2) * (np.arange(65) == 64)  # the useless column alone

    def model_and_epochs():
        keras.utils.set_random_seed(0)
        model = compiled((65,), layers.Dense(10, activation="softmax"), rate=0.02)
        data = {"x": x[:600], "y": y[:600], "validation_data": (moved, y[600:720])}

        def train(guard, first, last):
            options = {"initial_epoch": first, "epochs": last, "shuffle": False, "verbose": 0}
            model.fit(**data, **options, callbacks=[guard])
            return guard.report

        return train

    whole = model_and_epochs()(quiet(), 0, 5)
    resumed = model_and_epochs()
    resumed(quiet(tmp_path), 0, 3)
    report = resumed(sg.ShiftGuard(log_dir=tmp_path, on_shift="raise", verbose=0), 3, 5)
    assert whole.findings and not any(finding.matters for finding in whole.findings)
    assert report == whole  # with the same costs


@pytest.mark.thorough
def test_by_hand_without_a_log_dir(tmp_path):
    # Without a tolerance, no cost is measured anew after the second epoch.
    first = fit(quiet(tolerance=None), 0, 1, lambda epoch: 0.6)
    first.save_state(tmp_path / "state")
    again = quiet(tolerance=None).load_state(tmp_path / "state")
    second = fit(again, 1, 2, lambda epoch: 0.6)
    assert second.report.findings == first.report.findings
    assert {f.since for f in second.report.findings} == {1}


def test_what_is_no_state_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="before the first epoch"):
        quiet().save_state(tmp_path / "state")
    sg.profile(data()[0]).save(tmp_path / "profile")
    with pytest.raises(BadInputError, match="not the state of a ShiftGuard"):
        quiet().load_state(tmp_path / "profile")
    write_epoch_state(tmp_path, 1, {"batches": {}})
    with pytest.raises(BadInputError, match="not the file of a profile"):
        sg.InputProfile.load(tmp_path / "guard-state-1.npz")


def test_the_last_two_states_are_kept_and_later_ones_are_of_another_run(tmp_path):
    for epoch in (1, 2, 3, 2):
        write_epoch_state(tmp_path, epoch, {"used": [str(epoch)]})
    assert [p.name for p in tmp_path.iterdir()] == ["guard-state-2.npz"]
    assert read_epoch_state(tmp_path, 4) is None
    assert read_epoch_state(tmp_path, 2) == {"used": ("2",)}


def test_a_state_that_is_missing_or_damaged_costs_a_warning(tmp_path):
    write_epoch_state(tmp_path, 2, {"used": ["2"]})
    with pytest.warns(sg.ShiftWarning, match="epoch 4 is missing, so it goes on with the one for"):
        assert read_epoch_state(tmp_path, 3) == {"used": ("2",)}
    (tmp_path / "guard-state-3.npz").write_bytes(b"PK")
    with pytest.warns(sg.ShiftWarning, match="epoch 4 is damaged, so it goes on with the one for"):
        assert read_epoch_state(tmp_path, 3) == {"used": ("2",)}
    (tmp_path / "guard-state-2.npz").unlink()
    with pytest.warns(sg.ShiftWarning, match="epoch 4 is damaged, so it begins anew"):
        assert read_epoch_state(tmp_path, 3) is None


def test_a_state_of_version_0_2_is_not_gone_on_with(tmp_path):
    path = tmp_path / "guard-state-3.npz"
    storage.write(path, {"guard_state": {"used": ["3"]}})  # it had no number of its format
    with pytest.warns(sg.ShiftWarning, match="epoch 4 is of another version of keras_shiftguard"):
        assert read_epoch_state(tmp_path, 3) is None
    with pytest.raises(BadInputError, match="Go on with that version, or without the state"):
        sg.ShiftGuard().load_state(path)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """A log whose third epoch had dark validation images and was repeated without them."""
    log_dir = tmp_path_factory.mktemp("logs")
    strict = quiet(log_dir, tolerance=None)  # nothing can be learned of these labels
    first = fit(strict, 0, 3, lambda epoch: 0.6 if epoch == 2 else 1.0)
    assert first.report.shifted
    again = fit(quiet(log_dir, tolerance=None), 2, 3, lambda epoch: 1.0)
    assert not again.report.shifted
    return log_dir


@pytest.mark.thorough
@pytest.mark.parametrize("kind", PROVIDERS)
def test_the_tab_shows_each_epoch_once_and_nothing_of_what_was_repeated(repeated, kind):
    with opened(repeated, kind) as tab:
        whole = {"run": "shiftguard", "want": lambda answer: answer["looks"] == 3}
        answer = tab.patient("overview", **whole)
        assert answer["steps"] == [0, 1, 2] and answer["kept"] == 3
        effects, _ = unpacked(answer)
        assert np.isfinite(effects).all() and np.abs(effects).max() < 0.1
        assert not answer["problems"]


@pytest.mark.thorough
@backend
@pytest.mark.filterwarnings("ignore::keras_shiftguard.ShiftWarning")
def test_a_correction_is_on_from_the_first_batch(tmp_path, raw_images):
    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
    )
    backbone.trainable = False
    pooled = layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, pooled, layers.Dense(2)])
    model.compile("sgd", "mse")
    x, y = raw_images.astype("float32") / 255, np.zeros((16, 2), "float32")
    seen = []

    def fitted(first, last):
        guard = sg.ShiftGuard(on_mismatch="fix", expects="tf", log_dir=tmp_path, verbose=0)

        def record(batch, logs):
            _ = guard.model  # on JAX, this updates the variables
            fixed = guard._run.stream("train").corrected("input", keras.ops.convert_to_tensor(x))
            seen.append(float(keras.ops.convert_to_numpy(fixed).min()))

        begin = keras.callbacks.LambdaCallback(on_train_batch_begin=record)
        more = {"initial_epoch": first, "epochs": last, "verbose": 0}
        model.fit(x, y, batch_size=8, callbacks=[guard, begin], **more)
        return guard

    first = fitted(0, 1)
    assert seen[0] >= 0  # not corrected before the diagnosis
    seen.clear()
    again = fitted(1, 2)
    assert seen[0] < -0.5  # corrected to [-1, 1] from the first batch
    assert again.diagnosis == first.diagnosis


@backend
@pytest.mark.thorough
@pytest.mark.to_the_bit
def test_killed_by_another_process():
    """Kills two fits; `examples/benchmarks/kill_and_resume.py` does so with twenty.

    The first fit is resumed by `BackupAndRestore`, the second from the user's own checkpoint.
    """
    for case, epoch, same, _ in kill_and_resume.compare(kills=2, seed=3):
        assert all(same.values()), (case, epoch, same)

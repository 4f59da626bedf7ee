"""`keras-shiftguard diagnose` on real files: its output and its exit status."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_shiftguard_cli import main


@pytest.mark.backend
def test_a_mismatch_is_status_1_and_says_what_to_do(run, model_file, folder):
    status, out, err = run("diagnose", model_file, folder, "--rescale", "1/255", "0")
    assert status == 1
    assert out.startswith("Preprocessing mismatch")
    assert "Fix:" in out and err == ""


def test_what_is_right_is_status_0(run, model_file, folder):
    status, out, _ = run("diagnose", model_file, folder, "--rescale", "1/127.5", "-1")
    assert status == 0
    assert "mismatch" not in out.lower()


@pytest.mark.thorough
def test_an_array_is_fed_as_it_is(run, model_file, folder, tmp_path, rng):
    files = sorted(folder.rglob("*.png"))
    x = np.stack([np.asarray(Image.open(f).resize((96, 96))) for f in files]) / 127.5 - 1
    np.save(tmp_path / "x.npy", x.astype("float32"))
    status, out, _ = run("diagnose", model_file, tmp_path / "x.npy")
    assert status == 0, out
    status, out, _ = run("diagnose", model_file, tmp_path / "x.npy", "--rescale", 127.5, 127.5)
    assert status == 1 and "mismatch" in out


@pytest.mark.thorough
def test_what_the_model_expects_can_be_stated(run, model_file, folder, tmp_path):
    config = tmp_path / "preprocessor_config.json"
    config.write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    status, out, _ = run("diagnose", model_file, folder, "--expects", "raw")
    assert status == 0, out
    status, out, _ = run("diagnose", model_file, folder, "--expects", config, "--json")
    assert status == 1
    assert any("You said" in sentence for sentence in json.loads(out)["evidence"])
    status, _, err = run("diagnose", model_file, folder, "--expects", "imagenet")
    assert status == 2 and "`expects` must be a mode" in err


@pytest.mark.thorough
def test_a_model_of_any_size_says_to_what_it_resizes(run, folder, tmp_path):
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(None, None, 3), alpha=0.35
    )
    model.save(tmp_path / "any.keras")
    # The weights are untrained, so only `--expects` can lead to a mismatch.
    said = ("--expects", "tf")
    status, _, err = run("diagnose", tmp_path / "any.keras", folder, *said)
    assert status == 1 and "note: images are resized to 224x224" in err
    status, _, err = run("diagnose", tmp_path / "any.keras", folder, "--size", 96, 64, *said)
    assert status == 1 and err == ""


def test_nothing_to_tell_is_status_0(run, folder, tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2))
    model.save(tmp_path / "plain.keras")
    status, out, _ = run("diagnose", tmp_path / "plain.keras", folder)
    assert status == 0 and "unknown" in out


# --- bad input -----------------------------------------------------------------


def test_files_that_do_not_exist(run, model_file, folder, tmp_path):
    for arguments in ((tmp_path / "no.keras", folder), (model_file, tmp_path / "none")):
        status, out, err = run("diagnose", *arguments)
        assert status == 2 and out == "" and "does not exist" in err


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "weights.weights.h5"])
def test_an_unreadable_model(run, folder, tmp_path, name, model_file):
    if name == "weights.weights.h5":
        keras.models.load_model(model_file, compile=False).save_weights(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(b"not a model at all")
    status, _, err = run("diagnose", tmp_path / name, folder)
    assert status == 2 and "cannot be loaded as a Keras model" in err


def test_an_empty_directory(run, model_file, tmp_path):
    status, _, err = run("diagnose", model_file, tmp_path)
    assert status == 2 and "holds no images" in err


def test_pixels_that_are_not_finite_are_no_crash(run, model_file, tmp_path):
    np.save(tmp_path / "x.npy", np.full((4, 96, 96, 3), np.nan, "float32"))
    status, out, _ = run("diagnose", model_file, tmp_path / "x.npy", "--json")
    assert status in (0, 1) and json.loads(out)["status"] != "ok"


def test_a_model_without_an_image_input(run, folder, tmp_path):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.save(tmp_path / "table.keras")
    status, _, err = run("diagnose", tmp_path / "table.keras", folder)
    assert status == 2 and "must have one input, of images" in err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("diagnose",),
        ("diagnose", "m.keras"),
        ("diagnose", "m.keras", "data", "--max-samples", "0"),
        ("diagnose", "m.keras", "data", "--rescale", "1/0", "0"),
        ("diagnose", "m.keras", "data", "--rescale", "nan", "0"),
        ("diagnose", "m.keras", "data", "--rescale", "1"),
        ("unheard-of",),
    ],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 2
    command = "diagnose " if "diagnose" in arguments else ""
    assert f"usage: keras-shiftguard {command}[OPTIONS]" in capsys.readouterr().err

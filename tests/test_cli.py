"""The command line on real files: what it prints, and its exit status."""

import io
import json
import os
import re
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from PIL import Image

from keras_shiftguard.cli import main
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard_cli.output import steps


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """MobileNetV2 by structure (no weights are needed): it wants [-1, 1]."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), alpha=0.35)
    path = tmp_path_factory.mktemp("model") / "mobilenet.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pictures of 120x80 in two sub-folders, that use all of 0..255."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for i in range(12):
        coarse = rng.integers(0, 256, (8, 12, 3)).astype("uint8")
        coarse[0, 0], coarse[-1, -1] = 0, 255
        picture = Image.fromarray(coarse).resize((120, 80), Image.Resampling.BICUBIC)
        path = root / f"class{i % 2}" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
    return root


@pytest.fixture
def run(capsys):
    """Runs the command; returns exit status, standard output, standard error."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


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


def test_json_is_the_whole_diagnosis(run, model_file, folder):
    status, out, _ = run("diagnose", model_file, folder, "--json", "--max-samples", 8)
    diagnosis = json.loads(out)
    assert status == 1
    assert diagnosis["status"] == "mismatch"
    assert diagnosis["expected"]["mode"] == "tf" and diagnosis["observed"]["mode"] == "raw"
    assert diagnosis["num_samples"] == 8
    assert diagnosis["fix"]["offset"] == [-1.0] * 3


def test_an_array_is_fed_as_it_is(run, model_file, folder, tmp_path, rng):
    files = sorted(folder.rglob("*.png"))
    x = np.stack([np.asarray(Image.open(f).resize((96, 96))) for f in files]) / 127.5 - 1
    np.save(tmp_path / "x.npy", x.astype("float32"))
    status, out, _ = run("diagnose", model_file, tmp_path / "x.npy")
    assert status == 0, out
    status, out, _ = run("diagnose", model_file, tmp_path / "x.npy", "--rescale", 127.5, 127.5)
    assert status == 1 and "mismatch" in out


def test_a_model_of_any_size_says_to_what_it_resizes(run, folder, tmp_path):
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(None, None, 3), alpha=0.35
    )
    model.save(tmp_path / "any.keras")
    status, _, err = run("diagnose", tmp_path / "any.keras", folder)
    assert status == 1 and "note: images are resized to 224x224" in err
    status, _, err = run("diagnose", tmp_path / "any.keras", folder, "--size", 96, 64)
    assert status == 1 and err == ""


def test_an_h5_file_is_read_as_well(run, folder, tmp_path, model_file):
    path = tmp_path / "model.h5"
    keras.models.load_model(model_file, compile=False).save(path)
    status, _, _ = run("diagnose", path, folder)
    assert status == 1


def test_nothing_to_tell_is_status_0(run, folder, tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2))
    model.save(tmp_path / "plain.keras")
    status, out, _ = run("diagnose", tmp_path / "plain.keras", folder)
    assert status == 0 and "unknown" in out


def test_a_corrupt_file_among_good_ones_is_a_warning(run, model_file, tmp_path, folder):
    for file in folder.rglob("*.png"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "0.png").write_bytes(b"no picture")
    status, out, err = run("diagnose", model_file, tmp_path)
    assert status == 1 and out
    assert err.startswith("warning: 1 of 12 image files cannot be read")


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


def test_a_file_that_is_no_model(run, folder, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    status, _, err = run("diagnose", tmp_path / "model.onnx", folder)
    assert status == 2 and "must be a .keras or .h5 file" in err


def test_an_empty_directory(run, model_file, tmp_path):
    status, _, err = run("diagnose", model_file, tmp_path)
    assert status == 2 and "holds no images" in err


@pytest.mark.parametrize("shape", [(4, 96, 96), (0, 96, 96, 3), (4, 32, 32, 3), (4, 96, 96, 1)])
def test_an_array_that_does_not_fit(run, model_file, tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape, "float32"))
    status, _, err = run("diagnose", model_file, tmp_path / "x.npy")
    assert status == 2 and err.startswith("error: ") and "Received" in err


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
        ("diagnose", "m.keras", "data", "--rescale", "1"),
        ("unheard-of",),
    ],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 2
    assert "usage: keras-shiftguard" in capsys.readouterr().err


@pytest.fixture(scope="module")
def by_brightness(tmp_path_factory):
    """A classifier of dark against light, [0, 1]; forty files in class folders; the arrays."""
    root = tmp_path_factory.mktemp("brightness")
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.layers[-1].set_weights([np.full((3, 1), 10.0), np.full(1, -15.0)])
    model.save(root / "model.keras")
    rng = np.random.default_rng(0)
    x, y = np.zeros((40, 16, 16, 3), "uint8"), np.arange(40) % 2
    for i, label in enumerate(y):
        x[i] = np.clip(rng.normal(60 + 130 * label, 20, (16, 16, 3)), 0, 255)
        path = root / "val" / ("light" if label else "dark") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i]).save(path)
    np.savez(root / "val.npz", x=x, y=y)
    return root


@pytest.mark.parametrize("data", ["val", "val.npz"])
def test_explain_tells_where_the_accuracy_went(run, by_brightness, data):
    model, files = by_brightness / "model.keras", by_brightness / data
    # Fed 0..255, all is light to it.
    status, out, err = run("explain", model, files, "--reference", "0.99")
    assert status == 1 and "Accuracy 50.0 %" in out and "49.0 points below 99.0 %" in out, err
    status, out, _ = run("explain", model, files, "--reference", 0.99, "--rescale", "1/255", 0)
    assert status == 0 and "No gap beyond sampling" in out
    report = json.loads(
        run("explain", model, files, "--reference", by_brightness / "val.npz", "--json")[1]
    )
    assert report["accuracy"] == 0.5 and report["num_samples"] == 40
    assert sum(row["points"] for row in report["rows"]) == pytest.approx(report["gap"])


def test_explain_says_what_is_wrong(run, by_brightness):
    model, files = by_brightness / "model.keras", by_brightness / "val"
    for reference, complaint in (("nowhere", "does not exist"), ("76", "between 0 and 1")):
        status, out, err = run("explain", model, files, "--reference", reference)
        assert status == 2 and out == "" and complaint in err


def test_compare_profiles_and_data(run, tmp_path):
    rng = np.random.default_rng(0)
    light = rng.random((300, 12, 12, 3)).astype("float32") * rng.uniform(0.5, 1, (300, 1, 1, 1))
    dark = light[150:] * 0.6
    for name, x in (("light", light[:150]), ("more", light[150:]), ("dark", dark)):
        np.save(tmp_path / f"{name}.npy", x.astype("float32"))
    reference = tmp_path / "light.npz"  # a profile, whatever its suffix
    assert run("profile", tmp_path / "light.npy", "-o", reference)[0] == 0
    status, out, _ = run("compare", reference, tmp_path / "more.npy")
    assert status == 0 and "no shift" in out
    status, out, _ = run("compare", reference, tmp_path / "dark.npy", "--json")
    report = json.loads(out)
    assert status == 1 and report["shifted"] and "covariate" in report["kinds"]


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ("nowhere", "nowhere", "does not exist"),
        ("text.profile", "x.npy", "holds no images"),
        ("x.npy", "x.npy", "alpha"),
    ],
)
def test_compare_says_what_is_wrong(run, tmp_path, a, b, complaint):
    (tmp_path / "text.profile").write_text("no profile")
    np.save(tmp_path / "x.npy", np.zeros((40, 8, 8, 3), "float32"))
    alpha = ("--alpha", "7") if complaint == "alpha" else ()
    status, _, err = run("compare", tmp_path / a, tmp_path / b, *alpha)
    assert status == 2 and complaint in err


def test_a_bug_is_not_taken_for_a_mismatch(monkeypatch, capsys, model_file, folder):
    def broken(*arguments, **more):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("keras_shiftguard.preprocessing.diagnose.diagnose", broken)
    assert main(["diagnose", str(model_file), str(folder)]) == 2
    assert "ZeroDivisionError: ours" in capsys.readouterr().err


# --- the other commands --------------------------------------------------------


@pytest.mark.backend
def test_profile_keeps_what_was_measured(run, folder, tmp_path):
    file = tmp_path / "train.profile"
    status, out, _ = run("profile", folder, "-o", file, "--size", 80, 120)
    assert status == 0 and "profile of 12 images" in out
    [summary] = InputProfile.load(file).inputs.values()
    pixels = np.stack([np.asarray(Image.open(f)) for f in sorted(folder.rglob("*.png"))])
    assert summary.num_samples == 12
    assert summary.mean == pytest.approx(pixels.mean((0, 1, 2)), rel=1e-4)


def test_bgr_flips_the_channels_and_nothing_else(run, folder, tmp_path):
    profiles = []
    for number, options in enumerate(((), ("--bgr",))):
        file = tmp_path / f"{number}.profile"
        assert run("profile", folder, "-o", file, "--size", 80, 120, *options)[0] == 0
        profiles.extend(InputProfile.load(file).inputs.values())
    rgb, bgr = profiles
    assert len(set(rgb.mean)) == 3
    assert rgb.mean[::-1] == pytest.approx(bgr.mean, rel=1e-5)
    assert np.array_equal(rgb.counts[::-1], bgr.counts)


def test_a_profile_that_cannot_be_written(run, folder, tmp_path):
    status, _, err = run("profile", folder, "-o", tmp_path / "no" / "file")
    assert status == 2 and "cannot be written" in err


def test_profile_as_json_says_what_is_in_the_file(run, folder, tmp_path):
    file = tmp_path / "train.profile"
    status, out, _ = run("profile", folder, "-o", file, "--size", 80, 120, "--json")
    told = json.loads(out)
    assert status == 0 and told["output"] == str(file) and told["num_samples"] == 12
    assert told["inputs"]["input"]["mean"] == pytest.approx(
        list(InputProfile.load(file).inputs["input"].mean)
    )


def test_the_demo_finds_its_mistake_and_leaves_files_to_try(run, tmp_path):
    status, out, err = run("demo", "-o", tmp_path / "made", "--json")
    told = json.loads(out)
    assert status == 0 and err == ""
    accuracy = told["accuracy"]
    assert accuracy["right"] > 0.85 and accuracy["wrong"] < 0.5
    assert accuracy["repaired"] == pytest.approx(accuracy["right"], abs=0.01)
    assert told["diagnosis"]["observed"] == {**told["diagnosis"]["observed"], "mode": "raw"}
    assert told["diagnosis"]["observed"]["channel_order"] == "bgr"
    assert told["report"]["shifted"]
    files = {path.name for path in (tmp_path / "made").iterdir()}
    assert files == {"model.keras", "as_fed.npy", "day.npy", "night.npy", "logs"}
    model, fed = tmp_path / "made" / "model.keras", tmp_path / "made" / "as_fed.npy"
    assert run("diagnose", model, fed)[0] == 1
    assert run("diagnose", model, fed, "--bgr", "--rescale", "1/255", 0)[0] == 0


def test_a_demo_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = run("demo", "-o", tmp_path / "file" / "inside")
    assert status == 2 and "cannot be made" in err


# --- the program itself ----------------------------------------------------------


@pytest.mark.parametrize("command", ["diagnose", "profile", "compare", "explain", "demo"])
def test_help_teaches_with_an_example(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0 and re.search(rf"^ +keras-shiftguard {command}( \w.*)?$", out, re.MULTILINE)
    assert "Exit status: 0" in out and "--json" in out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("keras-shiftguard di", "diagnose"), ("keras-shiftguard demo --js", "--json")],
)
def test_a_shell_completes_without_starting_keras(words, wanted):
    code = """
        import sys
        from keras_shiftguard_cli import main
        try:
            main()
        finally:
            assert "keras" not in sys.modules and "numpy" not in sys.modules
    """
    asked = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **asked, "_KERAS_SHIFTGUARD_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
    )
    assert wanted in done.stdout, done.stderr


def test_a_backend_that_is_not_installed_is_bad_input(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 8, 8, 3), "float32"))
    code = """
        import sys
        from keras_shiftguard_cli import main
        sys.modules["jax"] = None
        sys.exit(main())
    """
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(code),
            "profile",
            tmp_path / "x.npy",
            "-o",
            tmp_path / "file",
        ],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "pip install" in done.stderr
    assert "Traceback" not in done.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal, True), (io.StringIO, False)])
def test_bars_are_for_terminals_and_on_standard_error(monkeypatch, capsys, stream, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(steps([1, 2, 3], "Reading images")) == [1, 2, 3]
    assert ("Reading images" in sys.stderr.getvalue()) == drawn
    assert capsys.readouterr().out == ""

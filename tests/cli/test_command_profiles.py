"""`keras-shiftguard profile` and `compare` on real files."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_shiftguard.profiles import InputProfile


@pytest.mark.backend
def test_profile_keeps_what_was_measured(run, folder, tmp_path):
    file = tmp_path / "train.profile"
    status, out, _ = run("profile", folder, "-o", file, "--size", 80, 120)
    assert status == 0 and "profile of 12 images" in out
    [summary] = InputProfile.load(file).inputs.values()
    pixels = np.stack([np.asarray(Image.open(f)) for f in sorted(folder.rglob("*.png"))])
    assert summary.num_samples == 12
    assert summary.mean == pytest.approx(pixels.mean((0, 1, 2)), rel=1e-4)


def test_a_profile_that_cannot_be_written(run, folder, tmp_path):
    status, _, err = run("profile", folder, "-o", tmp_path / "no" / "file")
    assert status == 2 and "cannot be written" in err
    status, _, err = run("profile", folder, "-o", tmp_path)
    assert status == 2 and "is a folder. Name the file to write" in err
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name in ("config.json", "metadata.json"):
            archive.writestr(name, "{}")
    status, _, err = run("profile", folder, "-o", tmp_path / "model.keras")
    assert status == 2 and "is a saved model" in err


def test_profile_as_json_says_what_is_in_the_file(run, folder, tmp_path):
    file = tmp_path / "train.profile"
    status, out, _ = run("profile", folder, "-o", file, "--size", 80, 120, "--json")
    answer = json.loads(out)
    assert status == 0 and answer["output"] == str(file) and answer["num_samples"] == 12
    assert answer["inputs"]["input"]["mean"] == pytest.approx(
        list(InputProfile.load(file).inputs["input"].mean)
    )


def test_compare_profiles_and_data(run, tmp_path):
    rng = np.random.default_rng(0)
    light = rng.random((300, 12, 12, 3)).astype("float32") * rng.uniform(0.5, 1, (300, 1, 1, 1))
    dark = light[150:] * 0.6
    for name, x in (("light", light[:150]), ("more", light[150:]), ("dark", dark)):
        np.save(tmp_path / f"{name}.npy", x.astype("float32"))
    reference = tmp_path / "light.npz"  # a profile is recognized by its content
    assert run("profile", tmp_path / "light.npy", "-o", reference)[0] == 0
    status, out, _ = run("compare", reference, tmp_path / "more.npy")
    assert status == 0 and "shift" not in out.replace("ShiftGuard", "")
    assert out.splitlines()[-1].startswith("ShiftGuard: Fine.")
    status, out, _ = run("compare", reference, tmp_path / "dark.npy", "--json")
    report = json.loads(out)
    assert status == 1 and report["shifted"] and "covariate" in report["kinds"]


def test_image_files_get_the_size_of_the_profile_that_they_are_compared_with(run, folder, tmp_path):
    file = tmp_path / "train.profile"
    assert run("profile", folder, "-o", file, "--size", 80, 120)[0] == 0
    for pair in ((file, folder), (folder, file)):
        status, out, err = run("compare", *pair)
        assert status == 0 and "another size" not in out and "note:" not in err
    status, out, _ = run("compare", file, folder, "--size", 40, 60)
    assert status == 1 and "another size: 40 x 60 against 80 x 120" in out


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ("nowhere", "nowhere", "does not exist"),
        ("text.profile", "x.npy", "text.profile is no profile or model that can be read"),
        ("x.npy", "cut.profile", "cut.profile is no profile or model that can be read"),
        ("model.keras", "x.npy", "No profile is attached to"),
        ("x.npy", "x.npy", "alpha"),
    ],
)
def test_compare_says_what_is_wrong(run, tmp_path, a, b, complaint):
    (tmp_path / "text.profile").write_text("no profile")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name in ("config.json", "metadata.json"):
            archive.writestr(name, "{}")
    damaged = (tmp_path / "model.keras").read_bytes().replace(b"PK\x01\x02", b"??\x01\x02")
    (tmp_path / "cut.profile").write_bytes(damaged)
    np.save(tmp_path / "x.npy", np.zeros((40, 8, 8, 3), "float32"))
    alpha = ("--alpha", "7") if complaint == "alpha" else ()
    status, _, err = run("compare", tmp_path / a, tmp_path / b, *alpha)
    assert status == 2 and complaint in err

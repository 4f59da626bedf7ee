"""`keras-shiftguard explain` and `demo` on real files."""

import json

import keras
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def by_brightness(tmp_path_factory):
    """A folder with a classifier of dark and light images in [0, 1], and forty 8-bit images."""
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
    # Fed 0..255, the model calls every image light.
    status, out, err = run("explain", model, files, "--reference", "0.99")
    assert status == 1 and "Accuracy 50.0 %" in out and "49.0 points lower" in out, err
    status, out, _ = run("explain", model, files, "--reference", 0.99, "--rescale", "1/255", 0)
    assert status == 0 and "points higher" in out
    report = json.loads(
        run("explain", model, files, "--reference", by_brightness / "val.npz", "--json")[1]
    )
    assert report["measured"] == 0.5 and report["num_samples"] == 40
    assert sum(row["points"] for row in report["rows"]) == pytest.approx(report["gap"])


def test_explain_says_what_is_wrong(run, by_brightness):
    model, files = by_brightness / "model.keras", by_brightness / "val"
    for reference, complaint in (("nowhere", "does not exist"), ("76", "between 0 and 1")):
        status, out, err = run("explain", model, files, "--reference", reference)
        assert status == 2 and out == "" and complaint in err


@pytest.mark.thorough
def test_the_demo_finds_its_mistake_and_leaves_files_to_try(run, tmp_path):
    status, out, err = run("demo", "-o", tmp_path / "made", "--json")
    answer = json.loads(out)
    assert status == 0 and err == ""
    accuracy = answer["accuracy"]
    assert accuracy["right"] > 0.85 and accuracy["wrong"] < 0.5
    assert accuracy["repaired"] == pytest.approx(accuracy["right"], abs=0.01)
    assert answer["diagnosis"]["observed"] == {**answer["diagnosis"]["observed"], "mode": "raw"}
    assert answer["diagnosis"]["observed"]["channel_order"] == "bgr"
    assert answer["report"]["shifted"]
    files = {path.name for path in (tmp_path / "made").iterdir()}
    assert files == {"model.keras", "as_fed.npy", "day.npy", "night.npy", "logs"}
    model, fed = tmp_path / "made" / "model.keras", tmp_path / "made" / "as_fed.npy"
    assert run("diagnose", model, fed)[0] == 1
    assert run("diagnose", model, fed, "--bgr", "--rescale", "1/255", 0)[0] == 0


def test_a_demo_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = run("demo", "-o", tmp_path / "file" / "inside")
    assert status == 2 and "cannot be created" in err

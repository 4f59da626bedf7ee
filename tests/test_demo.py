"""The demo makes the same claims when it runs on fewer crops."""

import contextlib
import io
import json
import re
from pathlib import Path

import demo
import demo_photos
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

import keras_shiftguard as sg

pytestmark = pytest.mark.slow_on_tensorflow


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Runs the demo; returns its exit status, its output and the folder of its photos and logs."""
    root = tmp_path_factory.mktemp("demo")
    options = ["--epochs", "3", "--train-crops", "3", "--validation-crops", "1"]
    places = ["--work-dir", str(root / "photos"), "--log-dir", str(root / "logs")]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = demo.main(options + places)
    return status, out.getvalue(), root


def test_the_mistake_is_found_and_named(small):
    status, out, _ = small
    assert status == 0, out
    assert "found and named in 2 of 2 looks" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("Verdict: the mistake costs")
    assert "tensorboard --logdir" in out.splitlines()[-2]


def test_the_verdict_stands_before_any_training(small):
    _, out, _ = small
    verdict, _, training = out.partition("model.fit")
    assert "Preprocessing mismatch" in verdict and "caffe" in verdict and "BGR" in verdict
    assert "Preprocessing mismatch" not in training


def test_nobody_can_take_the_guard_for_the_cause(small):
    """The output says that the low accuracy is that of a fit without a guard."""
    _, out, _ = small
    table = out[out.index("Validation accuracy with the wrong rescale") :].splitlines()
    assert [line.split("  ")[1] for line in table[1:3]] == ["no guard", demo.RUNS["repaired"]]
    alone, repaired = (float(line.split("%")[0].split()[-1]) for line in table[1:3])
    assert repaired > alone + 30, out


def test_the_readme_shows_the_lines_of_the_demo(small):
    _, out, _ = small
    start = "Validation accuracy with the wrong rescale (seeds: 1)\n"
    here, there = (
        text.partition(start)[2].splitlines()[:2]
        for text in (out, (Path(demo.__file__).parents[1] / "README.md").read_text())
    )
    assert [re.sub(r"[\d.]+%", "%", line) for line in here] == [
        re.sub(r"[\d.]+%", "%", line) for line in there
    ]


def test_the_log_holds_curves_histograms_and_the_verdict(small):
    _, _, root = small
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(root / "logs"))
    multiplexer.Reload()
    assert set(multiplexer.Runs()) == {"seed0/shiftguard"}
    (run,) = multiplexer.Runs()
    tags = {p: multiplexer.PluginRunToTagToContent(p)[run] for p in ("scalars", "histograms")}
    assert tags["scalars"]
    for stream in ("train", "validation"):
        assert any(tag.startswith(f"shiftguard/{stream}/") for tag in tags["histograms"]), stream
    assert multiplexer.PluginRunToTagToContent("text")[run]
    kept = json.loads((root / "logs" / "seed0" / "diagnosis.json").read_text())
    assert kept["train"]["status"] == "mismatch"


def test_crops_of_train_and_validation_never_overlap(tmp_path, monkeypatch):
    """The halves of each picture have different colors, and no crop may hold both colors."""
    picture = np.zeros((90, 60, 3), "uint8")
    picture[:45, :, 0], picture[45:, :, 2] = 255, 255
    Image.fromarray(picture).save(tmp_path / "tall.png")
    Image.fromarray(picture.transpose(1, 0, 2)).save(tmp_path / "wide.png")
    files = [tmp_path / "tall.png", tmp_path / "wide.png"]
    monkeypatch.setattr("photos.imagenet_files", lambda: files)
    for seed in range(4):
        demo_photos.cut_photos(tmp_path / "cut", seed, 4, 4)
        for photo in ("photo00", "photo01"):
            colours = {}
            for part in ("train", "validation"):
                crops = [
                    np.asarray(Image.open(f)) for f in (tmp_path / "cut" / part / photo).iterdir()
                ]
                assert len(crops) == 4
                colours[part] = {tuple(pixel) for crop in crops for pixel in crop.reshape(-1, 3)}
            assert [len(c) for c in colours.values()] == [1, 1]
            assert colours["train"] != colours["validation"]


def test_the_feed_is_that_of_the_tutorial(tmp_path):
    demo_photos.cut_photos(tmp_path / "cut", 0, 1, 1)
    images = demo_photos.feed(tmp_path / "cut" / "train", False, 0)
    x, y = images[0]
    assert len(images) == 1 and x.shape == (20, demo_photos.SIZE, demo_photos.SIZE, 3)
    assert x.dtype == "float32" and 0.9 < x.max() <= 1 and x.min() >= 0
    assert sorted(y.tolist()) == list(range(20))
    first = np.asarray(Image.open(tmp_path / "cut" / "train" / "photo00" / "0.png"))
    assert np.allclose(x[0] * 255, first, atol=1e-3)


def test_a_verdict_that_names_something_else_is_not_right():
    unit, caffe = sg.InputConvention("unit"), sg.InputConvention("caffe", "bgr")
    assert demo.is_right(sg.Diagnosis("mismatch", caffe, unit))
    assert not demo.is_right(sg.Diagnosis("ok", caffe, unit))
    assert not demo.is_right(sg.Diagnosis("mismatch", unit, caffe))
    assert not demo.is_right(sg.Diagnosis("mismatch", caffe, sg.InputConvention("unit", "bgr")))

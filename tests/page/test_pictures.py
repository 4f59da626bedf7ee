"""The images that `log_samples=` stores: their choice, their range, and the number of files."""

import io
import json
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

import keras_shiftguard as sg
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.png import png
from keras_shiftguard.log.pictures import MAX_SIDE, as_picture, range_of
from keras_shiftguard_page import page

pytestmark = pytest.mark.eager

ODD = 37  # the index of an image that is unlike the others


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 1, 1), (64, 64, 3), (9, 2, 1)])
def test_another_reader_reads_the_same_pixels(rng, shape):
    image = rng.integers(0, 256, shape).astype("uint8")
    read = np.asarray(Image.open(io.BytesIO(png(image))))
    assert np.array_equal(read.reshape(shape), image)


def test_large_images_are_reduced_and_other_channels_left_out(rng):
    picture = as_picture(np.full((224, 300, 5), 51.0), 0.0, 255.0)
    assert max(picture.shape[:2]) <= MAX_SIDE and picture.shape[2] == 3
    assert (picture == 51).all()
    assert as_picture(np.zeros((8, 8, 2)), 0.0, 1.0).shape == (8, 8, 1)
    odd = np.array([[[np.nan], [np.inf], [-np.inf], [2.0]]])
    assert as_picture(odd, 0.0, 1.0).ravel().tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.6, (0, 1)), (-1, 1, (-1, 1)), (3, 119, (0, 255)), (-2.1, 2.6, (-2.1, 2.6))],
)
def test_black_and_white_are_those_of_a_usual_range(low, high, expected):
    assert range_of(np.linspace(low, high, 4096)) == pytest.approx(expected, abs=0.02)
    assert len(set(range_of(np.full(9, 7.0)))) == 2


def images(rng, number=64):
    x = np.kron(rng.random((number, 4, 4, 3)), np.ones((1, 4, 4, 1)))
    x[ODD] = rng.random((16, 16, 3))  # noise
    return x.astype("float32"), np.arange(number) % 2


def fit(log_dir, x, y, epochs=1, layout="channels_last", **arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Flatten(layout)])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(log_dir=log_dir, verbose=0, on_shift="ignore", **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.ShiftWarning)
        val = {"validation_data": (x * np.float32(0.5), y)}
        model.fit(x, y, epochs=epochs, callbacks=[guard], verbose=0, shuffle=False, **val)
    return guard


def index_of(log_dir, folder="samples"):
    index = json.loads((log_dir / "shiftguard" / folder / "index.json").read_text())
    assert index["v"] == 1
    return index["looks"]


def pixels(log_dir, picture):
    return np.asarray(Image.open(log_dir / picture["file"])).astype(float)


@pytest.mark.backend
def test_the_pictures_are_the_images_that_the_model_was_fed(tmp_path, rng):
    x, y = images(rng)
    fit(tmp_path, x, y, log_samples=4)
    [look] = index_of(tmp_path)
    rows = {(row["stream"], row["what"]): row["pictures"] for row in look["rows"]}
    assert set(rows) == {(s, w) for s in ("train", "validation") for w in ("fed", "unusual")}
    for stream, light in (("train", 1.0), ("validation", 0.5)):
        fed = rows[stream, "fed"]
        assert len(fed) == 4 and fed[0]["distance"] is None
        for place, picture in zip(np.linspace(0, 63, 4).round().astype(int), fed, strict=True):
            assert picture["label"] == y[place]
            assert np.allclose(pixels(tmp_path, picture), x[place] * light * 255, atol=0.51)
    first = rows["train", "unusual"][0]
    assert np.allclose(pixels(tmp_path, first), x[ODD] * 255, atol=0.51)
    distances = [each["distance"] for each in rows["train", "unusual"]]
    assert distances == sorted(distances, reverse=True) and distances[0] > 2 * distances[1]


@pytest.mark.thorough
def test_the_corrected_images_stand_beside_those_that_were_fed(tmp_path, rng):
    x, y = images(rng)
    fit(tmp_path, x, y, log_samples=4, expects="tf", on_mismatch="fix")
    [look] = index_of(tmp_path)
    rows = {row["what"]: row for row in look["rows"] if row["stream"] == "train"}
    assert rows["fed"]["range"] == [0.0, 1.0] and rows["corrected"]["range"] == [-1.0, 1.0]
    for fed, corrected in zip(*(rows[w]["pictures"] for w in ("fed", "corrected")), strict=True):
        # The fix maps [0, 1] to [-1, 1]. Each is drawn over its own range, so both look alike.
        assert np.allclose(pixels(tmp_path, fed), pixels(tmp_path, corrected), atol=1.01)
    assert "corrected, as the model sees them" in (tmp_path / "shift.html").read_text("utf-8")


@pytest.mark.thorough
def test_only_the_last_looks_stay(tmp_path, rng):
    x, y = images(rng)
    fit(tmp_path, x, y, epochs=5, log_samples=2)
    assert [look["epoch"] for look in index_of(tmp_path)] == [3, 4, 5]
    folders = sorted(path.name for path in (tmp_path / "shiftguard/samples").glob("epoch-*"))
    assert folders == ["epoch-3", "epoch-4", "epoch-5"]
    named = {p["file"] for k in index_of(tmp_path) for r in k["rows"] for p in r["pictures"]}
    there = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")}
    assert named == there
    guard = fit(tmp_path, x, y, epochs=1, log_samples=2)  # a new fit keeps only its own images
    assert [look["epoch"] for look in index_of(tmp_path)] == [1]
    guard.model.evaluate(x, y, callbacks=[guard], verbose=0)
    assert [look["epoch"] for look in index_of(tmp_path)] == [1]
    assert index_of(tmp_path, "samples-evaluation")


def test_by_default_no_image_is_written(tmp_path, rng):
    fit(tmp_path, *images(rng))
    assert not list(tmp_path.rglob("*.png")) and not (tmp_path / "shiftguard/samples").exists()


def test_a_table_gets_one_warning_and_nothing_else(tmp_path, rng):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    guard = sg.ShiftGuard(log_dir=tmp_path, log_samples=8, verbose=0, on_shift="ignore")
    with pytest.warns(sg.ShiftWarning, match="no image input: nothing is kept") as caught:
        x = rng.normal(size=(64, 4))
        model.fit(x, x[:, 0], epochs=3, validation_data=(x, x[:, 0]), callbacks=[guard], verbose=0)
    assert len([each for each in caught if each.category is sg.ShiftWarning]) == 1
    assert not (tmp_path / "shiftguard/samples").exists()


def test_a_failure_is_one_warning_and_the_fit_goes_on(tmp_path, rng, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("keras_shiftguard.callback.sample_pictures.attributes", broken)
    with pytest.warns(sg.ShiftWarning) as caught:
        guard = sg.ShiftGuard(log_dir=tmp_path, log_samples=2, verbose=0, on_shift="ignore")
        x, y = images(rng)
        model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(1))
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, callbacks=[guard], verbose=0)
    said = [str(each.message) for each in caught if each.category is sg.ShiftWarning]
    assert said == ["ShiftGuard keeps no images any more (ZeroDivisionError('ours'))."]
    assert guard.report is not None


@pytest.mark.parametrize("value", [-1, 1.5, True, "8", None, 65])
def test_the_number_is_checked(tmp_path, value):
    with pytest.raises(BadInputError, match="`log_samples` must be a number of images"):
        sg.ShiftGuard(log_dir=tmp_path, log_samples=value)
    with pytest.raises(BadInputError, match="pass `log_dir` as well"):
        sg.ShiftGuard(log_samples=8)


def test_only_pictures_inside_of_the_log_directory_are_shown(tmp_path, rng):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(np.zeros((2, 2, 1), "uint8")))
    log_dir = tmp_path / "log"
    log_dir.mkdir()
    (log_dir / "link.png").symlink_to(secret)
    (log_dir / "no.png").write_bytes(b"GIF89a")
    (log_dir / "circle.png").symlink_to("circle.png")
    files = ["../secret.png", str(secret), "link.png", "no.png", "none.png", "."]
    files += ["circle.png", "a\0b.png", f"{'a' * 300}.png"]
    pictures = [{"file": file, "label": None, "distance": None} for file in files]
    row = {"stream": "train", "input": "x", "what": "fed", "pictures": pictures}
    parts = {"pictures": {"epoch": 1, "rows": [row]}}
    assert "<img" not in page(parts, log_dir)
    (log_dir / "yes.png").write_bytes(secret.read_bytes())
    pictures.append({"file": "yes.png", "label": 1, "distance": 2.0})
    assert page(parts, log_dir).count("<img") == 1 and "<img" not in page(parts)

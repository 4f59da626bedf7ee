"""Reading of image files and array files, valid and damaged."""

import numpy as np
import pytest
from PIL import Image

from keras_shiftguard.errors import BadInputError, ShiftWarning
from keras_shiftguard.io.images import read_array, read_images, read_labels

IMAGES = np.arange(6 * 4 * 4 * 3, dtype="float32").reshape(6, 4, 4, 3)


@pytest.fixture
def folder(tmp_path, raw_images):
    """Two classes of eight PNG files each, and a file that is no image."""
    for i, pixels in enumerate(raw_images):
        path = tmp_path / "photos" / ("cat" if i % 2 else "dog") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "photos" / "labels.csv").write_text("a,b")
    return tmp_path / "photos"


def test_images_of_all_sub_folders_are_read_as_they_are(folder, raw_images):
    x = read_images(folder, (32, 32), 3, 100)
    cats, dogs = raw_images[1::2], raw_images[::2]
    assert x.dtype == np.uint8 and np.array_equal(x, np.concatenate([cats, dogs]))
    # A part of the files has something of each class.
    few = read_images(folder, (32, 32), 3, 4)
    assert np.array_equal(few, [cats[0], cats[4], dogs[0], dogs[4]])
    one = read_images(folder / "cat" / "01.png", (10, 20), 3, 9)
    assert one.shape == (1, 10, 20, 3)  # height and width


def test_resizing_is_antialiased(tmp_path):
    stripes = np.zeros((64, 64, 3), "uint8")
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    x = read_images(tmp_path, (8, 8), 3, 1)
    assert np.abs(x.astype(int) - 127).max() < 20  # without antialiasing: 0 or 255


def test_gray_and_palette_and_alpha_become_what_the_model_takes(tmp_path):
    red = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    red.save(tmp_path / "a.png")
    red.convert("P").save(tmp_path / "b.png")
    Image.new("L", (8, 8), 90).save(tmp_path / "c.png")
    rgb = read_images(tmp_path, (8, 8), 3, 9)[:, 0, 0]
    assert rgb[0].tolist() == [255, 0, 0] and rgb[2].tolist() == [90, 90, 90]
    assert np.abs(rgb[1].astype(int) - [255, 0, 0]).max() < 8
    gray = read_images(tmp_path, (8, 8), 1, 9)
    assert gray.shape == (3, 8, 8, 1) and gray[2, 0, 0, 0] == 90


def test_sixteen_bits_become_the_upper_eight(tmp_path):
    pixels = np.arange(64 * 64).reshape(64, 64) * 16
    clipped = np.full((64, 64), 70_000)  # more than 16 bits are white
    for name, saved, want in (
        ("deep.png", pixels.astype("uint16"), pixels // 256),
        ("wide.tif", (pixels // 257).astype("int32"), pixels // 257),
        ("white.tif", clipped.astype("int32"), np.full((64, 64), 255)),
    ):
        Image.fromarray(saved).save(tmp_path / name)
        for channels in (1, 3):
            (found,) = read_images(tmp_path / name, (64, 64), channels, 1)
            np.testing.assert_array_equal(found, np.repeat(want[..., None], channels, axis=-1))
    Image.fromarray((pixels / 65535).astype("float32")).save(tmp_path / "float.tif")
    with pytest.raises(BadInputError, match="floating point numbers; save them as a .npy"):
        read_images(tmp_path / "float.tif", (64, 64), 1, 1)


def test_a_corrupt_file_among_good_ones_is_skipped_and_counted(folder):
    (folder / "cat" / "01.png").write_bytes(b"not a picture")
    whole = (folder / "dog" / "00.png").read_bytes()
    (folder / "dog" / "00.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "02.png").write_bytes(b"")
    with pytest.warns(ShiftWarning, match=r"3 of 16 image files cannot be read .*01\.png"):
        assert len(read_images(folder, (32, 32), 3, 100)) == 13


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: None, "holds no images. Looked for .bmp"),
        (lambda place: (place / "a.jpg").write_bytes(b"\xff\xd8\xff"), "1 of 1 image files cannot"),
        (
            lambda place: Image.new("1", (12_000, 12_000)).save(place / "a.png"),
            "decompression bomb",
        ),
        (lambda place: (place / "cat").symlink_to("."), "not in those that are links"),
    ],
    ids=["empty", "corrupt", "bomb", "link"],
)
def test_a_directory_without_readable_images(tmp_path, make, words):
    place = tmp_path / "photos"
    place.mkdir()
    make(place)
    with pytest.raises(BadInputError, match=words):
        read_images(place, (8, 8), 3, 10)


def test_a_model_of_four_channels_takes_no_image_files(folder):
    with pytest.raises(BadInputError, match="the model takes 4"):
        read_images(folder, (8, 8), 4, 10)


def test_links_out_of_the_directory_are_not_followed(folder, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    (folder / "cat" / "link.png").symlink_to(secret)
    (folder / "cat" / "copy.png").symlink_to(folder / "cat" / "01.png")  # inside the directory
    with pytest.warns(ShiftWarning, match="1 of 18 image files .* lead out of it"):
        assert len(read_images(folder, (32, 32), 3, 100)) == 17


# --- arrays --------------------------------------------------------------------


def test_an_array_is_as_it_was_saved(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    assert np.array_equal(read_array(tmp_path / "x.npy", 100), IMAGES)
    assert np.array_equal(read_array(tmp_path / "x.npy", 3), IMAGES[::2])


@pytest.mark.parametrize("names", [("anything",), ("x", "y"), ("x_train", "x_test")])
def test_the_images_of_an_archive_are_found(tmp_path, names):
    arrays = {name: np.full((2, 4, 4, 3), i) for i, name in enumerate(names)}
    np.savez(tmp_path / "a.npz", **arrays)
    assert read_array(tmp_path / "a.npz", 9).max() == 0


def test_the_case_of_a_suffix_does_not_matter(tmp_path):
    with open(tmp_path / "a.NPZ", "wb") as file:
        np.savez(file, x=IMAGES, y=np.arange(6))
    assert np.array_equal(read_array(tmp_path / "a.NPZ", 9), IMAGES)
    assert np.array_equal(read_labels(tmp_path / "a.NPZ", 9), np.arange(6))


BAD_ARRAYS = {
    "several": ({"a": IMAGES, "b": np.zeros(2)}, "none is named 'x'"),
    "rank 3": ({"x": np.zeros((2, 4, 4))}, r"Received shape \(2, 4, 4\)"),
    "empty": ({"x": np.zeros((0, 4, 4, 3))}, "holds no images"),
    "text": ({"x": np.full((1, 1, 1, 1), "a")}, "must hold real numbers"),
    "objects": ({"x": np.full((1, 1, 1, 1), None)}, "cannot be read as a NumPy array"),
}


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_an_array_that_is_no_batch_of_images(tmp_path, what):
    arrays, message = BAD_ARRAYS[what]
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadInputError, match=message):
        read_array(tmp_path / "a.npz", 9)


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\x03\x04 cut off", b"\x93NUMPY"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_that_is_no_array(tmp_path, content, suffix):
    path = (tmp_path / "a").with_suffix(suffix)
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read as a NumPy array"):
        read_array(path, 9)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.asarray([{}] * 6, object), "allow_pickle"),
        # Ten evenly chosen labels of 12 do not belong to ten evenly chosen images of 6.
        (np.arange(12), "holds 6 images and 12 labels"),
    ],
)
def test_labels_that_cannot_be_read(tmp_path, labels, words):
    np.savez(tmp_path / "a.npz", x=IMAGES, y=labels)
    with pytest.raises(BadInputError, match=words):
        read_labels(tmp_path / "a.npz", 9)


@pytest.mark.parametrize("dtype", [">f4", "uint64", "longdouble"])
def test_an_array_has_a_dtype_that_every_backend_takes(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.full((2, 4, 4, 3), 7, dtype))
    x = read_array(tmp_path / "x.npy", 9)
    assert x.dtype.isnative and x.dtype != np.uint64 and x.dtype.itemsize <= 8
    assert (x == 7).all()

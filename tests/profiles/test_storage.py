"""Profile files: a saved profile is read back, and damaged or other files are refused."""

import dataclasses
import io
import json
import time
import tracemalloc
import zipfile

import numpy as np
import numpy_reference
import pytest

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, InputProfile
from keras_shiftguard.profiles import LabelSummary, OutputSummary
from keras_shiftguard.profiles.storage import SCHEMA_VERSION, read, write


@pytest.fixture
def profile(rng):
    x = rng.random((30, 8, 8, 3))
    summary = dataclasses.replace(
        numpy_reference.summarise(x),
        features=numpy_reference.feature_table(rng.normal(1e4, 1, (30, 2)), ("a", "b/c")),
        embedding=numpy_reference.embedding(numpy_reference.thumbnail(x)),
        tokens=rng.integers(0, 9, 4096),
    )
    return InputProfile(
        {"input": summary, "odd/name \u00e9": summary},
        {"mine": 0.5},
        LabelSummary(30, 30, rng.integers(0, 9, 1024), 1),
        OutputSummary("w", 2, summary.features, np.asarray([10, 20]), np.eye(2, dtype="int64")),
        distinct_samples=12,
    )


def npz(path, **arrays):
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def assert_same(a, b, path=""):
    """Compares exactly, and covariances to single precision."""
    assert isinstance(b, np.generic) or type(a) is type(b), path
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{path}/{field.name}")
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            assert_same(a[name], b[name], f"{path}/{name}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, path
        rtol = 1e-6 if path.endswith("comoment") else 0
        np.testing.assert_allclose(a, b, rtol=rtol, err_msg=path)
    else:
        assert a == b, path


def test_round_trip(profile, tmp_path):
    profile.save(tmp_path / "a.profile")  # any suffix is allowed
    assert [p.name for p in tmp_path.iterdir()] == ["a.profile"]
    loaded = InputProfile.load(tmp_path / "a.profile")
    assert_same(loaded, profile)
    assert_same(loaded + loaded, profile + profile)
    InputProfile().save(tmp_path / "empty")
    assert_same(InputProfile.load(tmp_path / "empty"), InputProfile())


def test_an_input_whose_name_is_a_path_within_another(profile, tmp_path):
    """In a data set with TensorFlow's names, "image" stands beside "image/features"."""
    summary = profile.inputs["input"]
    other = dataclasses.replace(summary, counts=summary.counts + 1)
    both = InputProfile({"image": summary, "image/features": other})
    both.save(tmp_path / "x.profile")
    assert_same(InputProfile.load(tmp_path / "x.profile"), both)


def test_the_state_of_a_guard_on_fifty_inputs_is_read_back(tmp_path):
    """The state of a guard holds some 90 arrays for each input of the model."""
    write(tmp_path / "state", {"many": {str(i): np.full(1, i) for i in range(4500)}})
    assert len(read(tmp_path / "state")["many"]) == 4500


@pytest.fixture
def rewritten(profile, tmp_path):
    """Saves a profile with another header or other arrays, and returns its path."""

    def rewrite(change):
        path = tmp_path / "rewritten"
        profile.save(path)
        with np.load(path) as file:
            arrays = dict(file)
        header = json.loads(arrays["header"].tobytes())
        change(header, arrays)
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), "uint8")
        with path.open("wb") as file:
            np.savez(file, **arrays)
        return path

    return rewrite


def test_a_field_that_the_file_lacks_has_its_default(rewritten):
    path = rewritten(lambda header, _: header["profile"].pop("outputs"))
    assert InputProfile.load(path).outputs.num_samples == 0


def of_version(version):
    return lambda header, _: header.update(schema_version=version)


def input_of(header):
    return header["profile"]["inputs"]["input"]


DAMAGED = "damaged profile"
REFUSED = {
    "newer": (of_version(SCHEMA_VERSION + 1), "newer keras_shiftguard .schema"),
    "older": (of_version(1), "older keras_shiftguard .schema 1"),
    "version": (of_version(2.0), "schema_version=.* is not a whole number"),
    "field": (
        lambda header, _: header["profile"]["labels"].update(colours=1),
        "newer keras_shiftguard .it has '/labels/colours'",
    ),
    "array": (lambda _, arrays: arrays.pop("/inputs/input/minimum"), DAMAGED),
    "type": (lambda header, _: header["profile"]["labels"].update({"=type": "Popen"}), DAMAGED),
    "tree": (lambda header, _: header.pop("profile"), DAMAGED),
    "list": (
        lambda header, _: input_of(header)["channels"].update(count=[3.0], mean=[0.0], m2=[0.0]),
        DAMAGED,
    ),
    "part": (lambda header, _: input_of(header).update(nonfinite_samples=31), DAMAGED),
    "triangle": (
        lambda header, _: input_of(header)["embedding"].update(comoment=["=triangle", 10**9]),
        "not one half of a matrix of 1000000000 rows",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_header_that_cannot_be_is_refused(what, rewritten):
    change, words = REFUSED[what]
    with pytest.raises(BadInputError, match=words):
        InputProfile.load(rewritten(change))


@pytest.mark.parametrize("part", ["channels", "embedding"])
@pytest.mark.parametrize(("name", "value"), [("mean", np.nan), ("m2", np.inf), ("m2", -1.0)])
def test_moments_that_no_data_can_have_are_refused(part, name, value, profile, tmp_path):
    summary = profile.inputs["input"]
    whole = getattr(summary, part)
    moments = whole.projections if part == "embedding" else whole
    changed = np.array(getattr(moments, name), "float64")
    changed[..., -1] = value
    moments = dataclasses.replace(moments, **{name: changed})
    if part == "embedding":
        moments = dataclasses.replace(whole, projections=moments)
    summary = dataclasses.replace(summary, **{part: moments})
    InputProfile({"input": summary}).save(tmp_path / "p")
    words = "at least 0" if value == -1 else "finite"
    with pytest.raises(BadInputError, match=f"damaged profile.*{part}.*{name}.*{words}"):
        InputProfile.load(tmp_path / "p")


@pytest.mark.backend
def test_a_profile_of_huge_values_is_read_back(tmp_path, rng):
    """float32 cannot hold their squares, so their moments are unknown, and not infinite."""
    huge = rng.normal(size=(40, 4)) * [1, 1e20, 1e25, 1e30]
    sg.profile(huge.astype("float32")).save(tmp_path / "p")
    channels = InputProfile.load(tmp_path / "p").inputs["input"].channels
    assert channels.count.tolist() == [40, 0, 0, 0]
    assert channels.std[0] == pytest.approx(huge[:, 0].std(), rel=1e-4)


def test_a_damaged_file_and_other_files_are_refused(profile, tmp_path):
    path = tmp_path / "file"
    profile.save(path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    for content in (whole[: len(whole) // 2], b"", b"not a profile", b"PK\x03\x04", flipped):
        path.write_bytes(content)
        with pytest.raises(BadInputError, match="profile"):
            InputProfile.load(path)
    npz(path, header=np.asarray([{"schema_version": SCHEMA_VERSION}], object))
    with pytest.raises(BadInputError, match="allow_pickle"):
        InputProfile.load(path)


def test_a_missing_file_is_python_s_own_error(profile, tmp_path):
    with pytest.raises(FileNotFoundError):
        InputProfile.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no directory .*missing to save a.profile"):
        profile.save(tmp_path / "missing" / "a.profile")


def test_a_header_of_a_million_parts_is_refused_early(tmp_path):
    parts = "[" + "{}," * 10**6 + "{}]"
    header = f'{{"schema_version": {SCHEMA_VERSION}, "profile": {{"inputs": {parts}}}}}'
    npz(tmp_path / "p", header=np.frombuffer(header.encode(), "uint8"))
    start = time.perf_counter()
    with pytest.raises(BadInputError, match="its header has more than 500,000 parts"):
        InputProfile.load(tmp_path / "p")
    assert time.perf_counter() - start < 5  # as a whole: 13 s


@pytest.mark.thorough
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb"
    npz(path, header=np.zeros(300 * 2**20, "uint8"))
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(BadInputError, match="unpacks to 314,572,9"):
        InputProfile.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_header_that_claims_more_than_is_there_is_refused(tmp_path):
    path = tmp_path / "claim"
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"shape": (2**40,), "fortran_order": False, "descr": "<f8"}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", huge.getvalue())
    with pytest.raises(BadInputError, match="does not match its size"):
        InputProfile.load(path)

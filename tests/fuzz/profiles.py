"""The readers of profiles and of arrays, on any bytes."""

import io
import json
import os
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from fuzz.choices import Choices, damaged, scrambled

from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.images import read_array, read_labels
from keras_shiftguard.log.resume import read_state
from keras_shiftguard.profiles import InputProfile

REAL = Path(__file__).parent / "real"
DTYPES = ("<f8", "<i8", "<f4", "|b1", "<U3", "|O", "<c16", "<M8[s]", ">u2", "<f2", "|V4")
ARRAYS = ("x.npz", "x.npy")


@cache
def real():
    """Returns the header and the arrays of a real profile, and the bytes of each array."""
    with np.load(REAL / "small.profile") as file:
        arrays = dict(file)
    header = arrays.pop("header").tobytes()
    return header, arrays, {name: _npy(array) for name, array in arrays.items()}


def one_profile(data):
    """Reads the bytes as a profile and uses it, or reads them as the state of a guard.

    Returns whether the header was read.
    """
    choices = Choices(data)
    kind = choices.below(8)
    content = choices.rest if kind == 0 else built(choices, as_state=kind == 1)
    file = Path(tempfile.gettempdir()) / f"shiftguard-fuzz-{os.getpid()}"
    file.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == 1:
                read_state(file)
                return True
            profile = InputProfile.load(file)
    except BadInputError as error:
        return not str(error).partition(">")[2].startswith(" is not a readable profile")
    except FileNotFoundError:
        return False
    # Few profiles are compared, because a comparison takes as long as reading a hundred.
    use(profile, thoroughly=choices.below(64) == 0)
    return True


def use(profile, thoroughly):
    """Calls the functions that take a profile."""
    with np.errstate(all="ignore"):
        assert profile.num_samples >= 0
        assert all(isinstance(value, (int, float)) for value in profile.features.values())
        try:
            profile + profile
            if profile.inputs and thoroughly:
                compare_profiles(
                    profile, profile, stream="current", against="reference", level=0.05
                )
        except BadInputError:
            pass


def built(choices, as_state):
    """Returns a damaged copy of a real file: values, shapes and types change, parts are missing."""
    text, arrays, members = real()
    header, arrays = json.loads(text), dict(arrays)
    # Costly parts are mostly left out. The reader then uses their defaults.
    parts = choices.below(256)
    for number, part in enumerate(("labels", "outputs")):
        if parts >> 3 == number:
            continue
        # Array fields are left out. Their defaults belong to a profile without classes.
        kept = header["profile"][part]
        kept = {k: v for k, v in kept.items() if not isinstance(v, (dict, list))}
        header["profile"][part] = {**kept, "num_classes": 0} if part == "outputs" else kept
    for number, part in enumerate(("embedding", "features", "tokens")):
        if parts & 7 != number:
            header["profile"]["inputs"]["input"].pop(part)
    if parts & 7 > 3:
        header["profile"]["inputs"].clear()
    arrays = {name: a for name, a in arrays.items() if not _is_gone(name, header)}
    if choices.below(16):
        times = choices.pick((0, 0, 1, 1, 1, 2, 3))
        header["profile"] = damaged(choices, header["profile"], times)
    else:
        header = damaged(choices, header, 1)
    if as_state and isinstance(header, dict) and "profile" in header:
        header["profile"] = {"guard_state": header["profile"]}
    content = {name: members[name] for name in arrays}
    for _ in range(choices.pick((0, 0, 0, 1, 1, 2, 3)) if arrays else 0):
        name = choices.pick(sorted(arrays))
        with np.errstate(all="ignore"):  # numbers may not fit the new type
            arrays[name] = _other(choices, arrays[name])
        content[name] = _npy(arrays[name])
    content["header"] = _npy(np.frombuffer(json.dumps(header).encode(), np.uint8))
    for _ in range(choices.pick((0, 0, 0, 0, 0, 0, 1, 2))):
        name = choices.pick(sorted(content))
        content[name] = scrambled(choices, content[name], 3)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", choices.pick((0, 0, 0, zipfile.ZIP_DEFLATED))) as archive:
        for name, member in content.items():
            archive.writestr(f"{name}.npy", member)
    return scrambled(choices, file.getvalue(), choices.pick((0,) * 9 + (4,)))


def _is_gone(name, header):
    """Returns whether an array belongs to a part that was left out."""
    place = header["profile"]
    for key in name.split("/")[1:]:
        if not isinstance(place, dict) or key not in place:
            return True
        place = place[key]
    return False


def _other(choices, array):
    what = choices.below(5)
    if what == 0:
        return array.reshape(choices.pick(((-1,), (1, *array.shape), array.shape[::-1])))
    if what == 1:
        return array[: choices.below(3)]
    if what == 2 and array.dtype.kind in "iuf":
        return array.astype(choices.pick(("f8", "f4", "i8", "u1", "U8", "bool", "f2")))
    if what == 3 and array.size and array.dtype.kind == "f":
        array = array.copy()
        array.flat[choices.below(array.size)] = choices.pick((np.nan, np.inf, -1, 1e308, -1e308))
        return array
    if array.size and array.dtype.kind == "i":
        array = array.copy()
        array.flat[choices.below(array.size)] = choices.pick((-1, 2**62, 2**40, 7))
    return array


def _npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), (1, 0), allow_pickle=False)
    return file.getvalue()


def one_array(data, folder):
    """Reads the bytes as a `.npz` or `.npy` file with images and their labels."""
    choices = Choices(data)
    path = folder / choices.pick(ARRAYS)
    path.write_bytes(choices.rest if choices.below(2) == 0 else _arrays(choices, path.suffix))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = read_array(path, 4)
            read_labels(path, 4)
    except BadInputError as error:
        return "must hold" in str(error) or "several arrays" in str(error)
    assert len(x) <= 4 and x.ndim == 4
    return True


def _arrays(choices, suffix):
    """Returns a file with any header and some numbers."""
    shape = tuple(choices.pick((1, 2, 3, 0, 8, -1, 2**31, 2**62)) for _ in range(choices.below(6)))
    header = {"descr": choices.pick(DTYPES), "fortran_order": bool(choices.below(2))}
    header["shape"] = choices.pick((shape, (2, 2, 2, 3), (1, 4, 4, 1)))
    text = scrambled(choices, repr(header).encode() + b"\n", choices.pick((0, 0, 2)))
    version = choices.pick((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x00"))
    size = len(text).to_bytes(4 if version == b"\x02\x00" else 2, "little")
    claimed = 8 * int(np.prod([abs(side) for side in header["shape"][:4]], dtype=object))
    body = bytes(claimed) if 0 <= claimed < 5000 else choices.chunk(300)
    array = b"\x93NUMPY" + version + size + text + body
    if suffix == ".npy":
        return array
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for _ in range(1 + choices.below(3)):
            name = choices.pick(("x.npy", "images.npy", "y.npy", "../x.npy", "arr_0.npy"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns if a name is there twice
                archive.writestr(name, array)
    return scrambled(choices, file.getvalue(), choices.pick((0, 0, 4)))

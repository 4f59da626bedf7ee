"""The reader of model files, on any bytes."""

import io
import json
import warnings
import zipfile
from functools import cache
from pathlib import Path

from fuzz.choices import Choices, damaged, scrambled

from keras_shiftguard_cli.output import BadInput
from keras_shiftguard_cli.reading import _input_shape, is_profile, load_model

REAL = Path(__file__).parent / "real"


@cache
def real():
    """Returns the members of a real `.keras` file, and the bytes of a real `.h5` file."""
    with zipfile.ZipFile(REAL / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return members, (REAL / "model.h5").read_bytes()


def one_model(data, folder):
    """Loads a damaged model, as the command line does; returns whether Keras built it."""
    choices = Choices(data)
    path = folder / choices.pick(("model.keras", "model.keras", "model.h5"))
    if choices.below(8) == 0:
        path.write_bytes(choices.rest)
    elif path.suffix == ".h5":
        path.write_bytes(scrambled(choices, real()[1], 6))
    else:
        path.write_bytes(_archive(choices))
    is_profile(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Keras
        try:
            _input_shape(load_model(str(path)))
        except BadInput:
            return False
    return True


def _archive(choices):
    members = dict(real()[0])
    for _ in range(choices.below(3)):
        name = choices.pick(("config.json", "metadata.json"))
        tree = damaged(choices, json.loads(members[name]), 1 + choices.below(2))
        members[name] = json.dumps(tree).encode()
    if choices.below(3) == 1:
        name = choices.pick(sorted(members))
        members[name] = scrambled(choices, members[name], 6)
    if choices.below(8) == 1:  # not 0, which `below` returns after the last byte
        members.pop(choices.pick(sorted(members)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return scrambled(choices, file.getvalue(), choices.pick((0, 0, 0, 3)))

"""The log format is defined once, in a module that imports nothing."""

import ast
from pathlib import Path

import numpy as np

from keras_shiftguard.callback.arguments import MAX_LOG_SAMPLES
from keras_shiftguard.io.png import png
from keras_shiftguard.log import pictures, shift_tab, shift_tab_bins, shift_tab_series
from tensorboard_plugin_shiftguard import metadata

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tensorboard_plugin_shiftguard"
WRITER = ROOT / "keras_shiftguard" / "log"
STATED = {name for name in vars(metadata) if name.isupper()}


def constants(tree):
    """Yields the names of the constants that a module assigns."""
    for node in tree.body:
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            for name in ast.walk(target) if target else ():
                if isinstance(name, ast.Name) and name.id.isupper():
                    yield name.id


def defined_again(folders):
    """Lists the constants of the format that a file other than `metadata.py` assigns."""
    return [
        (path.name, name)
        for folder in folders
        for path in sorted(folder.glob("*.py"))
        if path != PLUGIN / "metadata.py"
        for name in constants(ast.parse(path.read_text()))
        if name in STATED
    ]


def test_writer_and_reader_define_no_constant_of_the_format():
    assert len(STATED) > 30
    assert defined_again([PLUGIN, WRITER, ROOT / "keras_shiftguard" / "explain"]) == []


def test_the_tab_has_the_flags_of_the_format():
    text = (PLUGIN / "static" / "rows.js").read_text(encoding="utf-8")
    names = ("ALARM", "EXPECTED", "NEGLIGIBLE", "REPORTED")
    known = ", ".join(f"{name.lower()}: {getattr(metadata, name)}" for name in names)
    assert f"FLAGS = {{ {known} }};" in text


def test_the_writer_stays_below_the_limits_of_the_reader():
    assert shift_tab.MAX_TEXT <= metadata.MAX_SENTENCE
    assert shift_tab.MAX_BYTES <= metadata.MAX_JSON_BYTES
    assert shift_tab_bins.BINS <= metadata.MAX_BINS
    assert shift_tab_series.FEATURES_PER_EVENT <= metadata.MAX_HISTOGRAMS
    assert pictures.MAX_LOOKS <= metadata.MAX_PICTURE_EPOCHS
    assert MAX_LOG_SAMPLES <= metadata.MAX_PICTURES
    noise = np.random.default_rng(0).integers(0, 256, (pictures.MAX_SIDE, pictures.MAX_SIDE, 3))
    assert len(png(noise.astype("uint8"))) <= metadata.MAX_PICTURE_BYTES

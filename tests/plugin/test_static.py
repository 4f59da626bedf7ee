"""The JavaScript of the Shift tab never turns a text into markup or code."""

import hashlib
import re
from pathlib import Path

import pytest

from keras_shiftguard.detection.finding import NEGLIGIBLE
from keras_shiftguard.detection.words.plain_words import LARGE, SLIGHT

STATIC = Path(__file__).parents[2] / "tensorboard_plugin_shiftguard" / "static"
BANNED = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    r"|srcdoc|\beval\s*\(|new\s+Function|set(?:Timeout|Interval)\s*\(\s*[\"'`]"
    r"|setAttribute\(\s*[\"']on|javascript:|https?://(?!www\.w3\.org/)"
)
HARMLESS = (
    "node.textContent = name",
    'fetch("./runs")',
    'createElementNS("http://www.w3.org/2000/svg")',
)
HARMFUL = (
    *("node.innerHTML = name", "eval (name)", 'setTimeout("run()", 1)', "new Function(name)"),
    *('import("https://cdn.example/x.js")', "node.setAttribute('onclick', name)"),
)
OWN = sorted(path for path in STATIC.iterdir() if path.is_file())
VENDORED = {  # as uplot 1.6.32 and htm 3.1.1 are published on npm
    "htm.LICENSE.txt": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
    "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.esm.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_text_becomes_markup(path):
    found = BANNED.findall(path.read_text(encoding="utf-8"))
    assert not found, f"{path.name}: {found}"


def test_the_libraries_are_as_published_and_have_their_licences():
    found = {path.name: path.read_bytes() for path in (STATIC / "vendor").iterdir()}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == VENDORED
    assert b"MIT License" in found["uPlot.LICENSE.txt"]
    assert b"Apache License" in found["htm.LICENSE.txt"]
    banned = BANNED.findall("".join(found[name].decode() for name in ("uPlot.esm.js", "htm.js")))
    assert set(banned) <= {"https://", "http://"}  # addresses in comments


def test_the_ban_bites():
    assert all(BANNED.search(line) for line in HARMFUL)
    assert not any(BANNED.search(line) for line in HARMLESS)


def test_the_glossary_has_the_words_of_the_screen_and_one_scale_of_effect_sizes():
    text = (STATIC / "glossary.js").read_text(encoding="utf-8")
    words = re.findall(r'^ +"?([A-Z][^":]+)"?:', text, re.MULTILINE)
    wanted = "Misfit|Convention|Accuracy gap|Adaptation|Effect size|Act|Cost|Follows|Look|Fine"
    assert set(wanted.split("|")) <= set(words)
    scale = f"Below {NEGLIGIBLE} it is too small to matter; sentences say slightly below {SLIGHT} "
    scale += f"and much from {LARGE} on."
    pages = text, (STATIC.parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
    for page in pages:
        page = re.sub(r'" \+\s+"|\\u201[cd]', "", page).replace('"', "")
        assert scale in " ".join(page.split())

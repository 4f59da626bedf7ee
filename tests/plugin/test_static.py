"""The JavaScript of the Shift tab never turns a text into markup or code."""

import re
from pathlib import Path

import pytest

from keras_shiftguard.detection.finding import NEGLIGIBLE
from keras_shiftguard.detection.plain_words import LARGE, SLIGHT

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
    "node.innerHTML = name",
    "node.insertAdjacentHTML('beforeend', name)",
    "eval (name)",
    'setTimeout("run()", 1)',
    "new Function(name)",
    'import("https://cdn.example/x.js")',
    "node.setAttribute('onclick', name)",
)


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_no_text_becomes_markup(path):
    found = BANNED.findall(path.read_text(encoding="utf-8"))
    assert not found, f"{path.name}: {found}"


def test_the_ban_bites():
    assert all(BANNED.search(line) for line in HARMFUL)
    assert not any(BANNED.search(line) for line in HARMLESS)


def test_the_glossary_has_the_words_of_the_screen_and_one_scale_of_effect_sizes():
    text = (STATIC / "glossary.js").read_text(encoding="utf-8")
    words = re.findall(r'^ +(?:\[)?"([^"]+)",', text, re.MULTILINE)
    wanted = "Misfit|Convention|p-value|Accuracy gap|Augmentation|Adaptation|Effect size|Act|Cost"
    assert set(wanted.split("|")) <= set(words)
    scale = f"Below {NEGLIGIBLE} it is too small to matter; sentences say slightly below {SLIGHT} "
    scale += f"and much from {LARGE} on."
    pages = text, (STATIC.parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
    for page in pages:
        page = re.sub(r'" \+\s+"|\\u201[cd]', "", page).replace('"', "")
        assert scale in " ".join(page.split())


def test_there_is_something_to_look_at():
    assert {"index.js", "shiftguard.css"} <= {path.name for path in STATIC.iterdir()}

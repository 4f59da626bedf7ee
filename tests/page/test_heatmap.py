"""The heatmap of the page: the colours, limits and words are those of the Shift tab."""

import re
from pathlib import Path

import pytest

import keras_shiftguard_page
import tensorboard_plugin_shiftguard
from keras_shiftguard_page.heatmap import COSTS, LEGEND, cells
from tensorboard_plugin_shiftguard.metadata import ALARM, EXPECTED, NEGLIGIBLE, REPORTED

STATIC = Path(tensorboard_plugin_shiftguard.__file__).parent / "static"
CSS = Path(keras_shiftguard_page.__file__).parent / "templates" / "page.css"
FINDING = {
    "since": 1,
    "until": None,
    "matters": True,
    "expected": False,
    "harmless": False,
    "cost": 0.05,
    "cost_interval": [0.04, 0.06],
}
DIFFERS = {**FINDING, "matters": False, "harmless": True}


def look(flags, cost, effect=-1.2, finding=FINDING, tolerance=0.01):
    each = {"effect": [effect], "flags": [flags], "cost": [cost]}
    [cell] = cells([1], [(each, finding)], tolerance)
    return cell.look


@pytest.mark.parametrize(
    ("flags", "cost", "finding", "expected"),
    [
        (ALARM | REPORTED, 0.01, FINDING, "h1"),
        (ALARM | REPORTED, 0.06, FINDING, "h4"),
        (ALARM | REPORTED, None, FINDING, "unpriced"),
        (ALARM, None, FINDING, "along"),
        (EXPECTED | REPORTED, None, FINDING, "tolerated"),
        (REPORTED, 0.005, DIFFERS, "unclear"),  # 0.005 and the half width of 0.01 are above 0.01
        (REPORTED, 0.005, {**DIFFERS, "cost_interval": [0.045, 0.052]}, "tolerated"),
        (NEGLIGIBLE | REPORTED, None, DIFFERS, "tolerated"),
        (0, None, FINDING, "quiet"),
    ],
)
def test_the_colour_is_the_cost_amber_if_unclear_and_grey_within_tolerance(
    flags, cost, finding, expected
):
    assert look(flags, cost, finding=finding) == expected


def test_a_cell_shows_the_strongest_of_its_features_and_epochs():
    weak = {"effect": [3.0] * 200, "flags": [REPORTED] * 200, "cost": [0.0] * 200}
    strong = {"effect": [0.3] * 200, "flags": [0] * 199 + [ALARM | REPORTED], "cost": [0.03] * 200}
    row = cells([*range(1, 201)], [(weak, DIFFERS), (strong, FINDING)], 0.1)
    assert len(row) == 100
    assert [cell.look for cell in row[-2:]] == ["tolerated", "h2"]
    assert row[-1].text == "epoch 199: costs 3.0 points of accuracy; effect size 0.3"


def test_limits_words_and_colours_are_those_of_the_tab():
    drawing = (STATIC / "heatmap_draw.js").read_text()
    told = re.search(r"const COSTS = \[(.*?)\]", drawing)[1]
    assert tuple(float(limit) for limit in told.split(",")) == COSTS
    words = (STATIC / "heatmap_words.js").read_text()
    for name, text in LEGEND.items():
        assert f'key("{name}", "{text}")' in words
    assert '"2", "4", "6 points lost and more"' in words
    tab = re.split(r"color-scheme: dark", (STATIC / "shiftguard.css").read_text())
    page = re.split(r"@media screen", CSS.read_text())
    for theme in (0, 1):
        for name in "quiet tolerated along unclear h1 h2 h3 h4 unpriced".split():
            colour = re.search(rf"--{name}: (#\w+);", tab[theme])[1]
            assert f"--{name}:{colour}" in page[theme], (theme, name)

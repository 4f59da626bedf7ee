"""The Shift tab in a real Chromium, under a path prefix: positions, links, gaps, hostile names."""

import warnings

import pytest
import shift_tab
from plugin.browser import tensorboard
from plugin.logs import RawLog, scores, scores_content, state, write_small_run

from keras_shiftguard.errors import ShiftWarning

# `make test` runs the browser tests of test_first_day.py.
pytestmark = pytest.mark.thorough
EPOCHS = 3
EVIL_RUN = "evil<img src=x onerror=alert(2)>"
EVIL_VERDICT = {"state": "look", "cause": "<b onmouseover=alert(3)>bold</b>", "step": "Look."}
HOSTILE = ("<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "a\u202eb", "x" * 300)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_small_run(path / "first" / "shiftguard", steps=range(EPOCHS))
    with RawLog(path / EVIL_RUN / "shiftguard") as log:
        for step in range(3):
            content = scores_content(names=HOSTILE)
            log.add("shiftguard/scores/v-t/0", scores(*range(len(HOSTILE))), step, content)
            log.add("shiftguard/state", state(step, verdict=EVIL_VERDICT), step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShiftWarning)
        shift_tab.fit_digits(path / "darker", 6, fault=True)
    with tensorboard(path, "--path_prefix", "/tb/x") as address:
        yield address


@pytest.fixture
def tab(open_at, address):
    """The tab, opened by a deep link to a feature of a run."""
    link = "run=first%2Fshiftguard&p.shiftguard.pair=validation%2Ftrain"
    tab = open_at(address, link=f"{link}&p.shiftguard.open=distributions")
    tab("histogram").wait_for()
    return tab


def test_a_real_fit_is_shown(open_at, address):
    tab = open_at(address, link="run=darker%2Fshiftguard")
    tab.eventually(lambda: "darker" in tab("verdict").inner_text())
    shown = tab("verdict").inner_text()
    assert "Validation images are much darker than training images." in shown
    assert "mean brightness" in shown and "since epoch 4" in shown
    assert tab("verdict").locator("[aria-live]").count() >= 1


def test_a_reload_keeps_the_position(tab):
    tab("feature").select_option("b")
    tab("heatmap").focus()
    for key in ("Home", "Enter"):
        tab.page.keyboard.press(key)
    tab.eventually(lambda: tab("histogram").get_attribute("data-step") == "0")
    tab.eventually(lambda: "epoch=1" in tab.page.url)  # the address changes a little later
    tab.page.reload()
    tab("histogram").wait_for()
    tab.eventually(lambda: tab("feature").input_value() == "b")
    tab.eventually(lambda: tab("histogram").get_attribute("data-step") == "0")


def test_an_empty_directory_says_how_to_fill_it(open_at, tmp_path):
    with tensorboard(tmp_path) as address:
        tab = open_at(address)
        tab("empty").wait_for()
        assert "ShiftGuard(log_dir=" in tab("empty").inner_text()
        assert tab.audit() == []
        tab.close()  # before the server ends, or requests of the page would fail


def test_hostile_names_are_text(open_at, address):
    tab = open_at(address)
    dialogs = []
    tab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab("run-picker").locator("button", has_text="evil").click()
    tab.eventually(lambda: "<b onmouseover=alert(3)>" in tab("verdict").inner_text())
    tab.fold("distributions")
    tab("feature").locator("option").first.wait_for(state="attached")
    assert EVIL_RUN in tab("run-picker").inner_text()
    assert tab.evaluate("document.images.length") == 0
    assert tab.evaluate("document.querySelectorAll('script').length") <= 1
    options = tab("feature").locator("option")
    names = options.evaluate_all("(all) => all.map((one) => one.value)")
    assert HOSTILE[0] in names and HOSTILE[1] in names
    text = " ".join(options.all_inner_texts())
    assert "<script>alert(1)<" in text and "\u202e" not in text
    assert not dialogs

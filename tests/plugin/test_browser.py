"""The Shift tab in a real Chromium, with the logs of real fits."""

import json
import re
import warnings

import pytest
from plugin.browser import tensorboard
from plugin.logs import RawLog, scores, scores_content, state
from plugin.test_gap import REPORT

from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard.explain.report import GapReport, GapRow

# `make test` runs the browser tests of test_first_day.py, whose logs are faster to write.
pytestmark = pytest.mark.thorough
EPOCHS = 6
SHIFTED = "input/brightness"
RUNS = ("mismatch", "healthy", "darker")
LINK = (
    "run=darker%2Fshiftguard&p.shiftguard.pair=validation%2Ftrain&p.shiftguard.open=distributions"
)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """Three real fits with a ShiftGuard."""
    pytest.importorskip("foolbox", reason="the photos are not installed")
    import shift_tab

    path = tmp_path_factory.mktemp("logs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShiftWarning)
        shift_tab.fit_photos(path / "mismatch", 1)
        shift_tab.fit_digits(path / "healthy", EPOCHS)
        shift_tab.fit_digits(path / "darker", EPOCHS, fault=True)
    return path


@pytest.fixture(scope="module")
def address(log_dir):
    with tensorboard(log_dir, "--path_prefix", "/tb/x") as address:
        yield address


@pytest.fixture
def open_tab(open_at, address):
    """Opens the tab on the log of the fits."""

    def open_tab(query="", width=1400, at=address, link=""):
        return open_at(at, query, width, link)

    return open_tab


@pytest.fixture
def tab(open_tab):
    """The tab, opened by a deep link to the run and the pair with the planted shift."""
    return with_features(open_tab(link=LINK))


def with_features(tab):
    """Waits until the shifted feature can be chosen, and returns the tab."""
    tab.feature(SHIFTED).wait_for(state="attached")
    return tab


def drawn(tab):
    """Returns the drawn histogram from the browser."""
    canvas = tab("histogram").locator("canvas")
    return canvas.evaluate("(canvas) => canvas.toDataURL()")


def test_the_band_says_what_happened_in_words(tab):
    tab.eventually(lambda: "Reading" not in tab("verdict").inner_text())
    shown = tab("verdict").inner_text()
    assert "Validation images are much darker than training images." in shown
    assert "mean brightness" in shown and "since epoch 4" in shown
    assert tab("verdict").locator("[aria-live]").count() >= 1
    assert tab("curves").get_by_role("img").count() == 1


def test_each_run_stands_in_the_list_with_its_state(tab):
    kinds = {name: tab.run(name).get_attribute("data-kind") for name in RUNS}
    assert kinds["healthy"] == "fine" and kinds["mismatch"] == "act"
    assert kinds["darker"] in ("act", "look")
    assert "fed as 0 to 1" in tab.run("mismatch").inner_text()
    assert "darker" in tab.run("darker").locator(".short").inner_text()


def test_what_shifted_comes_first(tab):
    first = tab("feature").locator("option").first
    assert first.get_attribute("value") == SHIFTED == tab("feature").input_value()
    assert "shifted" in first.inner_text().lower()
    assert "darker" in tab("detail").inner_text()


def test_another_epoch_moves_the_histogram(tab):
    tab("histogram").wait_for()
    assert tab("histogram").get_attribute("data-step") == str(EPOCHS - 1)
    before = drawn(tab)
    to_epoch(tab, "Home")
    tab.eventually(lambda: tab("histogram").get_attribute("data-step") == "0")
    assert drawn(tab) != before
    to_epoch(tab, "End")
    tab.eventually(lambda: tab("histogram").get_attribute("data-step") == str(EPOCHS - 1))


def to_epoch(tab, key):
    """Chooses the first ("Home") or the last epoch ("End") by the keyboard."""
    tab("heatmap").focus()
    tab.page.keyboard.press(key)
    tab.page.keyboard.press("Enter")


def test_the_heatmap_reads_by_keyboard(tab):
    tab("histogram").wait_for()  # before the data arrive, keys do nothing
    tab("heatmap").focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("ArrowLeft")
    assert re.search(r"epoch \d", tab("readout").inner_text())
    tab.page.keyboard.press("Enter")
    tab.eventually(lambda: tab("histogram").get_attribute("data-step") == str(EPOCHS - 2))
    assert tab("feature").input_value() != SHIFTED


def test_space_unfolds_a_cause(tab):
    rows = "Number(document.querySelector('[data-testid=heatmap]').ariaLabel.match(/\\d+/)[0])"
    tab("histogram").wait_for()
    before = tab.evaluate(rows)
    tab("heatmap").focus()
    tab.page.keyboard.press("Space")
    tab.eventually(lambda: tab.evaluate(rows) > before)
    tab.page.keyboard.press("Space")
    tab.eventually(lambda: tab.evaluate(rows) == before)


def test_a_reload_keeps_the_position(tab):
    name = tab("feature").locator("option").nth(1).get_attribute("value")

    def is_there():
        return (
            tab("feature").input_value() == name
            and tab("histogram").get_attribute("data-step") == "0"
        )

    tab("feature").select_option(name)
    tab.eventually(lambda: tab("histogram").is_visible())
    tab("curves-chart").click(position={"x": 300, "y": 60})
    tab.eventually(lambda: "epoch=1" in tab.page.url)  # the address changes a little later
    tab.eventually(is_there)
    tab.page.reload()
    tab("histogram").wait_for()
    tab.eventually(is_there)


def test_a_link_of_the_version_before_opens_its_run(open_tab):
    tab = open_tab(link="runs=%5B%22healthy%2Fshiftguard%22%5D")
    tab.run("healthy").wait_for()
    tab.eventually(lambda: tab.run("healthy").get_attribute("aria-current") == "true")


def test_the_class_shares_are_a_table(tab):
    tab("feature").select_option("labels")
    table = tab("detail").locator("details", has_text="The distribution as a table")
    table.locator("summary").click()
    tab.eventually(lambda: table.locator("tbody tr").count() == 11)  # digits, and all other classes


@pytest.mark.parametrize("query", ["darkMode=false", "darkMode=true"])
@pytest.mark.parametrize("width", [320, 1400])
def test_axe_finds_nothing_serious(open_tab, query, width):
    tab = with_features(open_tab(query, width, link=LINK))
    tab("histogram").wait_for()
    for part in ("preprocessing", "adaptation", "glossary"):
        tab.fold(part)
    tab.page.wait_for_timeout(500)
    assert tab.audit() == []


def test_dark_mode_is_dark(open_tab):
    colours = []
    for query in ("darkMode=false", "darkMode=true"):
        tab = open_tab(query)
        tab("verdict").wait_for()
        colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        colours.append(sum(map(int, re.findall(r"\d+", colour)[:3])))
    assert colours[0] > 600 > 200 > colours[1]


# --- logs that are not a fit -----------------------------------------------------


def test_an_empty_directory_says_how_to_fill_it(open_tab, tmp_path):
    with tensorboard(tmp_path) as address:
        tab = open_tab(at=address)
        tab("empty").wait_for()
        assert "ShiftGuard(log_dir=" in tab("empty").inner_text()
        assert tab.audit() == []
        tab.close()  # before the server ends, or requests of the page would fail


def test_an_accuracy_gap_is_a_waterfall(open_tab, tmp_path):
    """Each bar begins where the one before it ends, from reference to measured accuracy."""
    evil = GapRow("label shift", 0.05, (0.0, 0.1), 0.65, "removed", "<script>alert(1)</script>")
    rows = (*REPORT.rows[:2], evil, *REPORT.rows[2:])
    GapReport(rows, 0.6, 0.86, (0.2, 0.3), "the reference data", 2000).write(tmp_path)
    with tensorboard(tmp_path) as address:
        tab = open_tab(at=address)
        tab("gap").wait_for()
        shown = tab("gap").inner_text()
        for row in rows:
            assert row.cause in shown and f"{100 * row.points:.1f}" in shown
        assert "<script>alert(1)</script>" in shown
        assert "x = x * 2" in tab("todo").inner_text()  # the line to paste
        bars = "[...document.querySelectorAll('.gap-fill')].map(b => b.getBoundingClientRect())"
        ends = tab.evaluate(f"{bars}.map(b => [b.left, b.right])")
        assert len(ends) == len(rows) + 2
        for (left, _), (_, right) in zip(ends[1:-2], ends[2:-1], strict=True):
            assert abs(left - right) < 3  # pixels; a bar has at least two
        (start, full), (_, measured) = ends[0], ends[-1]
        assert (measured - start) / (full - start) == pytest.approx(0.6 / 0.86, abs=0.02)
        assert tab.audit() == []
        tab.close()


HOSTILE = ("<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "a\u202eb", "x" * 300)


def test_hostile_names_are_text(open_tab, tmp_path):
    with RawLog(tmp_path / "evil<img src=x onerror=alert(2)>" / "shiftguard") as log:
        for step in range(3):
            content = scores_content(names=HOSTILE)
            log.add("shiftguard/scores/v-t/0", scores(*range(len(HOSTILE))), step, content)
            log.add("shiftguard/state", hostile_state(step), step)
    with tensorboard(tmp_path) as address:
        tab = open_tab(at=address)
        dialogs = []
        tab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        tab.fold("distributions")
        tab("feature").locator("option").first.wait_for(state="attached")
        assert "<img src=x onerror=alert(2)>" in tab("run-picker").inner_text()
        assert "<b onmouseover=alert(3)>" in tab("verdict").inner_text()
        assert tab.evaluate("document.images.length") == 0
        assert tab.evaluate("document.querySelectorAll('script').length") <= 1
        options = tab("feature").locator("option")
        names = options.evaluate_all("(all) => all.map((one) => one.value)")
        assert HOSTILE[0] in names and HOSTILE[1] in names
        text = " ".join(options.all_inner_texts())
        assert "<script>alert(1)<" in text and "\u202e" not in text
        assert not dialogs
        tab.close()


def hostile_state(step):
    content = json.loads(state(step))
    content["verdict"]["cause"] = "<b onmouseover=alert(3)>bold</b>"
    return json.dumps(content).encode()

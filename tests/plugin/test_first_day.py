"""Regression tests for problems that a first user had with the Shift tab, in a real Chromium."""

import pytest
from plugin.browser import tensorboard
from plugin.example_runs import (
    ALARM,
    ALONG,
    DARKER,
    EPOCHS,
    FAULT,
    MIX,
    NAMES,
    diagnosis,
    finding,
    told_of_images,
    write_adaptation,
    write_shift,
)
from plugin.logs import RawLog, as_json, state
from plugin.test_gap import REPORT
from plugin.test_picture_routes import write_pictures

pytestmark = pytest.mark.eager


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    for name, more in (("wrong", {}), ("fixed", {"corrected": {"train": 1, "validation": 1}})):
        with RawLog(path / name / "shiftguard") as log:
            both = {"train": diagnosis(), "validation": diagnosis()}
            verdict = told_of_images(**more)
            log.add("shiftguard/state", state(0, diagnosis=both, verdict=verdict, **more), 0)
            for step in range(16):  # training begins far below its later values
                curves = {"accuracy": min(0.31 + 0.3 * step, 0.99), "val_accuracy": 0.9}
                log.add("shiftguard/curves", as_json(curves), step, {"v": 1})
    darker = finding("input/brightness", DARKER, cost=0.061, cost_interval=[0.044, 0.079])
    darker["cost_words"] = "costs about 6.1 points of accuracy (between 4.4 and 7.9 points)"
    write_shift(path / "darker" / "shiftguard", darker, [ALARM, ALONG, ALONG, 0])
    healthy = path / "healthy" / "shiftguard"
    write_shift(healthy, darker, [ALARM, ALONG, ALONG, 0], fault=EPOCHS + 1)
    shares = [["5", 0.315, 0.106], ["0", 0.0166, 0.1]]
    labels = finding("labels", MIX, kind="label", family="label", classes=shares)
    write_shift(path / "labels" / "shiftguard", labels, [ALONG, ALONG, ALONG, ALARM])
    write_adaptation(path / "adapted" / "shiftguard")
    write_pictures(path / "pictures")
    write_pictures(path / "repaired", training=True)
    REPORT.write(path / "gap")
    return path


@pytest.fixture(scope="module")
def address(log_dir):
    with tensorboard(log_dir, "--reload_interval", "1") as address:
        yield address


@pytest.fixture
def opened(open_at, address):
    """Opens the tab on one of the runs."""

    def opened(run, link="", **size):
        tab = open_at(address, link=f"run={run}%2Fshiftguard{link}", **size)
        tab.run(run).wait_for()
        tab.eventually(lambda: tab.run(run).get_attribute("aria-current") == "true")
        tab.eventually(lambda: "Reading" not in tab("verdict").inner_text())
        return tab

    return opened


def test_what_is_corrected_is_not_red_and_not_corrected_twice(opened):
    tab = opened("fixed")
    assert tab("verdict").get_attribute("data-kind") == "corrected"
    assert "corrected since epoch 1" in tab.run("fixed").inner_text()
    tab.fold("preprocessing")
    page = tab.frame.locator("main").inner_text()
    assert "x * 2.0 - 1.0" not in page and "guard.diagnosis.apply(model)" in page
    assert "Inside fit nothing is lost" in tab("foremost").inner_text()
    assert tab("since").inner_text().startswith("since epoch 1")
    assert (
        "`model.predict` is not corrected until you run the line above."
        in tab("notes").inner_text()
    )
    wrong = opened("wrong")
    assert "since epoch 1" in wrong("verdict").inner_text()
    assert "cost not measured" in wrong("cost").inner_text()
    assert wrong("verdict").get_attribute("data-kind") == "act"
    assert "x * 2.0 - 1.0" in wrong("todo").inner_text()


def test_the_first_screen_of_a_mismatch_has_no_jargon_and_its_section_has_the_numbers(opened):
    tab = opened("wrong")
    first = tab("verdict").inner_text()
    assert "images were prepared: -1 to 1 fits best." in first
    assert "misfit" not in first and "tf" not in first.split()
    section = tab.fold("preprocessing")
    tab.eventually(lambda: "misfit 0.11" in section.inner_text())
    # The same mark for the same state: that of "Act" and that of "mismatch".
    marks = ("verdict", "run-picker", "fold-preprocessing")
    shapes = [tab(each).locator("svg.act, svg.mismatch").first.inner_html() for each in marks]
    assert len(set(shapes)) == 1


@pytest.mark.thorough
@pytest.mark.parametrize(("dark", "width"), [("false", 1400), ("true", 320)])
@pytest.mark.parametrize("run", ["labels", "adapted", "gap"])
def test_axe_finds_nothing_serious(opened, run, dark, width):
    tab = opened(run, query=f"darkMode={dark}", width=width)
    parts = tab.frame.locator("details.fold:visible")
    for part in parts.evaluate_all("(all) => all.map((one) => one.dataset.testid)"):
        tab.fold(part.removeprefix("fold-"))
    tab.page.wait_for_timeout(500)
    assert tab.audit() == []


def test_the_headline_is_that_of_the_chosen_epoch(opened):
    tab = opened("darker")
    headline = tab.frame.locator("#shift-title")
    assert "darker" in headline.inner_text()
    early = opened("darker", link=f"&p.shiftguard.epoch={FAULT - 1}")
    headline = early.frame.locator("#shift-title")
    early.eventually(lambda: "looks like training" in headline.inner_text())
    assert f"as known at epoch {FAULT - 1}" in early("past").inner_text()
    assert early("cost").count() == early("since").count() == 0
    drawing = early("heatmap").locator("canvas")
    assert "nothing found at the shown epoch" in drawing.get_attribute("aria-label")
    early("now").click()
    early.eventually(lambda: "darker" in headline.inner_text())
    assert "found at the shown epoch: Darker" in drawing.get_attribute("aria-label")


def test_what_follows_from_the_labels_is_not_called_shifted(opened):
    tab = opened("labels")
    assert "Validation labels have another mix than in training" in tab("verdict").inner_text()
    part = tab.fold("distributions")
    tab.feature("labels").wait_for(state="attached")
    assert "1 finding, 3 features that follow" in part.locator("summary").first.inner_text()
    for name in NAMES[:3]:
        assert tab.feature(name).inner_text().endswith(": follows")
    assert tab.feature("labels").inner_text() == "class shares: shifted"


def test_adaptation_shows_the_largest_shift_and_says_whether_it_helped(opened):
    tab = opened("adapted")
    tab.fold("adaptation")
    tab("helped").wait_for()
    said = tab("helped").inner_text()
    lines = [line for line in said.splitlines() if line]
    assert lines[0] == "It helped." and "It helped." in tab("foremost").inner_text()
    assert "Expected in epoch 1: Adaptation is likely to help: noise." in lines
    titles = tab("adaptation").locator("h3").all_inner_texts()
    assert "Target minus training in standard deviations, without augmentation" in titles
    keys = tab("adaptation").locator(".chartcell").first.locator("ul.keys li")
    assert keys.all_inner_texts()[:2] == ["noise in flat regions", "brightness"]
    assert "noise_flat" not in tab.frame.locator("main").inner_text()


def test_the_verdict_keeps_its_cause_and_its_date(opened):
    tab = opened("darker")
    shown = tab("verdict").inner_text()
    assert "more features" not in shown  # the section of the features says how many follow
    assert "The cause is probably brightness, because" in shown and "effect size" not in shown
    assert "effect size \u22123.9 (brightness)" in tab("readout").inner_text()
    assert f"since epoch {FAULT}" in shown
    assert "costs about 6.1 points of accuracy (between 4.4 and 7.9" in shown


def test_a_run_with_only_a_gap_says_so(opened):
    tab = opened("gap")
    tab("gap").wait_for()
    shown = tab("verdict").inner_text()
    assert "Fed unit." in shown
    assert "judged" not in shown and "x_val = x_val * 2" in tab("todo").inner_text()
    assert (
        shown.startswith("Act")
        and "costs about 15.0 points of accuracy (between 10.0 and 20.0)" in shown
    )
    assert "Fed unit" in tab.run("gap").inner_text()
    everything = tab.frame.locator("main").inner_text()
    assert everything.count("x = x * 2") == everything.count("2,000 labelled samples") == 1
    assert "at an unknown time" not in shown
    assert "points lower than it should be" in tab("fold-gap").inner_text()
    names = tab("run-picker").locator(".run[data-kind=act] .runname").all_inner_texts()
    assert names == sorted(names)  # its place among runs as urgent is that of its name


def test_the_readout_is_on_the_screen(opened):
    width, height = 1280, 720
    tab = opened("darker", width=width, height=height)
    heatmap = tab("heatmap")
    heatmap.wait_for()
    tab.eventually(lambda: tab("readout").inner_text())
    heatmap.hover(position={"x": width / 2, "y": 50})
    tab.eventually(lambda: "epoch" in tab("readout").inner_text())
    box = tab("readout").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= height


@pytest.mark.thorough
def test_pictures_of_the_data_are_unfolded_by_epoch(opened):
    tab = opened("pictures")
    part = tab("fold-pictures")
    assert "images of epochs 2 to 3" in part.inner_text()
    assert tab("pictures").locator("img").count() == 0  # none while the part is folded
    part.locator("summary").first.focus()
    tab.page.keyboard.press("Enter")
    images = tab("pictures").locator("img")
    tab.eventually(lambda: images.count() == 9)
    loaded = "(all) => all.every((one) => one.complete && one.naturalWidth > 0)"
    tab.eventually(lambda: images.evaluate_all(loaded))
    alts = images.evaluate_all("(all) => all.map((one) => one.alt)")
    assert alts[:2] == [
        "validation, image 1, class 0, as fed",
        "validation, image 1, class 0, corrected",
    ]
    assert alts[8] == "validation, unusual image 1, class 0, 2.5 deviations away"
    assert tab("pictures").locator("li .twice").count() == 4
    two = tab("pictures").get_by_role("button", name="epoch 2")
    two.focus()
    tab.page.keyboard.press("Enter")
    tab.eventually(lambda: "epoch=2" in images.first.get_attribute("src"))
    assert two.get_attribute("aria-pressed") == "true"
    assert not tab.audit()
    early = opened("pictures", "&p.shiftguard.epoch=1&p.shiftguard.open=pictures")
    early.eventually(lambda: "no pictures of epoch 1" in early("pictures").inner_text())
    assert "its last epochs, 2 and 3" in early("pictures").inner_text()
    without = opened("darker")
    assert without("fold-distributions").count() and without("fold-pictures").is_hidden()


@pytest.mark.thorough
def test_the_band_shows_training_validation_and_validation_with_the_repair(opened):
    tab = opened("repaired")
    images = tab("triplet").locator("img")
    tab.eventually(lambda: images.count() == 9)
    loaded = "(all) => all.every((one) => one.complete && one.naturalWidth > 0)"
    tab.eventually(lambda: images.evaluate_all(loaded))
    said = tab("triplet").locator("figcaption").all_inner_texts()
    assert said == ["training", "validation", "validation with the repair"]
    assert images.nth(6).get_attribute("alt") == "validation with the repair, image 1"
    assert not tab.audit()
    corrected = opened("pictures")  # the last part shows what the guard itself corrects
    corrected.eventually(lambda: "corrected" in corrected("triplet").inner_text())
    early = opened("repaired", "&p.shiftguard.epoch=1")
    early.eventually(lambda: early("past").is_visible())
    assert early("triplet").locator("img").count() == 0  # pictures of the last epochs only are kept
    assert opened("darker")("triplet").locator("img").count() == 0

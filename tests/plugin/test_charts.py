"""The charts of the Shift tab in a real Chromium: where things are, what the pointer reads."""

import math
import time

import pytest
from plugin.browser import tensorboard
from plugin.example_runs import diagnosis, finding, write_adaptation, write_shift
from plugin.logs import RawLog, as_json, scores, scores_content, state

pytestmark = [pytest.mark.eager, pytest.mark.thorough]

FEATURES, SHIFTED, TOLERATED = 26, 3, (5, 6)
NAMES = [f"input/column_{i}" for i in range(FEATURES)]
LATE, LONG = 8, 1500  # epochs of the runs


def curves(step, epochs):
    """Returns an accuracy that begins at 0.4 and rises, and a loss."""
    rise = 1 - math.exp(-5 * step / epochs)
    return as_json(
        {"accuracy": 0.4 + 0.6 * rise, "val_accuracy": 0.4 + 0.5 * rise, "loss": 1 - rise}
    )


def write_epoch(log, step, epochs, streams=("validation",)):
    """Writes one epoch. Column 3 shifts in the second half, and two columns always differ."""
    log.add("shiftguard/state", state(step), step)
    reported = {SHIFTED: 9 if step > epochs // 2 else 0, **dict.fromkeys(TOLERATED, 8)}
    flags = [reported.get(i, 0) for i in range(FEATURES)]
    effects = [0.5 if flag else 0.01 for flag in flags]
    for number, stream in enumerate(streams):
        content = scores_content(names=NAMES, pair=(stream, "train"))
        values = scores(*effects, flags=flags)
        log.add(f"shiftguard/scores/{stream}-train/{number}", values, step, content)


def write(run_dir, epochs, compared, streams=("validation",)):
    """Writes a run with curves of every epoch, and comparisons of the epochs `compared`."""
    with RawLog(run_dir) as log:
        for step in range(epochs):
            log.add("shiftguard/curves", curves(step, epochs), step, {"v": 1})
            if step in compared:
                write_epoch(log, step, epochs, streams)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write(path / "late" / "shiftguard", LATE, range(1, LATE), ("validation", "target"))
    write(path / "long" / "shiftguard", LONG, range(LONG))
    write(path / "one" / "shiftguard", 1, range(1))
    write_adaptation(path / "adapted" / "shiftguard")
    with RawLog(path / "weighed" / "shiftguard") as log:
        one = diagnosis()
        verdict = {"state": "act", "cause": "Images are fed as 0 to 1.", "step": "x = 2 * x - 1"}
        log.add("shiftguard/state", state(0, diagnosis={"train": one}, verdict=verdict), 0)
    darker = finding("input/brightness", "darker", cost=0.061, cost_interval=[0.044, 0.079])
    write_shift(path / "zoo" / "shiftguard", darker, [9, 1, 1, 0])
    write_shift(path / "healthy" / "shiftguard", darker, [9, 1, 1, 0], fault=99)
    with tensorboard(path) as address:
        yield address


@pytest.fixture
def opened(open_at, address):
    """Opens the tab on one of the runs, after its curves are drawn."""

    def opened(run, link="", **size):
        tab = open_at(address, link=f"run={run}%2Fshiftguard{link}", **size)
        tab.run(run).wait_for()
        if run != "weighed":
            tab.eventually(lambda: "epoch" in tab("curves-now").inner_text())
        return tab

    return opened


def at_epoch(tab, number, epochs):
    """Returns the place of an epoch in the accuracy chart."""
    box = tab("curves-chart").locator(".u-over").bounding_box()
    left = tab("curves-chart").bounding_box()["x"]
    return {"x": box["x"] - left + box["width"] * (number - 0.5) / epochs, "y": 60}


def test_an_epoch_before_the_first_comparison_has_its_own_place(opened):
    """The first comparison is that of epoch 2, so epoch 1 was drawn in its column."""
    tab = opened("late")
    for number in (1, 2, LATE):
        tab("curves-chart").hover(position=at_epoch(tab, number, LATE))
        tab.eventually(lambda n=number: f"epoch {n}\n" in tab("curves-now").inner_text() + "\n")
    tab("curves-chart").click(position=at_epoch(tab, 1, LATE))
    tab.eventually(lambda: "p.shiftguard.epoch=1" in tab.page.url.split("&"))
    heat, box = tab("heatmap"), tab("heatmap").bounding_box()
    place = at_epoch(tab, 2, LATE)
    heat.hover(position={"x": place["x"], "y": box["height"] - 8})
    tab.eventually(
        lambda: "epoch 2" in tab("readout").inner_text() or "alike" in tab("readout").inner_text()
    )
    heat.hover(position={"x": place["x"], "y": 50})
    tab.eventually(lambda: "column 3, epoch 2" in tab("readout").inner_text())


def test_the_curves_answer_to_the_pointer(opened):
    tab = opened("late")
    assert "epoch 8" in tab("curves-now").inner_text()
    tab("curves-chart").hover(position=at_epoch(tab, 3, LATE))
    tab.eventually(lambda: "epoch 3" in tab("curves-now").inner_text())
    assert "0.828" in tab("curves-now").inner_text()
    tab("readout").hover()
    tab.eventually(lambda: "epoch 8" in tab("curves-now").inner_text())
    adapted = opened("adapted", link="&p.shiftguard.open=adaptation", height=1800)
    chart = adapted("adaptation").locator(".chartcell").first
    read = chart.locator(".chartread")
    adapted.eventually(lambda: read.inner_text().startswith("epoch 3: noise in flat regions"))
    chart.locator(".u-over").hover(position={"x": 2, "y": 20})
    adapted.eventually(lambda: read.inner_text().startswith("epoch 1: noise in flat regions"))


TOUCHING = """([epochs, width]) => import("./static/axis.js").then(({ axisOf }) => {
  const context = document.createElement("canvas").getContext("2d");
  context.font = "12px Roboto, 'Helvetica Neue', Arial, sans-serif";
  const steps = Array.from({ length: epochs }, (_, i) => i);
  const ends = axisOf(width, steps).ticks().map(([number, x]) => {
    const half = context.measureText(String(number)).width / 2;
    return [x - half, x + half];
  });
  return [ends.length, ends.filter(([left], i) => i && left < ends[i - 1][1] + 3).length];
})"""


@pytest.mark.parametrize("epochs", [1, 9, 60, 1_001, 1_500, 20_000, 300_000])
def test_the_numbers_of_the_epochs_do_not_touch(opened, epochs):
    """Beyond 1,000 epochs they lay over one another."""
    tab = opened("long")
    for width in (320, 700, 1366, 2400):
        number, touching = tab.evaluate(f"({TOUCHING})([{epochs}, {width}])")
        assert number >= min(epochs, 2) and not touching


def test_a_start_beyond_the_scale_is_told_beside_the_curve(opened):
    """The text lay over the curve. The scale leaves out how a long fit began."""
    tab = opened("long")
    said = tab("curves").locator(".offscale").first
    assert "began at 0.4" in said.inner_text()
    words, chart = said.bounding_box(), tab("curves-chart").bounding_box()
    assert words["y"] + words["height"] <= chart["y"]


def test_the_most_urgent_run_is_listed_first(opened):
    """Runs were listed in alphabetical order, so that what is wrong was out of sight."""
    tab = opened("healthy")
    kinds = (
        tab("run-picker").locator(".run").evaluate_all("(all) => all.map((r) => r.dataset.kind)")
    )
    order = ["act", "look", "corrected", "waiting", "fine"]
    assert kinds == sorted(kinds, key=order.index) and kinds[0] == "act" != kinds[-1]


def test_the_curve_with_the_repair_is_drawn_beside_that_of_validation(open_at, tmp_path):
    with RawLog(tmp_path / "run" / "shiftguard") as log:
        for step in range(LATE):
            logged = {"accuracy": 0.9, "val_accuracy": 0.5, "loss": 0.1, "val_loss": 2.0}
            repaired = {"val_accuracy repaired": 0.875} if step else {}
            log.add("shiftguard/curves", as_json(repaired | logged), step, {"v": 1})
            write_epoch(log, step, LATE)
    with tensorboard(tmp_path) as address:
        tab = open_at(address, link="run=run%2Fshiftguard")
        now = tab("curves-now")
        tab.eventually(lambda: "epoch" in now.inner_text())
        assert now.inner_text().split("\n")[-4:] == [
            "with the repair",
            "0.875",
            "validation",
            "0.5",
        ]
        tab("curves-chart").hover(position=at_epoch(tab, 1, LATE))
        tab.eventually(lambda: "epoch 1" in now.inner_text())
        assert "with the repair" not in now.inner_text()
        tab("curves").get_by_role("button", name="Loss").click()
        tab.eventually(lambda: "0.1" in now.inner_text())
        assert "with the repair" not in tab("curves").inner_text()
        assert not tab.audit()
        tab.close()


def test_the_compared_pair_is_chosen_on_the_first_screen(opened):
    tab = opened("late")
    choice = tab("pair")
    assert choice.is_visible() and tab.frame.locator("details.fold[open]").count() == 0
    assert choice.locator("option").count() == 2
    choice.select_option(value="target/train")
    tab.eventually(lambda: "pair=target%2Ftrain" in tab.page.url)
    tab.eventually(lambda: "target against training" in tab("verdict").inner_text())
    assert not tab.audit()


@pytest.mark.parametrize("run", ["late", "long", "adapted", "weighed"])
def test_nothing_is_wider_than_a_narrow_window(opened, run):
    tab = opened(run, width=320, link="&p.shiftguard.open=distributions,adaptation,preprocessing")
    tab.page.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.thorough
def test_an_open_tab_follows_a_fit_from_its_first_epoch(open_at, tmp_path):
    with tensorboard(tmp_path, "--reload_interval", "1") as address:
        tab = open_at(address)
        tab("empty").wait_for()
        with RawLog(tmp_path / "live" / "shiftguard") as log:
            for step in range(3):
                log.add("shiftguard/curves", curves(step, 9), step, {"v": 1}, wall_time=time.time())
                write_epoch(log, step, 9)
                tab.eventually(lambda n=step: f"epoch {n + 1}" in now_of(tab), seconds=60)
        tab.close()


def now_of(tab):
    now = tab("curves-now")
    return now.inner_text() if now.is_visible() else ""

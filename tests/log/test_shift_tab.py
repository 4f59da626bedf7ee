"""The log of the Shift tab, read back with TensorBoard's own reader."""

import json

import numpy as np
import pytest
from made_findings import row_of
from plugin.logs import opened
from shift_tab_log import numbers, read_run, streams

from keras_shiftguard import profile
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab import MAX_BYTES, ShiftEvents
from keras_shiftguard.log.shift_tab_bins import BINS, bars, shown_classes
from keras_shiftguard.profiles import bin_edges
from tensorboard_plugin_shiftguard.metadata import ALARM, REPORTED, SHARE_SCALE
from tensorboard_plugin_shiftguard.words import described

pytestmark = pytest.mark.eager

STEPS = 3
PAIR = ("validation", "train")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The series of three comparisons with a validation stream whose column 1 shifts."""
    log_dir = tmp_path_factory.mktemp("log")
    rng = np.random.default_rng(0)
    monitor = ShiftMonitor(0.05, [PAIR])
    kept = []
    with EventWriter(log_dir) as writer:
        events = ShiftEvents(writer, "0.1.0")
        for step in range(STEPS):
            both = streams(rng, shift=step)
            monitor.compare(*PAIR, both["validation"], both["train"], step + 1)
            events.write_comparison(step, monitor.pairs, both, monitor.report())
            kept.append((both, monitor.pairs[0].latest.tested))
    return read_run(log_dir), kept


def written(log_dir, both, **options):
    """Writes one comparison of two profiles; returns the series of the log, and the monitor."""
    monitor = ShiftMonitor(0.05, [PAIR])
    monitor.compare(*PAIR, both["validation"], both["train"], 1)
    with EventWriter(log_dir) as writer:
        ShiftEvents(writer, **options).write_comparison(0, monitor.pairs, both, monitor.report())
    return read_run(log_dir), monitor


def state_of(run, step=0):
    return json.loads(run["shiftguard/state"][1][step])


def scores(run):
    [(content, points)] = [v for tag, v in run.items() if tag.startswith("shiftguard/scores/")]
    return content, points


def series_of(run, name):
    """Returns a series by its name without the digest."""
    [found] = [v for tag, v in run.items() if tag.startswith(f"shiftguard/{name}-")]
    return found


def test_scores_are_those_of_the_tests(run):
    series, kept = run
    content, points = scores(series)
    assert content["pair"] == list(PAIR)
    assert content["total"] == len(content["names"])
    for step, (both, tested) in enumerate(kept):
        by_name = dict(zip(content["names"], points[step], strict=True))
        assert {f.feature for f in tested} <= set(by_name)
        for finding in tested:
            row = by_name[finding.feature]
            expected = [finding.effect_size, *finding.interval, np.log10(finding.p_value)]
            assert row[:4] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        for name in ("input/0", "input/1"):
            here, there = (both[s].inputs["input"].features for s in PAIR)
            column = name.removeprefix("input/")
            expected = [here.mean(column), here.std(column), there.mean(column), there.std(column)]
            assert by_name[name][5:9] == pytest.approx(expected, rel=1e-5)
            assert np.isnan(by_name[name][9])  # its cost was not measured


def test_an_alarm_is_flagged_from_the_step_that_found_it(run):
    content, points = scores(run[0])
    row = content["names"].index("input/1")
    assert [int(points[step][row, 4]) & ALARM for step in range(STEPS)] == [0, ALARM, ALARM]
    assert not int(points[2][content["names"].index("input/0"), 4]) & ALARM


def test_shares_are_those_of_the_histograms(run):
    series, kept = run
    content, points = series_of(series, "histograms/0")
    grid = bin_edges()
    for step, (both, _) in enumerate(kept):
        for line, name in zip(points[step], content["names"], strict=True):
            edges = grid[line[: BINS + 1]]
            for number, stream in enumerate(content["streams"]):
                drawn = line[BINS + 1 + number * BINS :][:BINS] / SHARE_SCALE
                table = both[stream].inputs["input"].features
                counts = table.counts[table.names.index(name.removeprefix("input/"))]
                expected = [
                    counts[(grid[:-1] >= low) & (grid[1:] <= high)].sum() / counts.sum()
                    for low, high in zip(edges[:-1], edges[1:], strict=True)
                ]
                assert drawn == pytest.approx(expected, abs=2 / SHARE_SCALE)


def test_findings_are_told_in_parts(tmp_path, rng):
    both = {
        name: numbers(rng.normal(size=(400, 3)) + shift, rng.integers(0, classes, 400))
        for name, shift, classes in (("train", 0, 4), ("validation", 2, 2))
    }
    run, _ = written(tmp_path, both, tolerance=0.03)
    state = state_of(run)
    assert state["tolerance"] == 0.03 and state["columns"] == {}
    found = {each["feature"]: each for each in state["report"]["findings"]}
    column = next(each for name, each in found.items() if name.startswith("input/"))
    assert column["difference"] == {
        **{"who": "Validation samples", "verb": "are", "whom": "than training samples"},
        "how": f"higher in column {column['feature'][-1]}",
    }
    assert column["sentence"] == " ".join(column["difference"].values())
    assert found["labels"]["difference"] is None
    assert found["labels"]["sentence"] == "Validation labels have another mix than in training"


def test_groups_of_token_ids_are_named_by_their_ids(tmp_path, rng):
    ids = rng.integers(2, 900, (2, 400, 100)).astype("int32")
    ids[1][rng.random(ids[1].shape) < 0.04] = 77
    both = {"train": profile(ids[0]), "validation": profile(ids[1])}
    run, _ = written(tmp_path, both)
    groups = state_of(run)["columns"]["input/group"]
    named = [i for i, words in enumerate(groups) if "such as 77" in words]
    assert len(groups) == 16 and len(named) == 1
    feature = f"input/group/{named[0]}"
    label = described(feature, columns={"input/group": groups})[1]
    assert label == groups[named[0]] and label.startswith("share of values such as 77 and")


def test_columns_have_their_names(tmp_path, rng):
    both = {
        name: numbers(rng.normal(size=(400, 3)) + shift).with_columns({"input": ("a", "b", "c")})
        for name, shift in (("train", 0), ("validation", 2))
    }
    run, _ = written(tmp_path, both)
    assert state_of(run)["columns"] == {"input": ["a", "b", "c"]}
    with opened(tmp_path) as tab:
        features = tab.ask("overview", run="shiftguard")["features"]
    assert {one["label"] for one in features} >= {"a", "b", "c"}


def test_the_numbers_of_the_adaptation_are_kept(tmp_path):
    curves = {"strength/noise": 9.0, "shift/noise": -0.2, "shift/contrast": 0.1}
    curves |= {"shift_before/noise": 5.8, "shift_before/contrast": -6.1, "shift/odd": np.nan}
    with EventWriter(tmp_path) as writer:
        events = ShiftEvents(writer)
        events.write_adaptation(0, "on", {"strength/noise": 1.0})
        events.write_adaptation(1, "on", curves)
    _, gaps = read_run(tmp_path)["shiftguard/adaptation"]
    del curves["strength/noise"], curves["shift/odd"]
    assert {step: json.loads(text) for step, text in gaps.items()} == {1: curves}


def test_texts_have_an_end(tmp_path):
    huge = {"evidence": ["x" * 900] * 100, "by_input": {}}
    with EventWriter(tmp_path) as writer:
        events = ShiftEvents(writer)
        events.write_diagnosis(0, "train", huge)
    _, points = read_run(tmp_path)["shiftguard/state"]
    assert all(len(text) <= MAX_BYTES for text in points.values())


# --- bins and bars of the charts --------------------------------------------------


def test_rare_classes_share_a_bar():
    counts = {"train": np.arange(1, 201), "validation": np.zeros(200, int)}
    counts["validation"][3] = 50
    classes = shown_classes(counts)
    assert len(classes) == 63 and 3 in classes and (np.diff(classes) > 0).all()
    drawn = bars(counts["train"], classes)
    assert drawn.sum() == counts["train"].sum() and drawn[-1] > 0


# --- corrections, curves, costs ----------------------------------------------------


def test_curves_hold_what_keras_logged_and_single_numbers_only(tmp_path):
    logs = {"accuracy": np.float32(0.5), "val_loss": 2, "shift": 1.0, "val_shift": 1.0}
    logs |= {"nan": np.nan, "vector": np.zeros(3), "text": "x"}
    with EventWriter(tmp_path) as writer:
        ShiftEvents(writer).write_curves(3, logs)
    _, points = read_run(tmp_path)["shiftguard/curves"]
    assert json.loads(points[3]) == {"accuracy": 0.5, "val_loss": 2.0}


@pytest.mark.parametrize(("cost", "flags"), [(0.05, ALARM | REPORTED), (0.001, REPORTED)])
def test_what_goes_along_with_a_tolerated_finding_is_no_alarm(tmp_path, cost, flags):
    """Column 2 is significant too, but has the same cause as column 1 and is not reported."""
    rng = np.random.default_rng(0)
    monitor = ShiftMonitor(0.05, [PAIR])
    both = streams(rng, shift=3)
    monitor.compare(*PAIR, both["validation"], both["train"], 1)
    found = monitor.pairs[0]
    found.significant |= {"input/2"}  # as if a test had found column 2 as well
    row = row_of(cost, cost / 2, 2 * cost, source="input")
    monitor.account([row], at_most=cost, tolerance=0.01)
    with EventWriter(tmp_path) as writer:
        ShiftEvents(writer).write_comparison(0, monitor.pairs, both, monitor.report())
    content, points = scores(read_run(tmp_path))
    rows = dict(zip(content["names"], points[0], strict=True))
    assert int(rows["input/1"][4]) == flags
    assert flags == REPORTED or rows["input/1"][9] == pytest.approx(cost)
    assert bool(int(rows["input/2"][4]) & ALARM) == bool(flags & ALARM)
    assert not int(rows["input/2"][4]) & REPORTED

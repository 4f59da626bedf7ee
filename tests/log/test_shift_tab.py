"""The log of the Shift tab, read back with TensorBoard's own reader."""

import json

import numpy as np
import pytest
from plugin.logs import opened
from shift_tab_log import FEATURES, numbers, read_run, streams

from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab import MAX_BYTES, ShiftEvents
from keras_shiftguard.log.shift_tab_bins import BINS, bars, shared_bins, shares, shown_classes
from keras_shiftguard.log.shift_tab_findings import logged_report
from keras_shiftguard.log.shift_tab_series import Rows
from keras_shiftguard.profiles import NUM_BINS, bin_edges
from keras_shiftguard.profiles.features import NUM_COARSE_BINS
from tensorboard_plugin_shiftguard.metadata import ALARM, REPORTED, SHARE_SCALE

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


def test_every_comparison_is_a_point_of_every_series(run):
    series, _ = run
    always = (
        "shiftguard/state",
        "shiftguard/scores",
        "shiftguard/histograms",
        "shiftguard/classes",
    )
    for tag, (_, points) in series.items():
        if tag.startswith(always):
            assert list(points) == list(range(STEPS)), tag


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


def test_the_picture_moves_only_when_much_would_lie_outside(run):
    content, points = series_of(run[0], "histograms/0")
    quiet, moving = (content["names"].index(name) for name in ("input/0", "input/1"))
    assert (points[0][quiet, : BINS + 1] == points[2][quiet, : BINS + 1]).all()
    assert (points[0][moving, : BINS + 1] != points[2][moving, : BINS + 1]).any()


def test_classes_are_counted(run):
    series, kept = run
    content, points = series_of(series, "classes/0")
    assert content["name"] == "labels" and content["classes"] == ["0", "1", "2", "other"]
    for step, (both, _) in enumerate(kept):
        for number, stream in enumerate(content["streams"]):
            assert points[step][number, :3].tolist() == both[stream].labels.counts[:3].tolist()
            assert points[step][number, 3] == 0


def test_the_state_says_what_the_report_says(run):
    state = state_of(run[0], STEPS - 1)
    assert state["looks"] == STEPS and state["step"] == STEPS - 1
    assert state["report"]["shifted"] is True


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


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("covariate", "Validation images differ as a whole: p = 1e-9", None),
        ("preprocessing", "The values are 255 times as large: x / 255 is missing (0..255)", 66),
        ("preprocessing", "All images are of one level (0.5). A failing loader. Those", 33),
        ("concept", "Class 3 looks different while the others do not: effect size 0.5", None),
    ],
)
def test_the_sentence_of_a_finding_has_no_numbers_of_the_test(kind, text, sentence):
    finding = Finding("x", kind, "other", 1.0, (0, 2), 0.01, "validation", "train", 1, text)
    [told] = logged_report(ShiftReport((finding,)))["findings"]
    assert told["sentence"] == (text[:sentence] if sentence else text.partition(": ")[0])


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


def test_a_resumed_fit_has_its_own_tolerance(tmp_path):
    with EventWriter(tmp_path) as writer:
        before = ShiftEvents(writer, tolerance=0.05)
        before.write_diagnosis(0, "train", {"status": "ok"})
        events = ShiftEvents(writer, tolerance=0.02)
        events.restore(before.state())
        events.write_correction(1, "train")
    state = state_of(read_run(tmp_path), 1)
    assert state["tolerance"] == 0.02 and state["diagnosis"]["train"]


def test_shifted_features_are_flagged_and_some_of_them_are_reported(tmp_path):
    rng = np.random.default_rng(0)
    x = {"train": rng.normal(size=(400, 5)), "validation": rng.normal(size=(200, 5)) + 3}
    both = {name: numbers(values) for name, values in x.items()}
    run, monitor = written(tmp_path, both)
    content, points = scores(run)
    flags = dict(zip(content["names"], points[0][:, 4].astype(int), strict=True))
    columns = [flags[f"input/{i}"] for i in range(5)]
    assert all(flag & ALARM for flag in columns)
    reported = {f.feature for f in monitor.report().findings}
    assert {name for name, flag in flags.items() if flag & REPORTED} == reported
    assert len(reported) < 5


def test_a_diagnosis_stays_in_the_state(tmp_path):
    with EventWriter(tmp_path) as writer:
        events = ShiftEvents(writer)
        events.tell({"state": "act", "cause": "It is wrong."})
        events.write_diagnosis(0, "train", {"status": "mismatch", "a": np.nan})
        events.write_diagnosis(0, "validation", {"status": "ok"})
    state = state_of(read_run(tmp_path))
    assert state["verdict"] == {"state": "act", "cause": "It is wrong."}
    assert state["diagnosis"]["train"] == {"status": "mismatch", "a": None}


def test_texts_have_an_end(tmp_path):
    huge = {"evidence": ["x" * 900] * 100, "by_input": {}}
    with EventWriter(tmp_path) as writer:
        events = ShiftEvents(writer)
        events.write_diagnosis(0, "train", huge)
    _, points = read_run(tmp_path)["shiftguard/state"]
    assert all(len(text) <= MAX_BYTES for text in points.values())


def test_features_that_come_later_get_a_part_of_their_own():
    rows = Rows(part_size=2, max_names=4)
    assert rows.with_new(["a", "b", "c"]) == [["a", "b"], ["c"]]
    assert rows.with_new(["c", "a"]) == [["a", "b"], ["c"]]
    assert rows.with_new(["d", "e"]) == [["a", "b"], ["c"], ["d"]]  # "e" has no room


def test_wide_tables_are_drawn_on_the_coarse_grid(tmp_path):
    rng = np.random.default_rng(1)
    wide = streams(rng, shift=0, num_features=FEATURES * 20)
    run, _ = written(tmp_path, wide)
    assert wide["train"].inputs["input"].features.counts.shape[1] == NUM_COARSE_BINS
    drawn = series_of(run, "histograms/0")[1][0][:, BINS + 1 :].reshape(-1, 2, BINS)
    assert (drawn.sum(axis=2) > 0.9 * SHARE_SCALE).all()


# --- bins and bars of the charts --------------------------------------------------


def histogram(values):
    return np.histogram(values, bin_edges())[0]


@pytest.mark.parametrize("values", [np.zeros(9), np.full(9, 0.25), np.array([-3.0])])
def test_a_constant_is_one_bin(values):
    edges = shared_bins([histogram(values)])
    assert len(edges) == BINS + 1 and len(set(edges.tolist())) == 2
    assert shares(histogram(values), edges)[0] == 1


def test_bins_cover_both_streams_however_few_one_has(rng):
    many, few = histogram(rng.normal(0, 1, 10_000)), histogram(rng.normal(100, 1, 10))
    edges = shared_bins([many, few])
    assert shares(many, edges).sum() > 0.98 and shares(few, edges).sum() == 1


def test_far_tails_do_not_flatten_the_picture(rng):
    counts = histogram(rng.standard_cauchy(20_000))
    edges = bin_edges()[shared_bins([counts])]
    assert edges[-1] - edges[0] < 200
    assert shares(counts, shared_bins([counts])).sum() == pytest.approx(0.99, abs=0.005)


def test_nothing_counted_draws_nothing():
    empty = np.zeros(NUM_BINS, int)
    assert shares(empty, shared_bins([empty])).sum() == 0


def test_rare_classes_share_a_bar():
    counts = {"train": np.arange(1, 201), "validation": np.zeros(200, int)}
    counts["validation"][3] = 50
    classes = shown_classes(counts)
    assert len(classes) == 63 and 3 in classes and (np.diff(classes) > 0).all()
    drawn = bars(counts["train"], classes)
    assert drawn.sum() == counts["train"].sum() and drawn[-1] > 0


# --- corrections, curves, costs ----------------------------------------------------


def test_a_correction_is_dated_by_its_first_epoch(tmp_path):
    with EventWriter(tmp_path) as writer:
        events = ShiftEvents(writer)
        events.write_diagnosis(0, "train", {"status": "mismatch"})
        events.write_correction(0, "train")
        events.write_correction(4, "train")  # a resumed fit corrects again
    assert state_of(read_run(tmp_path), 4)["corrected"] == {"train": 1}


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
    measured = Cost(cost, (cost / 2, 2 * cost), 500)
    monitor.price(*PAIR, dict.fromkeys(found.findings, measured), tolerance=0.01)
    with EventWriter(tmp_path) as writer:
        ShiftEvents(writer).write_comparison(0, monitor.pairs, both, monitor.report())
    content, points = scores(read_run(tmp_path))
    rows = dict(zip(content["names"], points[0], strict=True))
    assert int(rows["input/1"][4]) == flags
    assert rows["input/1"][9] == pytest.approx(cost)
    assert bool(int(rows["input/2"][4]) & ALARM) == bool(flags & ALARM)
    assert not int(rows["input/2"][4]) & REPORTED

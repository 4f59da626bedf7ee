"""A log that is damaged, or made to do damage, gets a sentence and hides nothing else."""

import json

import numpy as np
import pytest
from plugin.logs import (
    GRID,
    PROVIDERS,
    RawLog,
    as_json,
    histograms,
    histograms_content,
    opened,
    scores,
    scores_content,
    state,
    unpacked,
)
from tensorboard.compat.proto import summary_pb2, tensor_pb2, types_pb2
from tensorboard.util import tensor_util

ALLOWED = {200, 400, 404, 422}
BAD_SCORES = "shiftguard/scores/validation-train/1"
BAD_BARS = "shiftguard/histograms/1"
DEEP = b"[" * 60_000
NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eright to left\u2066",
    "nul\x00and\x1b[31mcontrol",
    "'\"`;--${7*7}{{7*7}}",
    "../../etc/passwd",
    "\U0001f600\ufeff",
    "__proto__",
]


def proto(dtype, shape, **fields):
    """A tensor as no library would make it."""
    tensor = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


# Each adds something bad to a run that is otherwise good: what, then what is
# said of it (None: nothing needs to be said, but nothing may break).
CASES = {
    "scores float64": (
        lambda log: log.add(BAD_SCORES, scores(1, 2).astype(float), 0, scores_content()),
        "not float32",
    ),
    "scores text": (
        lambda log: log.add(BAD_SCORES, b"one, two", 0, scores_content()),
        "not float32",
    ),
    "scores shape": (
        lambda log: log.add(BAD_SCORES, scores(1, 2, 3), 0, scores_content()),
        "1 of 1 points",
    ),
    "scores scalar": (
        lambda log: log.add(BAD_SCORES, np.float32(1), 0, scores_content()),
        "not float32",
    ),
    "scores infinite": (
        lambda log: log.add(BAD_SCORES, scores(np.inf, 1e38) * -1, 0, scores_content(["c", "d"])),
        None,
    ),
    "scores huge": (
        lambda log: log.add(BAD_SCORES, np.zeros((30, 250_000), np.float32), 0, scores_content()),
        "not float32",
    ),
    "content none": (lambda log: log.add(BAD_SCORES, scores(1, 2), 0), "not JSON"),
    "content broken": (lambda log: log.add(BAD_SCORES, scores(1), 0, b'{"v": 1'), "not JSON"),
    "content bytes": (lambda log: log.add(BAD_SCORES, scores(1), 0, b"\xff\xfe{}"), "not JSON"),
    "content deep": (lambda log: log.add(BAD_SCORES, scores(1), 0, DEEP), "not JSON"),
    "content list": (lambda log: log.add(BAD_SCORES, scores(1), 0, b"[1]"), "no JSON object"),
    "content large": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content(["x"], more="y" * 300_000)),
        "larger than",
    ),
    "content newer": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(v=2)),
        "another layout",
    ),
    "names many": (
        lambda log: log.add(
            BAD_SCORES, scores(*[0] * 1500), 0, scores_content(list(map(str, range(1500))))
        ),
        "1 to 1,000 names",
    ),
    "names numbers": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content([1, None])),
        "names",
    ),
    "names none": (lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content([])), "names"),
    "names an object": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content({"a": 1})),
        "names",
    ),
    "names twice": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(["a", "a"])),
        None,
    ),
    "names equal when cut": (
        lambda log: log.add(
            BAD_SCORES, scores(1, 2), 0, scores_content(["x" * 300, "x" * 200 + "y"])
        ),
        None,
    ),
    "pair missing": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(pair=["train"])),
        "which two streams",
    ),
    "numbers absurd": (
        lambda log: log.add(
            BAD_SCORES,
            scores(1, 2),
            0,
            b'{"v":1,"pair":["validation","train"],"names":["c","d"],"negligible":1e999,"total":-7}',
        ),
        None,
    ),
    "number endless": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, b'{"v":1' + b"0" * 9000 + b"}"),
        "left out",
    ),
    "bars int32": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0], [1, 1]).astype(np.int32), 0, histograms_content(["c", "d"])
        ),
        "not int16",
    ),
    "bars of no stream": (
        lambda log: log.add(BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], [])),
        "names",
    ),
    "bars beyond the grid": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]) + np.int16(30_000), 0, histograms_content(["c"])
        ),
        None,
    ),
    "bars downhill": (
        lambda log: log.add(BAD_BARS, histograms([0, 0])[:, ::-1], 0, histograms_content(["c"])),
        None,
    ),
    "bars negative": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]) * np.int16(-1), 0, histograms_content(["c"])
        ),
        None,
    ),
    "bins a million": (
        lambda log: log.add(BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], bins=10**6)),
        "1 to 64 bins",
    ),
    "grid endless": (
        lambda log: log.add(
            BAD_BARS,
            histograms([0, 0]),
            0,
            histograms_content(["c"], grid={**GRID, "bins_per_sign": 10**9}),
        ),
        "no grid",
    ),
    "grid overflowing": (
        lambda log: log.add(
            BAD_BARS,
            histograms([0, 0]),
            0,
            histograms_content(["c"], grid={**GRID, "gamma": 99.0}),
        ),
        "no grid",
    ),
    "grid of nothing": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], grid={"gamma": float("nan")})
        ),
        "no grid",
    ),
    "classes many": (
        lambda log: log.add(
            "shiftguard/classes/1",
            np.zeros((1, 65), np.float32),
            0,
            {"v": 1, "name": "c", "classes": list(map(str, range(65))), "streams": ["train"]},
        ),
        "1 to 64 classes",
    ),
    "classes without counts": (
        lambda log: log.add(
            "shiftguard/classes/1",
            np.array([[-1, np.nan], [0, np.inf]], np.float32),
            0,
            {"v": 1, "name": "c", "classes": ["x", "y"], "streams": ["train", "validation"]},
        ),
        None,
    ),
    "tags without end": (
        lambda log: [
            log.add(f"shiftguard/classes/{i}", np.float32(1), 0, {"v": 2}) for i in range(300)
        ],
        "more than 256 tags",
    ),
    "tag with a story": (
        lambda log: log.add("shiftguard/scores/" + "<b>" * 500, scores(1), 0, b"{}"),
        "another layout",
    ),
    "tensor contradicts itself": (
        lambda log: log.add(
            BAD_SCORES,
            proto(types_pb2.DT_FLOAT, [2, 9], tensor_content=b"1234567"),
            0,
            scores_content(),
        ),
        "numbers",
    ),
    "tensor of no type": (
        lambda log: log.add(
            BAD_SCORES,
            proto(types_pb2.DT_VARIANT, [2, 9], tensor_content=b"x"),
            0,
            scores_content(),
        ),
        None,
    ),
    "tensor of negative size": (
        lambda log: log.add(
            BAD_SCORES, proto(types_pb2.DT_FLOAT, [-2, 9], float_val=[1.0]), 0, scores_content()
        ),
        None,
    ),
    "tensor of four terabytes": (
        lambda log: log.add(
            BAD_SCORES, proto(types_pb2.DT_FLOAT, [2**40], float_val=[1.0]), 0, scores_content()
        ),
        "numbers",
    ),
    "no tensor at all": (lambda log: log.add(BAD_SCORES, None, 0, scores_content()), None),
    "no metadata": (
        lambda log: (log._described.add("stray"), log.add("stray", scores(1), 0)),
        None,
    ),
    "no data class": (
        lambda log: log.add(
            BAD_SCORES, scores(1), 0, scores_content(), data_class=summary_pb2.DATA_CLASS_UNKNOWN
        ),
        None,
    ),
    "scalar of text": (
        lambda log: log.add(
            "shiftguard/adaptation/strength/x",
            b"high",
            0,
            b"",
            "scalars",
            summary_pb2.DATA_CLASS_SCALAR,
        ),
        None,
    ),
    "state of numbers": (
        lambda log: log.add("shiftguard/state", np.ones(3), 9),
        "no single text",
    ),
    "state broken": (lambda log: log.add("shiftguard/state", b"{", 9), "not JSON"),
    "state deep": (lambda log: log.add("shiftguard/state", DEEP, 9), "not JSON"),
    "state large": (
        lambda log: log.add("shiftguard/state", state(9, more="x" * 70_000), 9),
        "larger than 65,536 bytes",
    ),
    "state list": (lambda log: log.add("shiftguard/state", b"[]", 9), "no JSON object"),
    "state newer": (
        lambda log: log.add("shiftguard/state", state(9, v=2, version="7.0"), 9),
        "keras-shiftguard 7.0",
    ),
    "state of texts": (
        lambda log: log.add("shiftguard/state", tensor_util.make_tensor_proto([b"{}", b"{}"]), 9),
        "no single text",
    ),
    "state of other types": (
        lambda log: log.add(
            "shiftguard/state",
            as_json(
                {
                    "v": 1,
                    "version": 7,
                    "step": "x",
                    "looks": -1,
                    "alpha": [],
                    "verdict": "all is well",
                    "report": {"findings": {"a": 1}, "notes": [1, ["x"]], "kinds": None},
                    "diagnosis": {
                        "train": {"candidates": 3, "by_input": {"train": DEEP.decode()[:50]}}
                    },
                    "collecting": {"train": ["many", 10**400], "x" * 1000: None},
                    "num_samples": {"train": True, "validation": {"n": 1}},
                }
            ),
            9,
        ),
        None,
    ),
    "events object": (lambda log: log.add("shiftguard/events", b'{"kind": 1}', 0), "no JSON list"),
    "events mixed": (
        lambda log: log.add(
            "shiftguard/events", as_json([1, None, {"text": 5}, {"text": "x", "kind": "rm -rf"}]), 0
        ),
        None,
    ),
    "events many": (
        lambda log: log.add("shiftguard/events", as_json([{"text": "x"}] * 4000), 0),
        None,
    ),
    "steps beyond counting": (
        lambda log: [
            log.add("shiftguard/state", state(0), step, wall_time=float("nan"))
            for step in (-5, 2**62)
        ],
        None,
    ),
}


def write(log_dir, case):
    """A good run with one bad thing in it."""
    with RawLog(log_dir / case / "shiftguard") as log:
        log.add("shiftguard/state", state(0), 0)
        log.add("shiftguard/scores/validation-train/0", scores(1, 2), 0, scores_content())
        log.add("shiftguard/histograms/0", histograms([0, 1], [2, 3]), 0, histograms_content())
        CASES[case][0](log)


# On the data server each question takes 40 ms, so only what the two may read
# differently is asked of both.
BOTH = ("scores", "tensor", "no ", "scalar", "bars int32", "state of", "state deep", "steps")
PAIRS = [
    (kind, case)
    for kind in PROVIDERS
    for case in CASES
    if kind == "python" or case.startswith(BOTH)
]


@pytest.fixture(scope="module")
def tabs(tmp_path_factory):
    log_dir = tmp_path_factory.mktemp("hostile")
    for case in CASES:
        write(log_dir, case)
    with opened(log_dir, "python") as python, opened(log_dir, "data server") as server:
        server.patient(want=lambda answer: len(answer["runs"]) == len(CASES))
        yield {"python": python, "data server": server}


@pytest.mark.parametrize(("kind", "case"), PAIRS)
def test_one_bad_thing_is_told_and_the_rest_is_shown(tabs, kind, case, caplog):
    tab, said = tabs[kind], CASES[case][1]
    run = f"{case}/shiftguard"
    answer = tab.ask("overview", run=run)
    assert {"a", "b"} <= {feature["name"] for feature in answer["features"]}
    cards = tab.ask("cards", run=run, pair=0, name=["a", "b", "c"])
    assert cards["cards"]["a"]["current"] and not cards["cards"]["c"]
    problems = answer["problems"] + cards["problems"]
    if said is not None:
        assert any(said in problem for problem in problems), problems
    assert all(len(problem) < 500 for problem in problems)
    if kind == "python":
        for name in ("a", "b"):
            assert tab.ask("feature", run=run, name=name)["scores"]
        assert tab.get("feature", run=run, name="c").status_code in ALLOWED
    if "scalar" in case or kind == "python":
        assert tab.ask("adaptation", run=run)["series"] in ({}, {"strength/x": [[0, None]]})
    assert "could not answer" not in caplog.text


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_run_of_which_nothing_can_be_read_says_why(tmp_path, kind):
    with RawLog(tmp_path / "shiftguard") as log:
        log.add("shiftguard/state", b"{", 0)
        log.add("shiftguard/scores/0", scores(1, 2), 0, b"[]")
    with opened(tmp_path, kind) as tab:
        answer = tab.get("overview", run="shiftguard")
        assert answer.status_code == 422
        assert "shiftguard/state" in answer.json["error"]
        assert "shiftguard/scores/0" in answer.json["error"]
        assert tab.get("feature", run="shiftguard", name="a").status_code == 422


@pytest.mark.parametrize("kind", PROVIDERS)
def test_names_come_back_as_they_are(tmp_path, kind):
    """Text is data; making it safe to show is for where it is shown."""
    with RawLog(tmp_path / "<b>run" / "shiftguard") as log:
        log.add("shiftguard/state", state(0), 0)
        tensor = histograms(*[[0, 1]] * len(NASTY))
        log.add("shiftguard/histograms/0", tensor, 0, histograms_content(NASTY))
        tag = "shiftguard/scores/validation-train/0"
        log.add(tag, scores(*range(len(NASTY))), 0, scores_content(NASTY))
    with opened(tmp_path, kind) as tab:
        [run] = tab.ask("runs")["runs"]
        assert run["name"] == "<b>run"
        raw = tab.get("overview", run=run["id"])
        assert raw.content_type == "application/json"
        assert raw.data.isascii() and b"\x00" not in raw.data
        assert {feature["name"] for feature in raw.json["features"]} == set(NASTY)
        cards = tab.ask("cards", run=run["id"], pair=0, name=NASTY)["cards"]
        assert all(cards[name]["current"] for name in NASTY)
        for name in NASTY:
            assert tab.ask("feature", run=run["id"], name=name)["name"] == name


def test_an_infinite_effect_is_unknown_and_not_the_largest(tmp_path):
    with RawLog(tmp_path / "shiftguard") as log:
        tag = "shiftguard/scores/validation-train/0"
        log.add(tag, scores(np.inf, 1e30), 0, scores_content())
    with opened(tmp_path) as tab:
        answer = tab.ask("overview", run="shiftguard")
    assert [feature["effect"] for feature in answer["features"]] == [1e30, None]
    effects, _ = unpacked(answer)
    assert effects[0, 0] == 327.67 and np.isnan(effects[1, 0])


def test_half_a_surrogate_pair_is_made_whole(tmp_path):
    """A browser cannot ask for a name that is no Unicode."""
    content = scores_content(["half \ud83d", "b"])
    with RawLog(tmp_path / "shiftguard") as log:
        log.add("shiftguard/scores/validation-train/0", scores(2, 1), 0, content)
    with opened(tmp_path) as tab:
        name = tab.ask("overview", run="shiftguard")["features"][0]["name"]
        assert name == "half \ufffd"
        assert tab.ask("feature", run="shiftguard", name=name)["scores"]


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_file_that_ends_early_or_is_none(tmp_path, kind):
    whole = tmp_path / "whole" / "shiftguard"
    with RawLog(whole) as log:
        for step in range(3):
            log.add("shiftguard/state", state(step), step)
    data = log.path.read_bytes()
    for name, content in (("cut", data[:-30]), ("flipped", data[:-30] + b"\xff" * 30)):
        path = tmp_path / name / "shiftguard" / log.path.name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    for name, content in (("noise", np.random.default_rng(0).bytes(5000)), ("empty", b"")):
        path = tmp_path / name / "shiftguard" / log.path.name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with opened(tmp_path, kind, ready=False) as tab:
        runs = tab.patient(want=lambda answer: len(answer["runs"]) == 3)["runs"]
        looks = {run["name"]: run["looks"] for run in runs}
        # The data server does not look at the checksum of what it reads.
        assert (looks["whole"], looks["cut"], looks["flipped"] or 2) == (3, 2, 2)
        for name in ("noise", "empty"):
            assert tab.get("overview", run=f"{name}/shiftguard").status_code == 404


def test_the_cases_are_written_as_json_that_is_bad():
    with pytest.raises((RecursionError, json.JSONDecodeError)):
        json.loads(DEEP)

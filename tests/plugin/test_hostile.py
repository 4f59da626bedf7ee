"""The Shift tab reports a damaged or hostile series in a sentence, and shows all other series."""

import numpy as np
import pytest
from plugin.hostile_cases import CASES
from plugin.logs import (
    PROVIDERS,
    RawLog,
    histograms,
    histograms_content,
    opened,
    scores,
    scores_content,
    state,
)

pytestmark = pytest.mark.thorough

ALLOWED = {200, 400, 404, 422}
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


def write(log_dir, case):
    """Writes a valid run, and the bad data of one case into it."""
    with RawLog(log_dir / case / "shiftguard") as log:
        log.add("shiftguard/state", state(0), 0)
        log.add("shiftguard/scores/validation-train/0", scores(1, 2), 0, scores_content())
        log.add("shiftguard/histograms/0", histograms([0, 1], [2, 3]), 0, histograms_content())
        CASES[case][0](log)


# TensorBoard has two readers of logs (`PROVIDERS`). They are both tested only with the cases that
# they may read differently, because each request takes the data server 40 ms.
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
    tab, message = tabs[kind], CASES[case][1]
    run = f"{case}/shiftguard"
    answer = tab.ask("overview", run=run)
    assert {"a", "b"} <= {feature["name"] for feature in answer["features"]}
    feature = tab.ask("feature", run=run, name="a")
    assert feature["streams"]
    problems = answer["problems"] + feature["problems"]
    if message is not None:
        other = tab.get("feature", run=run, name="c").json  # its bars may be the bad thing
        told = [*problems, *other.get("problems", ()), other.get("error", "")]
        assert any(message in problem for problem in told), told
    assert all(len(problem) < 500 for problem in problems)
    if kind == "python":
        for name in ("a", "b"):
            assert tab.ask("feature", run=run, name=name)["streams"]
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
        assert tab.get("feature", run="shiftguard", name="a").status_code in (404, 422)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_names_come_back_as_they_are(tmp_path, kind):
    """Texts are sent unchanged; the page makes them safe where it shows them."""
    with RawLog(tmp_path / "<b>run" / "shiftguard") as log:
        log.add("shiftguard/state", state(0), 0)
        tensor = histograms(*[[0, 1]] * len(NASTY))
        log.add("shiftguard/histograms/0", tensor, 0, histograms_content(NASTY))
        tag = "shiftguard/scores/validation-train/0"
        log.add(tag, scores(*range(len(NASTY))), 0, scores_content(NASTY))
    with opened(tmp_path, kind) as tab:
        [run] = tab.ask("runs")["runs"]
        assert run["id"] == "<b>run/shiftguard"
        raw = tab.get("overview", run=run["id"])
        assert raw.content_type == "application/json"
        assert raw.data.isascii() and b"\x00" not in raw.data
        assert {feature["name"] for feature in raw.json["features"]} == set(NASTY)
        for name in NASTY:
            feature = tab.ask("feature", run=run["id"], name=name)
            assert feature["name"] == name and any(feature["streams"].values())


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
        looks = {run["id"].split("/")[0]: run["looks"] for run in runs}
        # The data server does not check the checksum of a record, so `looks` may be None.
        assert (looks["whole"], looks["cut"], looks["flipped"] or 2) == (3, 2, 2)
        for name in ("noise", "empty"):
            assert tab.get("overview", run=f"{name}/shiftguard").status_code == 404

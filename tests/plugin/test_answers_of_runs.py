"""Answers of the Shift tab about a log, read with both of TensorBoard's readers."""

import numpy as np
import pytest
from plugin.logs import (
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
    write_small_run,
)

RUN = "first/shiftguard"


@pytest.fixture(scope="module", params=PROVIDERS)
def tab(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_small_run(path / "first" / "shiftguard")
    write_small_run(path / "shiftguard", steps=range(1))
    with RawLog(path / "other") as log:
        log.scalar("loss", 0.5, 0)
    write_many_pairs(path / "pairs" / "shiftguard")
    write_restarted(path / "restarted" / "shiftguard")
    with opened(path, request.param, ready=False) as tab:
        # The data server reads one run after the other, so not all runs appear at once.
        tab.patient(want=lambda a: (len(a["runs"]), a["other_runs"]) == (4, 1))
        yield tab


def write_many_pairs(run_dir):
    """Writes three pairs of streams. One pair has a second series of features that starts late."""
    with RawLog(run_dir) as log:
        for step in range(2, 6):
            for pair, effect in (("validation", 0.1), ("target", 0.3)):
                tag = f"shiftguard/scores/{pair}-train/0"
                values = scores(effect, -0.9, flags=(0, 9 * (pair == "target")))
                log.add(tag, values, step, scores_content(pair=(pair, "train"), total=7))
            tag = "shiftguard/scores/train-the-first-epoch/0"
            log.add(tag, scores(0, 1), step, scores_content(pair=("train", "the first epoch")))
            if step >= 4:
                tag = "shiftguard/scores/target-train/1"
                content = scores_content(names=["late", "unknown"], pair=("target", "train"))
                log.add(tag, scores(2, np.nan, flags=(2, 0)), step, content)
            # The bins move to the right by four bins of the fixed grid at every step.
            tensor = histograms([4, 4], [None, 6])
            tensor[:, :33] += 4 * (step - 2)
            log.add("shiftguard/histograms/1", tensor, step, histograms_content())


def write_restarted(run_dir):
    """Writes a training of nine epochs, then one of three epochs to the same directory."""
    for epochs, effect in ((9, 1.0), (3, 2.0)):
        with RawLog(run_dir) as log:
            for step in range(epochs):
                log.add("shiftguard/state", state(step), step)
                tag = "shiftguard/scores/validation-train/0"
                log.add(tag, scores(effect, effect), step, scores_content())


def test_runs_are_sorted(tab):
    answer = tab.ask("runs")
    names = [run["id"].removesuffix("/shiftguard") for run in answer["runs"]]
    assert names == ["first", "pairs", "restarted", "shiftguard"]
    assert answer["other_runs"] == 1
    assert answer["runs"][0] == {
        "id": RUN,
        "updated": 1e9,
        "last_step": 2,
        "looks": 3,
        "kind": "look",
        "short": "1 of 2 features shifted",
    }


def test_overview_of_a_run(tab):
    answer = tab.ask("overview", run=RUN)
    assert answer["state"]["verdict"]["cause"] == "1 of 2 features shifted."
    assert (answer["kept"], answer["looks"], answer["updated"]) == (3, 3, 1e9)
    assert answer["pairs"] == [{"stream": "validation", "against": "train", "alarms": 1}]
    assert (answer["pair"], answer["omitted"]) == (0, 0)
    assert answer["steps"] == [0, 1, 2]
    assert answer["problems"] == []
    assert answer["features"][0] == {
        "name": "a",
        "label": "content as a whole of a",
        "cause": "content",
        "kind": "number",
        "effect": 1.0,
        "lower": 0.5,
        "upper": 1.5,
        "log10_p": -3.0,
        "flags": 9,  # a reported alarm
        "alarmed": True,
        "since": 2,  # the epoch of step 1
        "until": None,
    }
    second = answer["features"][1]
    assert (second["name"], second["flags"], second["since"]) == ("b", 4, None)
    effects, flags = unpacked(answer)
    np.testing.assert_allclose(effects, [[0, 0.5, 1], [0.05, 0.05, 0.05]])
    assert flags.tolist() == [[0, 9, 9], [4, 4, 4]]


def test_the_pair_with_the_most_alarms_is_shown_first_and_parts_are_joined(tab):
    answer = tab.ask("overview", run="pairs/shiftguard")
    alarms = {(p["stream"], p["against"]): p["alarms"] for p in answer["pairs"]}
    assert alarms == {
        ("target", "train"): 1,
        ("train", "the first epoch"): 0,
        ("validation", "train"): 0,
    }
    assert answer["pairs"][answer["pair"]]["stream"] == "target"
    # Order: alarms, features that are not expected to differ (unknown effects last), expected ones.
    assert [f["name"] for f in answer["features"]] == ["b", "a", "unknown", "late"]
    assert answer["omitted"] == 3
    effects, _ = unpacked(answer)
    np.testing.assert_allclose(effects[0], [-0.9] * 4)
    np.testing.assert_allclose(effects[3], [np.nan, np.nan, 2, 2])
    assert answer["features"][2]["effect"] is None
    assert answer["state"] is None


def test_a_training_started_again_replaces_the_one_before(tab):
    answer = tab.ask("overview", run="restarted/shiftguard")
    assert answer["steps"] == [0, 1, 2]
    effects, _ = unpacked(answer)
    assert (effects == 2).all()
    assert answer["looks"] == 3


def test_one_feature_over_all_steps(tab):
    answer = tab.ask("feature", run=RUN, name="a")
    assert (answer["name"], answer["steps"]) == ("a", [0, 1, 2])
    assert len(answer["edges"]) == 41
    assert set(answer["streams"]) == {"train", "validation"}
    for rows in answer["streams"].values():
        assert np.shape(rows) == (3, 40)
        assert (np.sum(rows, axis=1) <= 1.0001).all()
        assert (np.sum(rows, axis=1) > 0.97).all()
    middle = (np.array(answer["edges"][1:]) + answer["edges"][:-1]) / 2
    means = np.array(answer["streams"]["validation"]) @ middle
    assert (np.diff(means) > 0).all()  # the mean rises at every step


def test_features_with_classes_or_scores_only(tab):
    answer = tab.ask("feature", run=RUN, name="labels")
    assert answer["classes"] == ["0", "other"] and "edges" not in answer
    assert answer["streams"]["train"] == [[0.75, 0.25]] * 3
    assert tab.get("feature", run="pairs/shiftguard", name="late").status_code == 404


def test_adaptation_is_there_or_it_is_not(tab):
    answer = tab.ask("adaptation", run=RUN)
    assert answer["series"] == {"strength/rotation": [[0, 0.25]]}
    assert tab.ask("adaptation", run="pairs/shiftguard")["series"] == {}


def test_a_difference_has_the_sign_of_the_target_as_in_the_heatmap(tmp_path):
    with RawLog(tmp_path / "shiftguard") as log:
        log.scalar("shiftguard/adaptation/shift/brightness", 1.6, 1)  # as version 0.1 wrote it
        log.add("shiftguard/adaptation", as_json({"shift_before/contrast": 2.5}), 0, {"v": 1})
        log.add("shiftguard/state", state(0), 0)
    with opened(tmp_path) as tab:
        series = tab.ask("adaptation", run="shiftguard")["series"]
    expected = {"shift/brightness": -1.6, "shift_before/contrast": -2.5}
    assert series == {name: [[0, pytest.approx(value)]] for name, value in expected.items()}

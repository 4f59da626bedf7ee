"""Each answer of the plugin stays below a megabyte, however large the log is."""

import numpy as np
import pytest
from plugin.logs import (
    RawLog,
    as_json,
    histograms,
    histograms_content,
    opened,
    scores,
    scores_content,
    state,
    strict_json,
    unpacked,
)

pytestmark = pytest.mark.thorough
FEATURES, STEPS = 1000, 250
RUN = "large/shiftguard"
NAMES = [f"input/feature_{i:04d}" for i in range(FEATURES)]


@pytest.fixture(scope="module")
def effects():
    return np.random.default_rng(0).normal(size=(STEPS, FEATURES)).astype(np.float32)


@pytest.fixture(scope="module")
def tab(tmp_path_factory, effects):
    path = tmp_path_factory.mktemp("logs")
    streams = ["train", "validation", "target", "reference"]
    with RawLog(path / "large" / "shiftguard") as log:
        for step in range(STEPS):
            flags = (np.abs(effects[step]) > 2).astype(np.float32)
            tag = "shiftguard/scores/validation-train/0"
            log.add(tag, scores(*effects[step], flags=flags), step, scores_content(NAMES))
            bars = histograms(*[[0, 5, 9, step % 30]] * 16)
            # One series of histograms is enough, because a route reads only what it shows.
            log.add("shiftguard/histograms/0", bars, step, histograms_content(NAMES[:16], streams))
            event = {"kind": "finding", "step": step, "text": "A shifted. " * 50}
            log.add("shiftguard/events", as_json([event] * 2), step)
        log.add("shiftguard/state", state(STEPS - 1, report={"notes": ["note " * 300] * 20}), 249)
    with opened(path) as tab:
        yield tab


def sized(answer):
    assert answer.status_code == 200, answer.text
    assert len(answer.data) <= 1_000_000
    return strict_json(answer.text)


def test_overview_keeps_every_feature_and_as_many_steps_as_fit(tab, effects):
    answer = sized(tab.get("overview", run=RUN))
    assert len(answer["features"]) == FEATURES and answer["omitted"] == 0
    assert len(answer["steps"]) >= 150
    assert (answer["steps"][0], answer["steps"][-1]) == (0, STEPS - 1)
    shown, flags = unpacked(answer)
    row = [NAMES.index(feature["name"]) for feature in answer["features"]]
    np.testing.assert_allclose(shown, effects[answer["steps"]][:, row].T, atol=0.0051)
    # Steps are left out, but each feature with an alarm still shows one.
    alarms = (np.abs(effects) > 2).sum(axis=0)[row]
    assert ((flags.sum(axis=1) > 0) == (alarms > 0)).all()


def test_one_feature_with_four_streams(tab):
    answer = sized(tab.get("feature", run=RUN, name=NAMES[3]))
    assert len(answer["steps"]) == STEPS
    assert np.shape(answer["streams"]["reference"]) == (STEPS, 40)

"""A real TensorBoard process shows the tab, with each of TensorBoard's two readers of logs."""

import numpy as np
import pytest
from plugin.browser import asker, patiently, tensorboard
from plugin.logs import (
    RawLog,
    histograms,
    histograms_content,
    scores,
    scores_content,
    state,
    unpacked,
)

# The browser tests of test_first_day.py run a real TensorBoard in `make test`.
pytestmark = pytest.mark.thorough
EPOCHS = 1000
RUN = "long/shiftguard"


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """Writes a log of a thousand epochs; the effect size of `a` is a tenth of the epoch."""
    path = tmp_path_factory.mktemp("logs")
    with RawLog(path / "long" / "shiftguard") as log:
        for step in range(EPOCHS):
            tag = "shiftguard/scores/validation-train/0"
            log.add(tag, scores(step / 10, 0), step, scores_content())
            tensor = histograms([0, step % 30], [0, 0])
            log.add("shiftguard/histograms/0", tensor, step, histograms_content())
            log.add("shiftguard/state", state(step), step)
    return path


@pytest.fixture(scope="module", params=["true", "false"])
def ask(request, log_dir):
    """Starts TensorBoard on a free port; yields a function that requests JSON."""
    options = ("--load_fast", request.param, "--path_prefix", "/tb")
    with tensorboard(log_dir, *options) as address:
        ask = asker(address)
        patiently(lambda: last_step(ask) == EPOCHS - 1)
        yield ask


def last_step(ask):
    runs = ask("plugin/shiftguard/runs")["runs"]
    return runs[0]["last_step"] if runs else None


def test_the_tab_is_there_through_the_entry_point(ask):
    listed = ask("plugins_listing")["shiftguard"]
    assert listed["enabled"] and listed["tab_name"] == "Shift"
    assert listed["loading_mechanism"]["module_path"].startswith("/tb/data/plugin/shiftguard/")


def test_a_thousand_epochs_stay_a_thousand_points_and_the_first_survives(ask):
    answer = ask("plugin/shiftguard/overview", run=RUN)
    assert answer["kept"] == answer["looks"] == EPOCHS
    steps = answer["steps"]
    assert (len(steps), steps[0], steps[-1]) == (250, 0, EPOCHS - 1)
    effects, _ = unpacked(answer)
    assert answer["features"][0]["name"] == "a"
    # Each column shows the values of its own step.
    np.testing.assert_allclose(effects[0], np.array(steps) / 10)

    answer = ask("plugin/shiftguard/feature", run=RUN, name="a")
    assert answer["steps"][0] == 0
    bars = answer["streams"]["validation"]
    assert None not in bars
    peaks = [int(np.argmax(bar)) for bar in bars[:30]]
    assert len(set(peaks)) > 10

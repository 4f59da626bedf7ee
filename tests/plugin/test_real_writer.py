"""The plugin reads the logs that `keras_shiftguard` writes."""

import numpy as np
import pytest
from benchmarks.shift_tab_runs import write_run
from plugin.logs import PROVIDERS, opened
from shift_tab_log import streams

from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab import ShiftEvents


def test_what_the_real_writer_writes_is_read(tmp_path):
    write_run(tmp_path / "real", num_features=6, num_epochs=3, seed=0, adaptation=True)
    with opened(tmp_path) as tab:
        [run] = tab.ask("runs")["runs"]
        answer = tab.ask("overview", run=run["id"])
        assert answer["problems"] == [] and answer["state"]
        assert len(answer["steps"]) == answer["kept"] == answer["looks"] == 3
        kinds = {f["name"]: f["kind"] for f in answer["features"]}
        assert kinds["labels"] == "classes" and kinds["input/1"] == "number"
        for name, kind in kinds.items():
            answer = tab.get("feature", run=run["id"], name=name)
            assert answer.status_code == (404 if kind == "score" else 200), name
            assert kind == "score" or (answer.json["streams"] and not answer.json["problems"])
        assert tab.ask("adaptation", run=run["id"])["series"]


def write_fit(log_dir, shift, against="train", num_features=4, epochs=3, initial_epoch=0):
    """Writes the log of a separate fit that compares one pair of streams."""
    rng = np.random.default_rng(epochs)
    pair = ("validation", against)
    monitor = ShiftMonitor(0.05, [pair])
    with EventWriter(log_dir) as writer:
        events = ShiftEvents(writer)
        for step in range(initial_epoch, epochs):
            both = streams(rng, shift, num_features)
            both[against] = both.pop("train")
            monitor.compare(*pair, both["validation"], both[against], step + 1)
            events.write_comparison(step, monitor.pairs, both, monitor.report())


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_second_fit_in_the_same_directory_keeps_its_own_names(tmp_path, kind):
    """TensorBoard keeps the first fit's names of the rows, which are wrong for the second fit."""
    write_fit(tmp_path, shift=3.0, against="reference", num_features=3, epochs=4)
    write_fit(tmp_path, shift=3.0)
    write_fit(tmp_path, shift=0.0, epochs=2)
    with opened(tmp_path, kind) as tab:
        [run] = tab.ask("runs")["runs"]
        answer = tab.ask("overview", run=run["id"])
        assert answer["problems"] == []
        assert [(p["stream"], p["against"]) for p in answer["pairs"]] == [("validation", "train")]
        assert answer["steps"] == [0, 1]
        assert not any(f["alarmed"] for f in answer["features"])
        shown = {f["name"]: f for f in answer["features"]}
        # The first fits had an effect of 3.
        assert all(abs(shown[f"input/{name}"]["effect"]) < 0.5 for name in range(4))

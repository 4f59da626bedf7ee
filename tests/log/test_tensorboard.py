"""A real TensorBoard with its default data server shows the log."""

import json
import time
import urllib.request

import pytest
from numpy_reference import profile
from plugin.browser import tensorboard

from keras_shiftguard.log.event_writer import EventWriter


@pytest.fixture
def log_dir(tmp_path, raw_images):
    with EventWriter(tmp_path / "run1") as writer:
        for step in range(3):
            writer.write_profile("train", profile(raw_images).with_values({"mine": 1.0}), step)
        writer.write_text("shiftguard/verdict", "all is well", 0)
    return tmp_path


@pytest.fixture
def ask(log_dir):
    """Starts TensorBoard on a free port; yields a function that requests JSON."""
    with tensorboard(log_dir) as address:

        def ask(route):
            with urllib.request.urlopen(f"{address}data/{route}", timeout=30) as answer:
                return json.load(answer)

        yield ask


def patiently(question, seconds=60):
    """Repeats a request until the server has read the directory."""
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.5)
    return answer


def test_each_of_the_three_tabs_has_its_data(ask):
    run = "run1/shiftguard"
    scalars = patiently(lambda: ask("plugin/scalars/tags").get(run))
    assert set(scalars) == {"shiftguard/train/mine"}
    histograms = ask("plugin/histograms/tags")[run]
    assert set(histograms) == {f"shiftguard/train/input/{channel}" for channel in range(3)}
    assert set(ask("plugin/text/tags")[run]) == {"shiftguard/verdict"}

    tag = "shiftguard%2Ftrain%2Finput%2F0"
    series = ask(f"plugin/histograms/histograms?run=run1%2Fshiftguard&tag={tag}")
    assert [step for _, step, _ in series] == [0, 1, 2]
    for _, _, buckets in series:
        assert sum(count for _, _, count in buckets) == 16 * 256
    [text] = ask("plugin/text/text?run=run1%2Fshiftguard&tag=shiftguard%2Fverdict")
    assert "all is well" in text["text"]

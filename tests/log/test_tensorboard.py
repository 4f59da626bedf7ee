"""A real TensorBoard with its default data server shows the log."""

import pytest
from numpy_reference import profile
from plugin.browser import asker, patiently, tensorboard

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
        yield asker(address)


def test_each_of_the_three_tabs_has_its_data(ask):
    run = "run1/shiftguard"
    scalars = patiently(lambda: ask("plugin/scalars/tags").get(run))
    assert set(scalars) == {"shiftguard/train/mine"}
    histograms = ask("plugin/histograms/tags")[run]
    assert set(histograms) == {f"shiftguard/train/input/{channel}" for channel in range(3)}
    assert set(ask("plugin/text/tags")[run]) == {"shiftguard/verdict"}

    series = ask("plugin/histograms/histograms", run=run, tag="shiftguard/train/input/0")
    assert [step for _, step, _ in series] == [0, 1, 2]
    for _, _, buckets in series:
        assert sum(count for _, _, count in buckets) == 16 * 256
    [text] = ask("plugin/text/text", run=run, tag="shiftguard/verdict")
    assert "all is well" in text["text"]

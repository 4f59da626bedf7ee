"""A real TensorBoard with its default data server shows the log."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest
from numpy_reference import profile

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
    code = "from tensorboard.main import run_main; run_main()"
    options = ["--logdir", str(log_dir), "--host", "127.0.0.1", "--port", "0"]
    # Without TensorFlow, as on a machine that has only JAX or PyTorch.
    code = f"import sys; sys.modules['tensorflow'] = None; {code}"
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lines = []
        for line in server.stderr:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        else:
            pytest.fail(f"TensorBoard did not start:\n{''.join(lines)}")

        def ask(route):
            address = f"http://127.0.0.1:{found[1]}/data/{route}"
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)

        yield ask
    finally:
        server.terminate()
        server.wait(timeout=30)
        server.stderr.close()


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

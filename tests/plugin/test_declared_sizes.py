"""A tensor that declares more values than it holds takes no memory in a real TensorBoard."""

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
from plugin.browser import tensorboard_process
from plugin.hostile_cases import proto
from plugin.logs import (
    PROVIDERS,
    RawLog,
    histograms_content,
    opened,
    scores_content,
    write_small_run,
)
from tensorboard.compat.proto import summary_pb2, types_pb2

DECLARED = 2**26  # values: 512 MiB as pointers to one text, 256 MiB as float32
RUN = "small/shiftguard"
SCORES = "shiftguard/scores/validation-train/0"


def write_oversized(run_dir, declared=DECLARED):
    """Writes a point of a hundred bytes to each kind of series."""
    text = proto(types_pb2.DT_STRING, [declared], string_val=[b"x"])
    number = proto(types_pb2.DT_FLOAT, [declared], float_val=[1.0])
    with RawLog(run_dir) as log:
        log.add("shiftguard/state", text, 1)
        log.add("shiftguard/gap", text, 1)
        log.add(SCORES, number, 1, scores_content())
        log.add("shiftguard/histograms/0", number, 1, histograms_content())
        scalar = summary_pb2.DATA_CLASS_SCALAR
        log.add("shiftguard/adaptation/strength/x", number, 1, b"", "scalars", scalar)
        assert log.path.stat().st_size < 2000


def peak_mib(process):
    """Returns the largest memory that a process has taken so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


@pytest.mark.thorough
@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_a_real_tensorboard_stays_small(tmp_path, load_fast, capsys):
    write_small_run(tmp_path / RUN, steps=[0])
    write_oversized(tmp_path / RUN)
    with tensorboard_process(tmp_path, "--load_fast", load_fast) as (address, process):

        def ask(route, **arguments):
            url = f"{address}data/plugin/shiftguard/{route}?{urlencode(arguments)}"
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                return json.load(error)

        before = peak_mib(process)
        end = time.monotonic() + 60
        while not ask("runs").get("runs"):
            assert time.monotonic() < end
            time.sleep(0.2)
        of_runs = peak_mib(process) - before
        ask("overview", run=RUN)
        of_overview = peak_mib(process) - before
        ask("adaptation", run=RUN)
        of_adaptation = peak_mib(process) - before
    with capsys.disabled():
        print(
            f"\n--load_fast {load_fast}: /runs +{of_runs:.0f} MiB, /overview +{of_overview:.0f} "
            f"MiB, /adaptation +{of_adaptation:.0f} MiB"
        )
    assert of_adaptation < 200


@pytest.mark.parametrize("kind", PROVIDERS)
def test_the_other_points_are_shown(tmp_path, kind):
    write_oversized(tmp_path / RUN, declared=2**16)
    write_small_run(tmp_path / RUN, steps=[2])
    with opened(tmp_path, kind) as tab:
        answer = tab.ask("overview", run=RUN)
    assert answer["state"]["step"] == 2
    assert [feature["name"] for feature in answer["features"]] == ["a", "b"]
    assert any(
        problem.startswith(f"{SCORES} is not shown in full: it has 1 of 2 points")
        for problem in answer["problems"]
    )

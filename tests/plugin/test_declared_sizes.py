"""A tensor that declares more values than it holds takes no memory in a real TensorBoard."""

import re
from pathlib import Path

import pytest
from plugin.browser import asker, patiently, tensorboard_process
from plugin.hostile_cases import proto
from plugin.logs import RawLog, histograms_content, scores_content, write_small_run
from tensorboard.compat.proto import summary_pb2, types_pb2

DECLARED = 2**26  # values: 512 MiB as pointers to one text, 256 MiB as float32
RUN = "small/shiftguard"
SCORES = "shiftguard/scores/validation-train/0"


def write_oversized(run_dir):
    """Writes a point of a hundred bytes to each kind of series."""
    text = proto(types_pb2.DT_STRING, [DECLARED], string_val=[b"x"])
    number = proto(types_pb2.DT_FLOAT, [DECLARED], float_val=[1.0])
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
def test_a_real_tensorboard_stays_small_and_shows_the_other_points(tmp_path, load_fast):
    write_oversized(tmp_path / RUN)
    write_small_run(tmp_path / RUN, steps=[2])
    with tensorboard_process(tmp_path, "--load_fast", load_fast) as (address, process):
        ask, before = asker(address), peak_mib(process)
        patiently(lambda: ask("plugin/shiftguard/runs").get("runs"))
        shown = ask("plugin/shiftguard/overview", run=RUN)
        ask("plugin/shiftguard/adaptation", run=RUN)
        assert peak_mib(process) - before < 200
    assert shown["state"]["step"] == 2
    assert [feature["name"] for feature in shown["features"]] == ["a", "b"]
    assert any(each.startswith(f"{SCORES} is not shown in full") for each in shown["problems"])

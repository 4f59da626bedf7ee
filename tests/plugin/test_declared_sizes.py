"""A tensor that declares more values than it holds is left out, and the others are shown."""

import pytest
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

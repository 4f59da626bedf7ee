"""Event files with valid records that hold damaged events."""

import random

import pytest
from fuzz.choices import Choices
from fuzz.events import damage
from plugin.logs import PROVIDERS, RawLog, opened, strict_json, write_small_run
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2

RUNS = 60
QUESTIONS = (
    ("overview", {}),
    ("feature", {"name": "a"}),
    ("feature", {"name": "labels"}),
    ("adaptation", {}),
)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    good = tmp_path_factory.mktemp("good")
    write_small_run(good)
    [path] = good.iterdir()
    _, *records = RawEventFileLoader(str(path)).Load()  # the first holds the version only
    damaged = tmp_path_factory.mktemp("damaged")
    rng = random.Random(0)
    for run in range(RUNS):
        with RawLog(damaged / f"{run}" / "shiftguard") as log:
            for record in records:
                event = event_pb2.Event.FromString(record)
                if rng.random() < 0.35:
                    damage(Choices(rng.randbytes(64)), event)
                log.event(event)
    return damaged


@pytest.mark.parametrize("kind", PROVIDERS)
def test_damaged_events_are_left_out_or_told(log_dir, kind, caplog):
    with opened(log_dir, kind, ready=False) as tab:
        runs = tab.patient(want=lambda answer: len(answer["runs"]) > RUNS - 3)["runs"]
        shown = 0
        # Each request takes the data server 40 ms, so only four of its runs are tested.
        for run in runs if kind == "python" else runs[:4]:
            for route, arguments in QUESTIONS:
                answer = tab.get(route, run=run["id"], **arguments)
                assert answer.status_code in {200, 404, 422}, answer.text
                body = strict_json(answer.text)
                shown += answer.status_code == 200
                assert answer.status_code == 200 or len(body["error"]) > 10
    assert shown > 2.5 * len(runs) if kind == "python" else shown > 10
    assert "could not answer" not in caplog.text

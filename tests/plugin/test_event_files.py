"""Event files with valid records that hold damaged events."""

import random

import pytest
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


def scrambled(data, rng, letters, count):
    """Returns the data with up to `count` bytes replaced by random ones from `letters`."""
    data = bytearray(data)
    for _ in range(count if data else 0):
        data[rng.randrange(len(data))] = rng.choice(letters)
    return bytes(data)


def damage(event, rng):
    """Changes one thing about an event; the result is still an event."""
    value = event.summary.value[0]
    tensor, plugin = value.tensor, value.metadata.plugin_data
    kind = rng.randrange(9)
    if kind == 0:
        tensor.dtype = rng.choice([0, 1, 2, 3, 5, 7, 8, 9, 10, 14, 18, 19, 20, 21, 23, 101, 999])
    elif kind == 1 and tensor.tensor_shape.dim:
        tensor.tensor_shape.dim[0].size = rng.choice([-1, 0, 1, 3, 100, 2**40, 2**62])
    elif kind == 2:
        tensor.tensor_shape.dim.add(size=rng.choice([0, 1, 2]))
    elif kind == 3:
        tensor.tensor_content = scrambled(tensor.tensor_content, rng, range(256), 20)
    elif kind == 4 and tensor.string_val:
        tensor.string_val[0] = scrambled(tensor.string_val[0], rng, range(256), 2)
    elif kind == 5:
        plugin.content = scrambled(plugin.content, rng, b'0123456789"[]{},:ax', 2)
    elif kind == 6:
        value.metadata.data_class = rng.randrange(5)
    elif kind == 7:
        event.step = rng.choice([-1, 2**63 - 1, 0, 5, 10**12])
        event.wall_time = rng.choice([float("nan"), float("inf"), -1e300, 0])
    else:
        value.ClearField(rng.choice(["tensor", "metadata"]))


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
                    damage(event, rng)
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

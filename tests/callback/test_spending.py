"""`Spending`, and the fits whose measurements it limits."""

import pytest

from keras_shiftguard.callback import spending
from keras_shiftguard.callback.spending import Spending


@pytest.fixture
def clock(monkeypatch):
    """A clock in the place of the real one; its only item is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(spending.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(spending.time, "process_time", lambda: now[0])
    return now


def test_a_share_of_the_training_is_spent_and_after_it_some_seconds(clock):
    spent, second = Spending(), 1.0
    with spent.measuring():
        with spent.running(100):
            clock[0] += 100 * second  # compiles, which is not counted
        with spent.running(100):
            clock[0] += second  # so all 200 samples count as twice this time
    assert spent.allows()  # two seconds of 101 are spent, and eight are left
    with spent.measuring():
        clock[0] += 5 * second  # the measurement that runs counts as well
        assert not spent.allows()
    clock[0] = 100 + (7 + 2 * 5) / spending.MAX_SHARE + 1  # two more like the longest one
    assert spent.allows()


def test_waiting_for_a_busy_machine_is_not_counted(clock, monkeypatch):
    watch = spending.Stopwatch()
    monkeypatch.setattr(spending.time, "process_time", lambda: 100.0 + (clock[0] - 100) / 10)
    clock[0] += 50
    assert watch.seconds() == 5
    monkeypatch.setattr(spending.time, "process_time", lambda: 100.0 + 8 * (clock[0] - 100))
    assert watch.seconds() == 50  # eight threads
    monkeypatch.setattr(spending.time, "process_time", lambda: 100.0)
    assert watch.seconds() == 50  # a clock that does not show it


def test_processes_do_not_decide_by_their_own_clocks(clock, monkeypatch):
    spent = Spending()
    for _ in range(2):
        with spent.measuring(), spent.running(1000):
            clock[0] += 10 * spending.FREE_SECONDS
    assert not spent.allows()
    monkeypatch.setattr(spending, "has_several_processes", lambda: True)
    assert spent.allows()
    assert spent.predictions_left(is_last=False) == float("inf")

"""The reader of event files, on any bytes, with the code of TensorBoard and of the Shift tab."""

import json
import logging
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fuzz.choices import Choices, damaged, scrambled
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_file_loader import (
    EventFileLoader,
    RawEventFileLoader,
)
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto import event_pb2
from tensorboard.context import RequestContext

from tensorboard_plugin_shiftguard.adaptation import adaptation
from tensorboard_plugin_shiftguard.answers import NotHere, NotNow, ShiftError, to_json
from tensorboard_plugin_shiftguard.distributions import feature
from tensorboard_plugin_shiftguard.gap import gap
from tensorboard_plugin_shiftguard.overview import overview
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import one_run
from tensorboard_plugin_shiftguard.runs import list_runs

REAL = Path(__file__).parent / "real" / "events.out.tfevents.real"
RUN = "shiftguard"
SIZES = {"shiftguard": 1000, "scalars": 1000}


@contextmanager
def quiet():
    """Silences TensorBoard's log, in which it names every damaged record."""
    logger = logging.getLogger("tensorboard")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@cache
def real():
    """Returns the version, the state, and the first point of every other series of a real log."""
    kept = {}
    for record in RawEventFileLoader(str(REAL)).Load():
        event = event_pb2.Event.FromString(record)
        tag = event.summary.value[0].tag if event.summary.value else ""
        if not tag or event.summary.value[0].HasField("metadata"):
            kept.setdefault(tag, record)
    state = kept.pop("shiftguard/state")
    return kept.pop(""), state, *(kept[tag] for tag in sorted(kept))


class Records(EventFileLoader):
    """A loader of given records, without a file and its checksums."""

    def __init__(self, records):
        super().__init__(str(REAL))
        self._iterator = iter(records)


def one_log(data, folder):
    """Reads the bytes as an event file and sends one request of the tab.

    Returns whether the tab had data.
    """
    choices = Choices(data)
    accumulator = EventAccumulator(str(REAL), tensor_size_guidance=SIZES)
    if choices.below(8) == 0:
        path = folder / "events.out.tfevents.1.x"
        path.write_bytes(choices.rest)
        accumulator._generator = EventFileLoader(str(path))
    else:
        accumulator._generator = Records(_records(choices))
    try:
        with quiet():
            accumulator.Reload()
    except Exception:
        pass  # an error of TensorBoard; the records before it are kept
    multiplexer = EventMultiplexer()
    multiplexer._accumulators = {RUN: accumulator}
    data = MultiplexerDataProvider(multiplexer, "here")
    with quiet():
        log = Log(data, RequestContext(), multiplexer=multiplexer)
        return _ask(log, choices.below(7), choices.below(3))


def _ask(log, which, place):
    """Sends one request. An error with a sentence for the user is no bug. A status 503 is a bug."""
    name = ("input/0", "input", "labels")[place]
    questions = (
        lambda run: overview(run),
        lambda run: overview(run, place),
        lambda run: feature(run, name),
        lambda run: adaptation(run),
        lambda run: gap(run),
        lambda run: list_runs(log),
    )
    try:
        run = one_run(log, RUN)
        assert len(to_json(questions[which % len(questions)](run))) < 2_000_000
    except NotNow as error:
        raise AssertionError("a failure of ours") from error
    except NotHere as error:
        return "no data of keras_shiftguard" not in str(error)
    except ShiftError:
        pass
    return True


def _records(choices):
    """Returns the version, the state and up to seven other real records, some of them damaged."""
    start, state, *others = real()
    records = [state, *(choices.pick(others) for _ in range(choices.below(8)))]
    for _ in range(choices.below(5)):
        at = choices.below(len(records))
        if choices.below(6) == 0:
            records[at] = scrambled(choices, records[at], 4)
            continue
        try:
            event = event_pb2.Event.FromString(records[at])
        except Exception:
            continue
        damage(choices, event)
        records[at] = event.SerializeToString()
    return [start, *records]


def damage(choices, event):
    """Changes one thing about an event; the result is still an event."""
    if not event.summary.value:
        event.step = choices.pick((-1, 2**63 - 1, 0, 10**12))
        return
    value = event.summary.value[0]
    tensor, plugin = value.tensor, value.metadata.plugin_data
    what = choices.below(11)
    if what == 0:
        tensor.dtype = choices.pick((0, 1, 2, 3, 5, 7, 8, 9, 10, 14, 18, 19, 20, 21, 23, 101, 999))
    elif what == 1 and tensor.tensor_shape.dim:
        tensor.tensor_shape.dim[0].size = choices.pick((-1, 0, 1, 3, 100, 2**40, 2**62))
    elif what == 2:
        tensor.tensor_shape.dim.add(size=choices.pick((0, 1, 2)))
    elif what == 3:
        tensor.tensor_content = scrambled(choices, tensor.tensor_content, 20)
    elif what in (4, 5) and tensor.string_val:
        tensor.string_val[0] = _damaged_json(choices, tensor.string_val[0])
    elif what in (6, 7) and plugin.content:
        plugin.content = _damaged_json(choices, plugin.content)
    elif what == 8:
        value.metadata.data_class = choices.below(5)
    elif what == 9:
        event.step = choices.pick((-1, 2**63 - 1, 0, 5, 10**12))
        event.wall_time = choices.pick((float("nan"), float("inf"), -1e300, 0.0))
    else:
        value.ClearField(choices.pick(("tensor", "metadata", "tag")))


def _damaged_json(choices, text):
    if len(text) > 100_000:
        return text
    try:
        tree = json.loads(text)
    except ValueError:
        return scrambled(choices, text, 4)
    changed = damaged(choices, tree, 1 + choices.below(3))
    return scrambled(choices, json.dumps(changed).encode(), choices.pick((0, 0, 0, 2)))

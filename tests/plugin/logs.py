"""Good and hostile logs for the tests of the tab, and both of TensorBoard's readers."""

import base64
import json
import time
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.data import server_ingester
from tensorboard.plugins import base_plugin
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import grpc_util, tensor_util
from werkzeug.test import Client

from tensorboard_plugin_shiftguard.loader import ShiftLoader

with warnings.catch_warnings():
    # The copy of html5lib inside TensorBoard raises DeprecationWarning.
    warnings.simplefilter("ignore", DeprecationWarning)
    from tensorboard.backend.application import TensorBoardWSGI

GRID = {"smallest": 1e-6, "gamma": 1.02, "bins_per_sign": 1396}
MIDDLE = 1397  # index of the first positive edge
PROVIDERS = ("data server", "python")


class RawLog:
    """A writer of any events, even of those that the real writer never writes."""

    def __init__(self, run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        number = len(list(run_dir.iterdir()))
        self.path = run_dir / f"events.out.tfevents.{int(time.time()):010d}.x.{number:04d}"
        self._file = self.path.open("wb")
        self._records = RecordWriter(self._file)
        self._described = set()
        self.event(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._records.close()

    def event(self, event):
        self._records.write(event.SerializeToString())
        self._records.flush()

    def add(
        self,
        tag,
        value,
        step=0,
        content=b"",
        plugin="shiftguard",
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        wall_time=1e9,
    ):
        """Writes a point. `value` is bytes, an array, a `TensorProto`, or None for no tensor."""
        summary = summary_pb2.Summary.Value(tag=tag)
        if value is not None:
            proto = hasattr(value, "SerializeToString")
            summary.tensor.CopyFrom(value if proto else tensor_util.make_tensor_proto(value))
        if tag not in self._described:
            self._described.add(tag)
            summary.metadata.data_class = data_class
            summary.metadata.plugin_data.plugin_name = plugin
            content = content if isinstance(content, bytes) else as_json(content)
            summary.metadata.plugin_data.content = content
        summary = summary_pb2.Summary(value=[summary])
        self.event(event_pb2.Event(wall_time=wall_time, step=step, summary=summary))

    def scalar(self, tag, value, step):
        value = np.float32(value)
        self.add(tag, value, step, b"", "scalars", summary_pb2.DATA_CLASS_SCALAR)


def as_json(value):
    return json.dumps(value).encode()


def scores_content(names=("a", "b"), pair=("validation", "train"), **more):
    content = {"v": 1, "pair": pair, "names": names, "negligible": 0.1, "total": len(names)}
    return {**content, **more}


def scores(*effects, flags=()):
    """Returns one row for each effect size, with an interval around it."""
    rows = np.full((len(effects), 9), np.nan, np.float32)
    rows[:, 0] = effects
    rows[:, 1], rows[:, 2], rows[:, 3] = rows[:, 0] - 0.5, rows[:, 0] + 0.5, -3
    rows[:, 4] = list(flags) or 0
    rows[:, 5:] = 1, 2, 3, 4
    return rows


def histograms_content(names=("a", "b"), streams=("train", "validation"), **more):
    content = {"v": 1, "names": names, "streams": streams, "grid": GRID, "bins": 32}
    return {**content, **more}


def histograms(*features):
    """Returns histograms. A feature is a list of each stream's first filled bin, or None."""
    tensor = np.full((len(features), 33 + 32 * len(features[0])), -1, np.int16)
    tensor[:, :33] = MIDDLE + np.arange(33)
    for row, streams in zip(tensor, features, strict=True):
        for number, first in enumerate(streams):
            if first is not None:
                bars = np.zeros(32, np.int16)
                bars[first : first + 2] = 16383
                row[33 + 32 * number : 65 + 32 * number] = bars
    return tensor


def state(step=0, **more):
    verdict = {"state": "look", "cause": "1 of 2 features shifted.", "step": "Look at it."}
    content = {"v": 1, "version": "0.1.0", "step": step, "looks": step + 1}
    content |= {"verdict": verdict, "report": None, "diagnosis": {}}
    return as_json({**content, **more})


def write_small_run(run_dir, steps=range(3), wall_time=1e9):
    """Writes a run in which feature `a` shifts from the second step on, and `b` does not."""
    classes = {"v": 1, "name": "labels", "classes": ["0", "other"]}
    classes["streams"] = ["train", "validation"]
    with RawLog(run_dir) as log:
        for step in steps:
            log.add("shiftguard/state", state(step), step, wall_time=wall_time)
            values = scores(0.5 * step, 0.05, flags=(9 * (step > 0), 4))
            log.add("shiftguard/scores/validation-train/0", values, step, scores_content())
            bars = histograms([0, step], [0, 0])
            log.add("shiftguard/histograms/0", bars, step, histograms_content())
            shares = np.array([[3, 1], [0, 4]], np.float32)
            log.add("shiftguard/classes/0", shares, step, classes)
        log.scalar("shiftguard/adaptation/strength/rotation", 0.25, 1)


@contextmanager
def data_of(log_dir, kind):
    """Yields a data provider that reads the log, and its multiplexer or None."""
    if kind == "python":
        multiplexer = EventMultiplexer(tensor_size_guidance={"shiftguard": 1000, "scalars": 1000})
        multiplexer.AddRunsFromDirectory(str(log_dir))
        multiplexer.Reload()
        yield MultiplexerDataProvider(multiplexer, str(log_dir)), multiplexer
        return
    ingester = server_ingester.SubprocessServerDataIngester(
        server_ingester.get_server_binary(),
        str(log_dir),
        reload_interval=0,  # reads once
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"shiftguard": 1000},
    )
    with warnings.catch_warnings():
        # TensorBoard does not clean up its subprocess and its temporary directory.
        warnings.simplefilter("ignore", ResourceWarning)
        ingester.start()
    try:
        yield ingester.data_provider, None
    finally:
        # The data server ends when its standard input is closed.
        ingester._stdin_handle.close()


class Tab:
    """The plugin in a TensorBoard without a server."""

    def __init__(self, data, multiplexer=None, path_prefix="", logdir=None):
        flags = SimpleNamespace(samples_per_plugin={})
        context = base_plugin.TBContext(
            data_provider=data, multiplexer=multiplexer, flags=flags, logdir=logdir
        )
        plugin = ShiftLoader().load(context)
        wsgi = TensorBoardWSGI([plugin], path_prefix=path_prefix, data_provider=data)
        self.plugin, self.client = plugin, Client(wsgi)
        self.root = f"{path_prefix}/data/plugin/shiftguard/"

    def get(self, route, **arguments):
        """Returns the response of a route."""
        return self.client.get(self.root + route, query_string=arguments)

    def ask(self, route, **arguments):
        """Returns the JSON of a response whose status must be 200."""
        answer = self.get(route, **arguments)
        assert answer.status_code == 200, answer.text
        return strict_json(answer.text)

    def patient(self, route="runs", want=lambda answer: answer["runs"], **arguments):
        """Repeats a request until the data server has read the log."""
        end = time.monotonic() + 20
        while True:
            answer = self.get(route, **arguments)
            if answer.status_code == 200 and want(answer.json):
                return answer.json
            assert time.monotonic() < end, answer.text
            time.sleep(0.02)


@contextmanager
def opened(log_dir, kind="python", ready=True, **options):
    """Yields a `Tab` on a log directory."""
    with data_of(log_dir, kind) as (data, multiplexer):
        tab = Tab(data, multiplexer, **{"logdir": str(log_dir), **options})
        if ready:
            tab.patient()
        yield tab


def strict_json(text):
    """Parses JSON as strictly as a browser: no NaN."""

    def never(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=never)


def unpacked(answer):
    """Returns effects (NaN where unknown) and flags of an overview, features by steps."""
    shape = len(answer["features"]), len(answer["steps"])
    effects = np.frombuffer(base64.b64decode(answer["effects"]), "<i2").reshape(shape) / 100
    packed = np.frombuffer(base64.b64decode(answer["flags"]), np.uint8)
    flags = np.stack([packed & 15, packed >> 4], axis=1).ravel()[: shape[0] * shape[1]]
    return np.where(effects == -327.68, np.nan, effects), flags.reshape(shape)

"""Writer of TensorBoard event files.

It does not need TensorFlow: an event is one of TensorBoard's protocol buffers in a plain
record file, so the log is the same with JAX and PyTorch. Records are written in the
caller's thread. So if the disk is full, the call that writes raises an error. In a
background thread the error would pass unnoticed.
"""

import itertools
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.profiles import NUM_BINS, InputProfile, InputSummary, bin_edges
from tensorboard_plugin_shiftguard.metadata import PLUGIN_NAME, RUN_NAME, TAG_PREFIX

# Largest number of buckets of a histogram; this bounds the size of the log. A convention.
MAX_BUCKETS = 64

_file_numbers = itertools.count()


class EventWriter:
    """Writes an event file in `<log_dir>/shiftguard`, which TensorBoard shows as one run.

    TensorBoard shows scalars in its tabs Scalars and Time Series, histograms in
    Histograms and Distributions, and texts in Text. The event file has a directory of its
    own, because TensorBoard may miss points if two files in one directory are open for
    writing at the same time.

    All methods that write raise `OSError` if writing fails.

    Args:
        log_dir: The directory that `tensorboard --logdir` is started with. It is
            created if it does not exist.

    Raises:
        BadInputError: If nothing can be written there.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as log_dir, EventWriter(log_dir) as writer:
    ...     writer.write_scalar("shiftguard/val_shift", 0.5, step=1)
    ...     writer.path.parent.name
    'shiftguard'
    """

    def __init__(self, log_dir: str | PathLike[str]) -> None:
        self.log_dir = Path(log_dir)
        self._tags: set[str] = set()
        try:
            self.path, self._file = _new_file(self.log_dir / RUN_NAME)
            self._records = RecordWriter(self._file)
            try:
                self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
                self.flush()
            except OSError:  # on a full disk a file can be created but not filled
                with suppress(OSError):
                    self.close()
                raise
        except OSError as error:
            raise BadInputError(
                f"`log_dir` must be a directory that can be written. Received: "
                f"log_dir={os.fspath(log_dir)!r}, but {error}. Pass another directory, or "
                f"log_dir=None to write no log."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write_scalar(self, tag: str, value: float, step: int) -> None:
        """Writes one point of a curve.

        Curves with the same part of their tags before the first `/` are shown together.
        """
        tensor = tensor_util.make_tensor_proto(float(value), dtype=np.float32)
        metadata = scalar_metadata.create_summary_metadata(display_name="", description="")
        self._add(tag, tensor, metadata, summary_pb2.DATA_CLASS_SCALAR, step)

    def write_text(self, tag: str, text: str, step: int) -> None:
        """Writes a text, which TensorBoard shows unchanged instead of as Markdown."""
        # The Text tab renders Markdown, and four spaces mark a line as preformatted.
        block = "\n".join("    " + line for line in text.splitlines())
        tensor = tensor_util.make_tensor_proto(block)
        metadata = text_metadata.create_summary_metadata(display_name="", description="")
        self._add(tag, tensor, metadata, summary_pb2.DATA_CLASS_TENSOR, step)

    def write_histogram(self, tag: str, buckets: np.ndarray, step: int) -> None:
        """Writes one histogram, `(k, 3)`: left edge, right edge and count of each bucket."""
        tensor = tensor_util.make_tensor_proto(buckets, dtype=np.float64)
        metadata = histogram_metadata.create_summary_metadata(display_name="", description="")
        self._add(tag, tensor, metadata, summary_pb2.DATA_CLASS_TENSOR, step)

    def write_data(
        self, tag: str, data: np.ndarray | bytes, step: int, content: Mapping[str, Any]
    ) -> None:
        """Writes one point of a series that only the Shift tab reads: numbers, or a UTF-8 text.

        The description `content`, at most 256 KB as JSON, is written only with the first point,
        because TensorBoard ignores later descriptions.
        """
        metadata = summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(
                plugin_name=PLUGIN_NAME,
                content=json.dumps(plain(content), allow_nan=False).encode(),
            )
        )
        tensor = tensor_util.make_tensor_proto(data)
        self._add(tag, tensor, metadata, summary_pb2.DATA_CLASS_TENSOR, step)

    def write_profile(self, stream: str, profile: InputProfile, step: int) -> None:
        """Writes the user's own metrics as scalars, and histograms of the values of each input.

        There is a histogram for each channel, or one for all channels together, as in the profile.
        The features of the profile are in the Shift tab only: as scalars they would fill the
        Scalars tab with a hundred cards for each run. Metrics that are not finite are left out.
        """
        for name, value in profile.values.items():
            if np.isfinite(value):
                self.write_scalar(f"{TAG_PREFIX}{stream}/{name}", value, step)
        for name, summary in profile.inputs.items():
            by_channel = len(summary.counts) == summary.num_channels
            for row in range(len(summary.counts)):
                channel = str(row) if by_channel else "all"
                buckets = histogram_buckets(summary, row)
                self.write_histogram(f"{TAG_PREFIX}{stream}/{name}/{channel}", buckets, step)

    def purge(self, step: int) -> None:
        """Makes TensorBoard drop the points from `step` on in earlier files of the run."""
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(event_pb2.Event(wall_time=time.time(), step=int(step), session_log=start))

    def flush(self) -> None:
        """Writes the buffer to the file, so that a running TensorBoard sees the points."""
        self._records.flush()

    def close(self) -> None:
        """Flushes and closes the file. It may be called more than once."""
        if not self._file.closed:
            self._records.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def _add(self, tag: str, tensor: Any, metadata: Any, data_class: int, step: int) -> None:
        value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
        # TensorBoard keeps the first metadata of a tag and ignores later ones.
        if tag not in self._tags:
            metadata.data_class = data_class
            value.metadata.CopyFrom(metadata)
        summary = summary_pb2.Summary(value=[value])
        self._write(event_pb2.Event(wall_time=time.time(), step=int(step), summary=summary))
        self._tags.add(tag)

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())


def _new_file(folder: Path) -> tuple[Path, BinaryIO]:
    """Creates an event file; two containers may have the same host name and process number."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        # File names sort by time, because TensorBoard reads the files of a run in this order.
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{next(_file_numbers):04d}"
        )
        with suppress(FileExistsError):
            return folder / name, (folder / name).open("xb")


def histogram_buckets(summary: InputSummary, row: int) -> np.ndarray:
    """Returns one row of a quantile sketch as buckets of a TensorBoard histogram.

    There are at most `MAX_BUCKETS` buckets of about equal width. The inner edges are edges
    of the sketch, so the counts are exact. The outermost edges are set to the smallest and
    the largest value.

    Returns:
        `(k, 3)` float64: left edge, right edge and count; `(0, 3)` if the sketch is empty.
    """
    counts = summary.counts[row]
    occupied = np.flatnonzero(counts)
    if len(occupied) == 0:
        return np.zeros((0, 3))
    by_channel = len(summary.counts) == summary.num_channels
    channels = slice(row, row + 1) if by_channel else slice(None)
    lowest = float(np.min(summary.minimum[channels]))
    highest = float(np.max(summary.maximum[channels]))
    counts = counts[occupied[0] : occupied[-1] + 1]
    edges = bin_edges()[occupied[0] : occupied[-1] + 2].copy()
    # The outermost occupied bins are narrowed to the range of the values. Only the first and the
    # last bin of the grid may become wider, because they also hold the values beyond the grid.
    floor = -np.inf if occupied[0] == 0 else edges[0]
    ceiling = np.inf if occupied[-1] == NUM_BINS - 1 else edges[-1]
    edges[0], edges[-1] = np.clip(lowest, floor, edges[1]), np.clip(highest, edges[-2], ceiling)

    even_edges = np.linspace(edges[0], edges[-1], MAX_BUCKETS + 1)
    nearest = np.abs(edges[:, None] - even_edges).argmin(axis=0)
    chosen = np.unique(np.concatenate([[0], nearest, [len(counts)]]))
    if len(chosen) > MAX_BUCKETS + 1:
        chosen = np.concatenate([chosen[:MAX_BUCKETS], chosen[-1:]])
    return np.stack(
        [edges[chosen[:-1]], edges[chosen[1:]], np.add.reduceat(counts, chosen[:-1])], axis=1
    ).astype("float64")

"""`Samples`: the evaluation set in memory, on which causes of an accuracy gap are measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.even_subsample import MAX_BYTES, EvenSubsample
from keras_shiftguard.explain.image_folder import Folder, as_keras_reads, open_folder, raw_image
from keras_shiftguard.explain.model_facts import ModelFacts
from keras_shiftguard.io.batches import named_inputs, to_numpy
from keras_shiftguard.io.source import open_source
from keras_shiftguard.statistics.classes import host_class_ids
from keras_shiftguard.statistics.spread import PART, spread

# Samples read from a generator by default, because it may never end. A convention.
MAX_GENERATOR_SAMPLES = 10_000


@dataclass(frozen=True)
class Samples:
    """An evaluation set as the model is fed it."""

    inputs: dict[str, np.ndarray]  # arrays `(samples, ...)` by input name
    labels: np.ndarray | None  # class ids `(samples,)`, or None
    # The raw files of the samples, in the same order; None if not known.
    folder: Folder | None = None
    form: str = "tensor"  # structure that the model accepts: `"tensor"`, `"dict"` or `"list"`
    total: int = 0  # number of samples in the data; `inputs` may have only some of them
    # Positions of the kept samples in the data, `(samples,)`; None if all are kept.
    kept: np.ndarray | None = None
    # Whether reading stopped at a limit, so that the data may hold more than `total`.
    is_cut: bool = False
    # Names of the columns of tables, by input, where they are known.
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def chunks(self) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """Yields the samples in chunks: their positions, and the inputs by name."""
        for start in range(0, len(self), PART):
            part = slice(start, start + PART)
            yield part, {name: value[part] for name, value in self.inputs.items()}

    def packed(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Returns inputs by name in the structure that the model accepts."""
        if self.form == "dict":
            return dict(inputs)
        return list(inputs.values()) if self.form == "list" else next(iter(inputs.values()))


def read_samples(
    data: Any, facts: ModelFacts, size: tuple[int, int] | None, max_samples: int | None
) -> Samples:
    """Reads an evaluation set, see `explain_gap`, into memory.

    Args:
        data: See `explain_gap`.
        facts: Facts about the model.
        size: Height and width at which a directory is read if the native size of the model is not
            known; or None.
        max_samples: Largest number of samples, evenly spread over the data (from a generator, the
            first samples). None reads as many samples as fit into `MAX_BYTES`, and from a generator
            at most `MAX_GENERATOR_SAMPLES`.

    Raises:
        BadInputError: if `data` cannot be used as an evaluation set of the model.
    """
    if isinstance(data, (str, PathLike)):
        size = facts.native_size or size
        if size is None:
            raise BadInputError(
                "The model takes images of any size, so it is not clear how to read a directory. "
                "Pass (directory, function), where the function turns one raw image into the "
                f"input of the model. Received: {str(data)!r}"
            )
        data = (data, as_keras_reads(size))
    if isinstance(data, tuple) and data and isinstance(data[0], (str, PathLike)):
        if len(data) != 2:
            raise BadInputError(
                "Pass a directory alone, or with one pipeline: (directory, pipeline). "
                f"Received a tuple of {len(data)} members."
            )
        folder = open_folder(Path(data[0]), facts.num_classes)
        return _of_folder(folder, data[1], facts, max_samples)
    return _of_pipeline(data, facts, max_samples)


def _of_folder(
    folder: Folder, pipeline: Any, facts: ModelFacts, max_samples: int | None
) -> Samples:
    """Returns the samples that a pipeline (a function, or data) makes of the files of a folder."""
    is_data = hasattr(pipeline, "__iter__") or isinstance(pipeline, keras.utils.PyDataset)
    if is_data or not callable(pipeline):
        fed = _of_pipeline(pipeline, facts, None)
        if len(fed) != len(folder.files) or fed.total != len(fed):
            raise BadInputError(
                "The pipeline beside a directory must yield every image of it once and in "
                "order, shuffle=False. "
                f"Received: {len(folder.files)} files, {fed.total} samples of the pipeline."
            )
        if fed.labels is not None and folder.labels is not None:
            if wrong := int((fed.labels != folder.labels).sum()):
                raise BadInputError(
                    "The pipeline beside a directory must yield its images in order, "
                    f"shuffle=False. {wrong} of {len(fed)} labels differ from those of the folders."
                )
        labels = folder.labels if fed.labels is None else fed.labels
        which = spread(len(fed), max_samples)
        inputs = {name: value[which] for name, value in fed.inputs.items()}
        chosen = None if labels is None else labels[which]
        return Samples(inputs, chosen, folder.chosen(which), fed.form, len(fed), which)
    total = len(folder.files)
    first = np.asarray(pipeline(raw_image(folder.files[0], facts.channels)))
    fitting = max(1, MAX_BYTES // max(first.nbytes, 1))
    which = spread(total, min(max_samples or fitting, fitting))
    folder = folder.chosen(which)
    images = [np.asarray(pipeline(raw_image(file, facts.channels))) for file in folder.files]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise BadInputError(
            f"The function must return images of one size. Received: {sorted(shapes)[:3]}"
        )
    return Samples({"input": np.stack(images)}, folder.labels, folder, "tensor", total, which)


def _of_pipeline(data: Any, facts: ModelFacts, max_samples: int | None) -> Samples:
    """Returns the samples of arrays, a dataset or a generator."""
    source = open_source(data, shapes=facts.shapes)
    limit, which, is_cut = max_samples, None, False
    total = source.size or 0
    if source.form == "arrays":
        which = spread(total, max_samples)
        if len(which) < total:
            source = source.rows(which)
    elif source.is_one_shot and limit is None:
        limit = MAX_GENERATOR_SAMPLES
    subsample = EvenSubsample(limit, stop=source.is_one_shot)
    form = "tensor"
    for x, y, _ in source.all_batches(PART):
        if isinstance(x, Mapping):
            form = "dict"
        elif isinstance(x, (list, tuple)) and len(x) > 1:
            form = "list"
        inputs = {name: to_numpy(value) for name, value in named_inputs(x, facts.shapes).items()}
        if not inputs:
            continue
        if not subsample.add(inputs, class_ids(y, facts.num_classes)):
            is_cut = True
            break
    kept = subsample.positions if which is None else which[subsample.positions]
    total = total or subsample.seen
    return Samples(*subsample.joined(), None, form, total, kept, is_cut, source.columns)


def class_ids(y: Any, num_classes: int) -> np.ndarray | None:
    """Returns labels as class ids `(samples,)`; None without labels.

    Raises:
        BadInputError: if the labels are not classes of the model.
    """
    if y is None:
        return None
    if isinstance(y, (Mapping, list, tuple)):
        raise BadInputError("Labels must be one array. Received several sets of them.")
    labels = to_numpy(y)
    ids = host_class_ids(labels)
    if ids is None:
        rows = labels.reshape(len(labels), -1)
        if labels.dtype.kind == "f" and rows.shape[1] == 1:  # the message shows a fraction, if any
            is_whole = np.isfinite(rows[:, 0]) & (rows[:, 0] == np.floor(rows[:, 0]))
            rows = rows if is_whole.all() else rows[~is_whole]
        raise BadInputError(
            "Labels must be class ids or one-hot rows, so that the accuracy can be measured. "
            f"Received labels such as {rows[:1, :5]}"
        )
    if len(ids) and (ids.min() < 0 or ids.max() >= num_classes):
        raise BadInputError(
            f"Labels must be class ids from 0 to {num_classes - 1}, the classes of the model. "
            f"Received: labels from {ids.min()} to {ids.max()}"
        )
    return ids

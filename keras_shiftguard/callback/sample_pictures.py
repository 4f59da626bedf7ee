"""`SamplePictures`: the choice of images of each stream that `log_samples=` writes."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from keras import ops

from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.repairs import repairs_of
from keras_shiftguard.errors import warn
from keras_shiftguard.log.pictures import PictureRow
from keras_shiftguard.profiles import FeatureTable, InputProfile
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import attributes, names
from keras_shiftguard.statistics.state import on_host
from keras_shiftguard.statistics.stream import Stream

MAX_SEARCHED = 64  # images of a stream that are searched for the most unusual ones. A convention.
# Standard deviations; the largest distance that counts in one attribute. A convention.
FARTHEST = 10.0


class SamplePictures:
    """Chooses images of each stream: some that are spread over the pass, and the most unusual.

    An image is unusual if its attributes are far from the mean of the reference, or of training
    if there is no reference. The distance is the root mean square over the attributes, in
    standard deviations.

    Args:
        number: Largest number of images in each row; a row holds the images of one input of one
            stream: as fed, corrected, with the repair of a finding, or unusual. 0 for none.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._has_warned = False
        self._measured: dict[tuple[str, str], tuple[int, np.ndarray]] = {}

    def rows(
        self, seen: Epoch, profiles: Mapping[str, InputProfile], pairs: Sequence[Pair]
    ) -> list[PictureRow]:
        """Returns the chosen images; warns once if the model has no image input."""
        built = [stream for stream in seen.streams.values() if stream.is_built]
        if built and not any(stream.kept_samples for stream in built) and not self._has_warned:
            self._has_warned = True
            warn("`log_samples` keeps images, and this model has no image input: nothing is kept.")
        usual = profiles.get("reference", profiles.get("train", InputProfile()))
        try:
            return [
                row
                for stream in built
                for name in stream.kept_samples
                for row in [
                    *self._of_input(stream, name, usual),
                    *self._repaired(stream, name, replace(seen, pairs=pairs)),
                ]
            ]
        except Exception as error:  # a fit goes on without pictures
            self.number = 0
            warn(f"ShiftGuard keeps no images any more ({error!r}).")
            return []

    def _of_input(self, stream: Stream, name: str, usual: InputProfile) -> list[PictureRow]:
        buffer = stream.kept_samples[name]
        images, labels = buffer.read()
        if not len(images):
            return []
        is_corrected = _is_corrected(stream, name)

        def row(
            what: str, which: np.ndarray, distances: np.ndarray | None, corrected: bool
        ) -> PictureRow:
            chosen = images[which]
            if corrected:
                chosen = on_host(stream.corrected(name, ops.convert_to_tensor(chosen)))
            values = (_channels_last(chosen, buffer.spec), labels[which], distances, corrected)
            return PictureRow(stream.stream, name, what, *values)

        some = _spread(len(images), self.number)
        rows = [row("fed", some, None, False)]
        if is_corrected:
            rows.append(row("corrected", some, None, True))
        searched = _spread(len(images), MAX_SEARCHED)
        table = usual.inputs[name].features if name in usual.inputs else FeatureTable()
        found = self._distances((stream.stream, name), images[searched], buffer.spec, table)
        if len(found) > self.number:
            order = np.argsort(-found, kind="stable")[: self.number]
            rows.append(row("unusual", searched[order], found[order], is_corrected))
        return rows

    def _repaired(self, stream: Stream, name: str, seen: Epoch) -> list[PictureRow]:
        """Returns the images of validation that are shown as fed, with the repair of a finding."""
        if seen.main is None or stream.stream != seen.main.stream:
            return []
        finding = repairs_of(seen.main.findings.values(), [name]).get(name)
        buffer = stream.kept_samples[name]
        images, labels = buffer.read()
        if finding is None or not len(images):
            return []
        some = _spread(len(images), self.number)
        x = ops.convert_to_tensor(images[some])
        # The experiment changed corrected images if the streams are corrected in different ways.
        x = finding.repair(stream.corrected(name, x) if seen.is_apart else x)
        x = on_host(x if seen.is_apart else stream.corrected(name, x))
        values = (_channels_last(x, buffer.spec), labels[some], None, _is_corrected(stream, name))
        return [PictureRow(stream.stream, name, "repaired", *values)]

    def _distances(
        self, key: tuple[str, str], images: np.ndarray, spec: InputSpec, usual: FeatureTable
    ) -> np.ndarray:
        """Returns the distance of each image from the mean of `usual`, `(images,)`.

        The result is empty if no attribute can be compared. Images that were measured for this key
        (stream and input) before are not measured again.
        """
        height, width = images.shape[2:] if spec.layout == "channels_first" else images.shape[1:3]
        spec = replace(spec, size=(height, width))
        own = names(spec)
        known = [n for n in own if n in usual.names and usual.std(n) > 0]
        if not known:
            return np.zeros(0)
        checksum = zlib.crc32(np.ascontiguousarray(images).data)
        if self._measured.get(key, (None,))[0] != checksum:
            measured = on_host(attributes(ops.convert_to_tensor(images), spec))
            self._measured[key] = checksum, measured.astype("float64")
        values = self._measured[key][1][:, [own.index(n) for n in known]]
        mean, std = (np.array([each(n) for n in known]) for each in (usual.mean, usual.std))
        apart = np.abs(values - mean) / std
        apart = np.where(np.isfinite(apart), np.minimum(apart, FARTHEST), 0.0)
        distances: np.ndarray = np.sqrt(np.square(apart).mean(axis=1))
        return distances


def _is_corrected(stream: Stream, name: str) -> bool:
    correction = stream.corrections.get(name)
    return correction is not None and bool(correction.is_on)


def _channels_last(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    return np.moveaxis(images, 1, -1) if spec.layout == "channels_first" else images


def _spread(number: int, wanted: int) -> np.ndarray:
    """Returns `wanted` indices, evenly spread over `range(number)`; all if there are fewer."""
    return np.unique(np.linspace(0, number - 1, min(number, wanted)).round().astype(int))

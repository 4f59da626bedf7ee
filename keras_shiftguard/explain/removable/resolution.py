"""Resolution and crop as a cause: the raw files are read at the native size of the model."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.explain.image_folder import CROP, native_line, read_natively
from keras_shiftguard.explain.model_facts import ModelFacts
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removable.views import SIZE, Inputs, Removable
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.statistics.spread import spread

MAX_FILES_TO_READ = 32  # files that show how raw images are preprocessed. A convention.
# The difference "red minus blue" is correlated between two versions of the same images. If the
# absolute correlation is at least this number, its sign shows whether red and blue are swapped. A
# convention.
MIN_ORDER_CORRELATION = 0.5
# Root mean square in gray levels; images that are nearer look the same. A convention.
MAX_SAME_DISTANCE = 3.0


@dataclass(frozen=True)
class RawFeed:
    """How the raw files of samples become model input."""

    samples: Samples
    scale: np.ndarray  # factor of each channel `(channels,)`, in the channel order of the input
    offset: np.ndarray  # summand of each channel `(channels,)`
    flipped: bool  # whether blue is the first channel
    channels_first: bool  # whether the input has the channels first

    def fed(self, which: np.ndarray, size: tuple[int, int], crop: float) -> np.ndarray:
        """Returns the files at some positions as model input, see `read_natively`."""
        x = _files(self.samples, which, size, len(self.scale), crop)
        x = x[..., ::-1] if self.flipped else x
        x = (x * self.scale + self.offset).astype("float32")
        return x.transpose(0, 3, 1, 2) if self.channels_first else x

    def distance(self, size: tuple[int, int], crop: float) -> float:
        """Returns the root mean square distance, in gray levels, of the samples from files."""
        which = spread(len(self.samples), MAX_FILES_TO_READ)
        fed = next(iter(self.samples.inputs.values()))[which].astype("float64")
        scale = self.scale.reshape((-1, 1, 1) if self.channels_first else (-1,))
        levels = (fed - self.fed(which, size, crop)) / scale
        return float(np.sqrt((levels**2).mean()))


def find_resolution(
    samples: Samples, facts: ModelFacts, reference: Reference, observed: InputConvention
) -> Removable | str | None:
    """Returns resolution and crop as a cause, or a note on why they could not be checked.

    They are a cause if the samples do not have the native size, or if the samples differ from
    their files read at the native size. Else the result is None. `observed` is the convention that
    the samples are in.
    """
    size = facts.native_size or reference.size(facts.channels_first)
    if size is None:
        return "Resolution and crop: the native size of the model is not known."
    feed = _find_feed(samples, size, facts, observed)
    if isinstance(feed, str):
        return feed
    fed = next(iter(samples.inputs.values()))
    fed_size = fed.shape[-2:] if facts.channels_first else fed.shape[1:3]
    # Published accuracies were measured on the central part. For other networks, the whole image
    # may be right as well.
    crops = (CROP,) if facts.is_published else (1.0, CROP)
    distances = {crop: feed.distance(fed_size, crop) for crop in crops}
    crop = min(distances, key=lambda c: distances[c])
    if fed_size == size and distances[crop] < MAX_SAME_DISTANCE:
        return None
    detail = f"fed {fed_size[0]} x {fed_size[1]}"
    detail += f", native {size[0]} x {size[1]}" if fed_size != size else ""
    detail += "; files read again: aspect ratio kept, antialiased bicubic"
    detail += f", middle {100 * crop:.3g} %" if crop < 1 else ""

    def read_again(inputs: Inputs, part: slice) -> Inputs:
        return dict.fromkeys(inputs, feed.fed(np.arange(len(samples))[part], size, crop))

    return Removable(SIZE, detail, native_line(size, crop), read_again)


def _find_feed(
    samples: Samples, size: tuple[int, int], facts: ModelFacts, observed: InputConvention
) -> RawFeed | str:
    """Returns how raw pixels become model input, or a sentence on why this is not known."""
    channels, channels_first = facts.channels, facts.channels_first
    if channels not in (1, 3):
        return (
            "Resolution and crop: not checked, because image files have 1 or 3 channels, and the "
            f"model takes {channels}."
        )
    which = spread(len(samples), MAX_FILES_TO_READ)
    # Means over the pixels of each image, (images, channels).
    raw = _files(samples, which, size, channels).mean(axis=(1, 2), dtype="float64")
    fed = next(iter(samples.inputs.values()))[which].astype("float64")
    fed = fed.mean(axis=(2, 3) if channels_first else (1, 2))
    flipped = False
    if channels == 3:
        raw_balance, fed_balance = (v[:, 0] - v[:, 2] for v in (raw, fed))
        varies = raw_balance.std() > 0 and fed_balance.std() > 0
        correlation = np.corrcoef(raw_balance, fed_balance)[0, 1] if varies else 0.0
        # If all files have nearly the same color, the correlation is mostly noise. So a weak
        # correlation then does not show that the files and the samples are other images.
        if abs(correlation) < MIN_ORDER_CORRELATION and raw_balance.std() > 1:
            return "Resolution and crop: the files and the samples do not show the same images."
        flipped = bool(correlation < 0)
    if observed.is_known:
        numbers = (observed.scale, observed.offset)
        scale, offset = (np.broadcast_to(np.asarray(v), channels) for v in numbers)
    else:
        x = raw[:, ::-1] if flipped else raw
        lines = [np.polyfit(x[:, c], fed[:, c], 1) for c in range(channels)]
        scale, offset = np.asarray(lines).T
        residuals = fed - (x * scale + offset)
        if (residuals.std(axis=0) > 0.1 * fed.std(axis=0)).any():
            return "Resolution and crop: it is not clear how the samples were made from the files."
    return RawFeed(samples, scale, offset, flipped, channels_first)


def _files(
    samples: Samples, which: np.ndarray, size: tuple[int, int], channels: int, crop: float = CROP
) -> np.ndarray:
    """Returns the raw images at the positions `which`, read in a given size."""
    assert samples.folder is not None
    return read_natively((samples.folder.files[i] for i in which), size, channels, crop)

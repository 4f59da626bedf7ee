"""Finds the causes that can be removed exactly: preprocessing, resolution, order of columns."""

from dataclasses import replace

import keras
import numpy as np

from keras_shiftguard.detection.causes.channel_order import balance_swapped
from keras_shiftguard.detection.causes.explanation import affine
from keras_shiftguard.detection.causes.pipeline_change import explain as explain_difference
from keras_shiftguard.explain.image_folder import CROP, native_line, read_natively
from keras_shiftguard.explain.model_facts import ModelFacts
from keras_shiftguard.explain.pixel_grid import find_grid
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import RawFeed, Removable, Views, changes_values, in_order
from keras_shiftguard.explain.report import CHANNEL_ORDER, COLUMN_ORDER, PREPROCESSING, SIZE
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.io.tables import are_reordered
from keras_shiftguard.preprocessing.correction.convention import layer_between
from keras_shiftguard.preprocessing.correction.convention_words import in_words
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnose import diagnose
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.spread import spread

MAX_SAMPLES_TO_DIAGNOSE = 256
MAX_FILES_TO_READ = 32  # files that show how raw images are preprocessed
# The difference "red minus blue" is correlated between two versions of the same images. If the
# absolute correlation is at least this number, the sign of the correlation shows whether red and
# blue are swapped in one version.
MIN_ORDER_CORRELATION = 0.5
MAX_SAME_DISTANCE = 3.0  # root mean square in gray levels; images that are nearer look the same
# Hints of the diagnosis that become notes of the report. Only the first such hint is shown.
REPORTED_HINTS = ("labels_shifted", "labels_other_order", "transposed")


def find_removable(
    model: keras.Model, samples: Samples, facts: ModelFacts, reference: Reference
) -> Views:
    """Finds the causes that can be removed exactly; returns the `Views` that remove them."""
    which = spread(len(samples), MAX_SAMPLES_TO_DIAGNOSE)
    orders = _orders(samples, reference)
    some = in_order({name: value[which] for name, value in samples.inputs.items()}, orders)
    labels = None if samples.labels is None else samples.labels[which]
    data = (samples.packed(some), labels)
    diagnosis = diagnose(model, data, max_samples=MAX_SAMPLES_TO_DIAGNOSE)
    paired = samples.labels is not None and reference.has_labels(samples.labels)
    fixes, found, notes = _preprocessing(diagnosis, some, reference, paired)
    if orders:
        name, order = next(iter(orders.items()))
        moved = int((order != np.arange(len(order))).sum())
        words = f"{moved} of {len(order)} columns are elsewhere than in the reference"
        repair = "data = data[list(reference.columns)]"
        found.insert(0, Removable(COLUMN_ORDER, words, repair))
    views = Views(samples, fixes, orders, None, tuple(found), tuple(notes))
    if samples.folder is not None:
        views = _with_size(views, facts, reference, diagnosis)
    return views


def _orders(samples: Samples, reference: Reference) -> dict[str, np.ndarray]:
    """Returns the positions of columns in the order of the reference, where it is another one."""
    if not samples.columns or reference.profile is None:
        return {}
    before = reference.profile().inputs
    orders = {}
    for name, columns in samples.columns.items():
        there = before[name].columns if name in before else ()
        if are_reordered(columns, there) and len(set(columns)) == len(columns):
            orders[name] = np.array([columns.index(each) for each in there])
    return orders


def _preprocessing(
    diagnosis: Diagnosis, some: dict[str, np.ndarray], reference: Reference, paired: bool
) -> tuple[dict[str, InputCorrection], list[Removable], list[str]]:
    """Returns the corrections by input name, the causes that they remove, and notes.

    `some` holds some of the samples. `paired` is whether the reference most likely has the same
    samples.
    """
    by_input = diagnosis.by_input or {next(iter(some)): diagnosis}
    fixes = {name: d.fix for name, d in by_input.items() if d.fix is not None}
    repair, notes = diagnosis.advice if fixes else "", []
    words = ""
    if fixes:
        fixed = by_input[next(iter(fixes))]
        words = f"fed {in_words(fixed.observed)}, expects {in_words(fixed.expected)}"
    elif diagnosis.status == "mismatch":
        notes.append(str(diagnosis).partition("\n")[0])
    elif reference.profile is not None and len(some) == 1:
        fixes, words, repair = _as_the_reference(diagnosis, some, reference, paired)
    notes += [h.sentence for h in diagnosis.hints if h.name in REPORTED_HINTS][:1]
    found = []
    if any(changes_values(fix) for fix in fixes.values()):
        found.append(Removable(PREPROCESSING, words, repair))
    if any(fix.permutation is not None for fix in fixes.values()):
        text = "red and blue are swapped" if found or not words else words
        if not changes_values(next(iter(fixes.values()))):
            text = "red and blue are swapped"
        found.append(Removable(CHANNEL_ORDER, text, repair))
    return fixes, found, notes


def _as_the_reference(
    diagnosis: Diagnosis, some: dict[str, np.ndarray], reference: Reference, paired: bool
) -> tuple[dict[str, InputCorrection], str, str]:
    """Returns a correction that gives the samples the preprocessing of the reference.

    The correction is used if the model does not show which preprocessing it expects. For the
    arguments see `_preprocessing`.

    Returns:
        The correction by input name, its description, and its code as a line of Python. All three
        are empty if no correction is found.
    """
    assert reference.profile is not None
    name, x = next(iter(some.items()))
    before = next(iter(reference.profile().inputs.values()), None)
    if before is None or diagnosis.status == "ok":
        return {}, "", ""
    now = profile_of([({name: x}, None)]).inputs.get(name)
    if now is None:
        return {}, "", ""
    layout = now.layout if now.is_image else "channels_last"
    step = explain_difference(before, now)
    if step is None:
        return _by_grid(name, x, reference, layout, before, now, paired)
    # `step` is `data = reference * scale + offset`. The correction is its inverse, for the
    # channels in the order of the reference.
    ordered = slice(None, None, -1 if step.swapped else 1)
    scale, offset = (1 / step.scale)[ordered], (-step.offset / step.scale)[ordered]
    order = tuple(range(len(scale)))[::-1] if step.swapped else None
    return {name: InputCorrection(tuple(scale), tuple(offset), order, layout)}, step.name, step.fix


def _by_grid(
    name: str,
    x: np.ndarray,
    reference: Reference,
    layout: str,
    before: InputSummary,
    now: InputSummary,
    paired: bool,
) -> tuple[dict[str, InputCorrection], str, str]:
    """Returns the same three results as `_as_the_reference`, from the spacing of pixel values.

    Values of 8-bit images are `k * scale + offset` with an integer `k` (a grid, see `Grid`). Scale
    and offset can be compared even if the content of the images has changed.

    `before` is the profile of the input in the reference, `now` that of the samples `x`.
    """
    channels_first = layout == "channels_first"
    if reference.samples is None:
        return {}, "", ""
    other = next(iter(reference.samples.inputs.values()))
    here, there = (find_grid(v[:MAX_SAMPLES_TO_DIAGNOSE], channels_first) for v in (x, other))
    swapped = balance_swapped(before.features, now.features)
    if paired:
        which = spread(len(other), MAX_SAMPLES_TO_DIAGNOSE)
        swapped |= _same_images_swapped(x, other[which], channels_first)
    if here is None or there is None or (here.steps == there.steps and not swapped):
        return {}, "", ""
    fix = layer_between(here.convention, there.convention, layout)
    scale, offset = np.asarray(fix.scale), np.asarray(fix.offset)
    if swapped:
        fix = InputCorrection(fix.scale, fix.offset, tuple(range(len(scale)))[::-1], layout)
    pixels = ("x[:, ::-1]" if channels_first else "x[..., ::-1]") if swapped else "x"
    words = f"fed {here.words}, the reference is {there.words}"
    return {name: fix}, words, f"x = {affine(pixels, scale, offset, channels_first)}"


def _same_images_swapped(x: np.ndarray, other: np.ndarray, channels_first: bool) -> bool:
    """Whether the images that are redder in one version are bluer in the other."""
    if x.ndim != 4 or x.shape[1 if channels_first else -1] != 3 or len(x) != len(other):
        return False
    axes = (2, 3) if channels_first else (1, 2)
    means = [v.mean(axis=axes, dtype="float64") for v in (x, other)]
    return _correlation(*(m[:, 0] - m[:, 2] for m in means)) < -MIN_ORDER_CORRELATION


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Returns Pearson's correlation; 0 for constant values."""
    varied = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / varied if varied > 0 else 0.0


def _with_size(
    views: Views, facts: ModelFacts, reference: Reference, diagnosis: Diagnosis
) -> Views:
    """Returns the views with resolution and crop as a further cause, if they differ.

    Resolution and crop are a cause if the samples do not have the native size, or if the samples
    differ from their files read at the native size.
    """
    samples = views.samples
    size = facts.native_size or reference.size(facts.channels_first)
    if size is None:
        return _with_note(views, "Resolution and crop: the native size of the model is not known.")
    feed = _find_feed(samples, size, facts, diagnosis)
    if isinstance(feed, str):
        return _with_note(views, feed)
    fed = next(iter(samples.inputs.values()))
    fed_size = fed.shape[-2:] if facts.channels_first else fed.shape[1:3]
    # Published accuracies were measured on the central part. For other networks, the whole image
    # may be right as well.
    crops = (CROP,) if facts.is_published else (1.0, CROP)
    distances = {crop: _distance(samples, feed, fed_size, crop) for crop in crops}
    crop = min(distances, key=lambda c: distances[c])
    if fed_size == size and distances[crop] < MAX_SAME_DISTANCE:
        return views
    detail = f"fed {fed_size[0]} x {fed_size[1]}"
    detail += f", native {size[0]} x {size[1]}" if fed_size != size else ""
    detail += "; files read again: aspect ratio kept, antialiased bicubic"
    detail += f", middle {100 * crop:.3g} %" if crop < 1 else ""
    cause = Removable(SIZE, detail, native_line(size, crop))
    return replace(views, raw=replace(feed, crop=crop), causes=(*views.causes, cause))


def _distance(samples: Samples, feed: RawFeed, size: tuple[int, int], crop: float) -> float:
    """Returns the root mean square distance, in gray levels, of the samples from their files.

    `size` and `crop` say how the files are read, see `native_image`.
    """
    which = spread(len(samples), MAX_FILES_TO_READ)
    native = _files(samples, which, size, len(feed.scale), crop)
    fed = next(iter(samples.inputs.values()))[which].astype("float64")
    shape = (-1, 1, 1) if feed.channels_first else (-1,)
    levels = (fed - feed.fed(native)) / feed.scale.reshape(shape)
    return float(np.sqrt((levels**2).mean()))


def _find_feed(
    samples: Samples, size: tuple[int, int], facts: ModelFacts, diagnosis: Diagnosis
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
        correlation = _correlation(raw_balance, fed_balance)
        # If all files have nearly the same color, the correlation is mostly noise. So a weak
        # correlation then does not show that the files and the samples are other images.
        if abs(correlation) < MIN_ORDER_CORRELATION and float(np.std(raw_balance)) > 1:
            return "Resolution and crop: the files and the samples do not show the same images."
        flipped = correlation < 0
    observed = diagnosis.observed
    if observed.is_known:
        numbers = (observed.scale, observed.offset)
        scale, offset = (np.broadcast_to(np.asarray(v), channels) for v in numbers)
        return RawFeed(size, scale, offset, flipped, channels_first)
    x, y = (raw[:, ::-1] if flipped else raw), fed
    lines = [np.polyfit(x[:, c], y[:, c], 1) for c in range(channels)]
    scale, offset = np.asarray(lines).T
    residuals = y - (x * scale + offset)
    if (residuals.std(axis=0) > 0.1 * y.std(axis=0)).any():
        return "Resolution and crop: it is not clear how the samples were made from the files."
    return RawFeed(size, scale, offset, flipped, channels_first)


def _files(
    samples: Samples, which: np.ndarray, size: tuple[int, int], channels: int, crop: float = CROP
) -> np.ndarray:
    """Returns the raw images at the positions `which`, read in a given size."""
    assert samples.folder is not None
    return read_natively((samples.folder.files[i] for i in which), size, channels, crop)


def _with_note(views: Views, note: str) -> Views:
    return replace(views, notes=(*views.notes, note))

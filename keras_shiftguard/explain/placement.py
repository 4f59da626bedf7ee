"""Placement of images: whether they are mirrored, turned, moved or zoomed, by what undoing gains.

Such a change hardly shows in the image attributes, and augmentation of training hides the rest. But
validation images are labelled, and the model has not memorized them. If more of its predictions are
right after the images were moved, they were in the wrong place. Augmentation that moves images to
both sides alike changes nothing about this.
"""

from collections.abc import Callable, Iterator

import numpy as np
from keras import ops

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.explain.labelled import Labelled, Predict
from keras_shiftguard.operations.geometry import sample
from keras_shiftguard.statistics.spread import spread

# The first amounts to try: a move as a share of the side, a turn in degrees, a zoom as a factor.
MOVE, TURN, ZOOM = 0.04, 7.5, 1.12
LARGER = (2, 3)  # multiples of the best first amount, tried next
MAX_TO_CHOOSE = 128  # images that choose the undoing; of each half, if two halves choose
# An undoing after which fewer than so many more of these predictions are right is not measured on
# all images. Most right pipelines end here, so they cost few predictions.
MIN_MORE_RIGHT = 2
CLOSE = 2  # ways to mirror images that are no further behind the best are measured on all of them
MOST_PREDICTIONS = 12 * MAX_TO_CHOOSE  # of `mirrored` and `misplaced` together, in a right pipeline
# Smallest cost in standard errors. Many ways are tried, in many epochs, and a model that has
# learned little yet does better on changed images for a while.
MIN_SIGMAS = 4.0
CHUNK = 256

# Where images are read: how many pixels further down and right, the angle in degrees, the zoom.
Undoing = tuple[int, int, float, float]


def mirrored(
    predict: Predict, current: Labelled, reference: Labelled | None, channels_first: bool
) -> tuple[str, Cost] | None:
    """Returns how images seem to be mirrored or turned, and the cost; None if no cost is sure.

    The images of the reference must surely lose accuracy when they are mirrored in the same way.
    After training with random flips they lose none, so the other images are not called mirrored.

    Args:
        predict: Runs the model in inference mode.
        current: Labelled images, 4D.
        reference: Labelled images that are known to be as in training; None if there are none.
        channels_first: Whether the channels are the second axis.
    """
    if len(current.labels) < MIN_SAMPLES:
        return None
    first = 2 if channels_first else 1  # the axis of the rows
    right = predict([current.images]) == current.labels
    few = spread(len(right), MAX_TO_CHOOSE)
    more_right = {
        name: (predict([flip(current.images[few])]) == current.labels[few]).sum() - right[few].sum()
        for name, flip in _flips(current.images, first).items()
    }
    least = max(max(more_right.values()) - CLOSE, MIN_MORE_RIGHT)
    found = {
        name: cost_of(predict([flip(current.images)]) == current.labels, right)
        for name, flip in _flips(current.images, first).items()
        if more_right[name] >= least
    }
    name = max(found, key=lambda way: found[way].value, default="")
    if not name or not found[name].is_sure:
        return None
    if reference is not None and len(reference.labels) >= MIN_SAMPLES:
        flipped = _flips(reference.images, first)[name](reference.images)
        right = predict([reference.images]) == reference.labels
        lost = cost_of(right, predict([flipped]) == reference.labels)
        if not lost.is_sure:
            return None
    return name, found[name]


def misplaced(
    predict: Predict,
    current: Labelled,
    reference: Labelled | None,
    channels_first: bool,
    may_be_zoomed: bool,
) -> tuple[str, Cost] | None:
    """Returns how images seem to be moved, turned or zoomed, and the cost; None if none is sure.

    Each half of the images chooses what to undo, and the other half measures what it gains. If the
    same change makes predictions for the reference right, it is the model that does better on
    changed images, as models do that have learned little yet. This gain is subtracted.

    Args:
        predict: Runs the model in inference mode.
        current: Labelled images, 4D.
        reference: Labelled images of training; None if there are none.
        channels_first: Whether the channels are the second axis.
        may_be_zoomed: Whether augmentation may zoom the images of training. A model trained on
            random crops may be right more often on enlarged images (Touvron et al., "Fixing the
            train-test resolution discrepancy", 2019), so zooms are not tried.
    """
    images, labels = current.images, current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    right = predict([images]) == labels
    undone, found = right.copy(), []
    for measuring in (np.arange(len(labels)) % 2 == half for half in (0, 1)):
        choosing = np.flatnonzero(~measuring)
        choosing = choosing[spread(len(choosing), MAX_TO_CHOOSE)]
        few = Labelled(images[choosing], labels[choosing])
        undoing = _best(predict, few, int(right[choosing].sum()), channels_first, may_be_zoomed)
        if undoing is None:
            return None
        chunks = list(_read(images[measuring], undoing, channels_first))
        undone[measuring] = predict(chunks) == labels[measuring]
        found.append((float(undone[measuring].mean() - right[measuring].mean()), undoing))
    cost = cost_of(undone, right)
    if cost.sigmas < MIN_SIGMAS:
        return None
    undoing = max(found)[1]
    if any(np.any(np.sign(_change(undoing)) != np.sign(_change(other))) for _, other in found):
        return None  # the halves do not agree on the kind or the direction
    if reference is not None and len(reference.labels) >= MIN_SAMPLES:
        chunks = list(_read(reference.images, undoing, channels_first))
        right = predict([reference.images]) == reference.labels
        cost = cost.beyond(cost_of(predict(chunks) == reference.labels, right))
    return (_in_words(undoing), cost) if cost.sigmas >= MIN_SIGMAS else None


def _best(
    predict: Predict, few: Labelled, before: int, channels_first: bool, may_be_zoomed: bool
) -> Undoing | None:
    """Returns the undoing after which most predictions are right; None if hardly more are right.

    `before` is the number of right predictions for the images as they are. For the other arguments
    see `misplaced`.
    """
    height, width = few.images.shape[2:4] if channels_first else few.images.shape[1:3]

    def after(undoing: Undoing) -> int:
        chunks = list(_read(few.images, undoing, channels_first))
        return int((predict(chunks) == few.labels).sum())

    ways = _ways(height, width)[: -2 if may_be_zoomed else None]
    first = [after(way(1)) for way in ways]
    if max(first) < before + MIN_MORE_RIGHT:
        return None
    way = ways[int(np.argmax(first))]
    counts = [max(first), *(after(way(times)) for times in LARGER)]
    return way((1, *LARGER)[int(np.argmax(counts))])


def _change(undoing: Undoing) -> np.ndarray:
    """Returns the moves, the angle and the logarithm of the zoom: 0 where nothing changes."""
    return np.array([*undoing[:3], np.log(undoing[3])])


def _ways(height: int, width: int) -> list[Callable[[float], Undoing]]:
    """Returns functions from a multiple of the first amount to an undoing."""
    down, right = (max(round(MOVE * side), 1) for side in (height, width))
    return [
        lambda times: (round(down * times), 0, 0.0, 1.0),
        lambda times: (-round(down * times), 0, 0.0, 1.0),
        lambda times: (0, round(right * times), 0.0, 1.0),
        lambda times: (0, -round(right * times), 0.0, 1.0),
        lambda times: (0, 0, TURN * times, 1.0),
        lambda times: (0, 0, -TURN * times, 1.0),
        lambda times: (0, 0, 0.0, ZOOM**times),
        lambda times: (0, 0, 0.0, ZOOM**-times),
    ]


def _read(images: np.ndarray, undoing: Undoing, channels_first: bool) -> Iterator[np.ndarray]:
    """Yields images that are read at other positions, in chunks."""
    down, right, degrees, zoom = undoing
    height, width = images.shape[2:4] if channels_first else images.shape[1:3]
    if not degrees and zoom == 1:  # whole pixels need no interpolation
        rows = np.clip(np.arange(height) + down, 0, height - 1)
        columns = np.clip(np.arange(width) + right, 0, width - 1)
        first = 2 if channels_first else 1  # the axis of the rows
        for start in range(0, len(images), CHUNK):
            x = images[start : start + CHUNK].take(rows, axis=first)
            yield x.take(columns, axis=first + 1)
        return
    dy = np.arange(height, dtype="float32")[:, None] - (height - 1) / 2
    dx = np.arange(width, dtype="float32")[None] - (width - 1) / 2
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    at_x = (cos * dx - sin * dy) * zoom + (width - 1) / 2
    at_y = (sin * dx + cos * dy) * zoom + (height - 1) / 2
    at_y, at_x = (ops.convert_to_tensor(at[None].astype("float32")) for at in (at_y, at_x))
    for start in range(0, len(images), CHUNK):
        x = images[start : start + CHUNK].astype("float32")
        x = np.moveaxis(x, 1, 3) if channels_first else x
        y = ops.convert_to_numpy(sample(ops.convert_to_tensor(x), at_y, at_x, "nearest", 0.0))
        yield np.ascontiguousarray(np.moveaxis(y, 3, 1)) if channels_first else np.asarray(y)


def _in_words(undoing: Undoing) -> str:
    """Describes how images are placed that need an undoing."""
    down, right, degrees, zoom = undoing
    pixels = "about 1 pixel" if abs(down + right) == 1 else f"about {abs(down + right)} pixels"
    if down:
        return f"moved by {pixels} {'down' if down > 0 else 'up'}"
    if right:
        return f"moved by {pixels} to the {'right' if right > 0 else 'left'}"
    if degrees:
        return f"turned by about {abs(degrees):.0f} degrees"
    size = f"{100 * abs(zoom - 1):.0f} %"
    return f"about {size} {'larger' if zoom > 1 else 'smaller'}"


def _flips(images: np.ndarray, first: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Returns functions that mirror or turn images like `images`, by the name of the way."""
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mirrored left to right": lambda x: np.flip(x, first + 1),
        "upside down": lambda x: np.flip(x, first),
        "turned by half": lambda x: np.flip(x, (first, first + 1)),
    }
    if images.shape[first] == images.shape[first + 1]:
        way = "transposed (rows and columns exchanged)"
        ways[way] = lambda x: np.swapaxes(x, first, first + 1)
    return {
        name: lambda x, way=way: np.ascontiguousarray(way(x))  # type: ignore[misc]
        for name, way in ways.items()
    }

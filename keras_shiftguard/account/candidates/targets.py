"""Labels that move with their samples: masks, and targets that are the inputs.

If validation is mirrored as a whole, image and mask must be mirrored back together. If only its
images were mirrored, they do not fit their masks, and the images alone are mirrored back.

Where a pipeline divides the samples of validation by 255 twice, the targets of an autoencoder are
divided with them. So what is undone in the samples is undone in their targets as well. Such a model
is no judge of what is right: whatever makes samples more like those of training has a smaller
error. So a repair explains only what it wins back nearly as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.account.candidates.candidates import (
    Candidate,
    Choice,
    image_candidates,
    on_images,
)
from keras_shiftguard.operations.geometry import MOVED, MOVES
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.rows import Rows

# Operations that move whole pixels, so that a mask keeps its class ids.
WHOLE = (*MOVED, "flip_horizontal", "flip_vertical", "transpose")
ALIGNMENT = "alignment"  # family of the operations on images that leave their masks
# Moves of images against their masks, beside those of the table. A convention.
PIXELS = (1, 2, 3, 4, 6, 8)
# Families of operations that move values to other places, and the operations of these families
# that change values instead. Given by the table of operations.
PLACES = ("order", "columns", "series", "tokens")
VALUES = ("blank", "units")
OF_TARGETS = "; y = x"  # what follows a line that repairs samples. Given by Python.


def are_masks(images: np.ndarray, labels: Any, channels_first: bool) -> bool:
    """Whether labels have a value for each pixel of their images."""
    masks = labels.tree if isinstance(labels, Rows) else None
    if not isinstance(masks, np.ndarray) or masks.ndim not in (3, 4) or images.ndim != 4:
        return False
    sides = _sides(images, channels_first)
    return masks.shape[1:3] == sides or (masks.ndim == 4 and masks.shape[2:4] == sides)


def with_masks(
    found: Sequence[Candidate], images: np.ndarray, labels: Any, channels_first: bool
) -> list[Candidate]:
    """Returns the candidates, of which those that move whole pixels are doubled for masks.

    Images alone are also moved by single pixels, because masks fit to the pixel. If the labels of
    the images, 4D, are no masks, the candidates stay as they are.
    """
    if not are_masks(images, labels, channels_first):
        return list(found)
    # A mask is moved by the same function, as a float image whose values it keeps.
    are_last = labels.tree.shape[1:3] == _sides(images, channels_first)
    unit = Scale(np.zeros(1, "float32"), np.ones(1, "float32"), not are_last)
    moves = {
        (each.choice.name, each.choice.strength): _on_masks(each.apply)
        for each in image_candidates(unit, WHOLE)
    }
    doubled = []
    for each in found:
        move = moves.get((each.choice.name, each.choice.strength))
        if move is not None:
            doubled.append(replace(each, moves=move))
            alone = Choice(each.choice.name, ALIGNMENT, each.choice.strength)
            each = replace(each, choice=alone)
        doubled.append(each)
    return [*doubled, *_by_pixels(_sides(images, channels_first), channels_first)]


def _by_pixels(sides: tuple[int, int], channels_first: bool) -> list[Candidate]:
    """Returns moves of the images alone by single pixels, without those of the table."""
    same = Scale(np.zeros(1, "float32"), np.ones(1, "float32"), channels_first)
    return [
        Candidate(
            Choice(name, ALIGNMENT, pixels / side), on_images(MOVED[name], pixels / side, same)
        )
        for name in MOVED
        for side in (sides[name in ("shift_left", "shift_right")],)
        for pixels in PIXELS
        if pixels < side / 3 and pixels not in {max(round(share * side), 1) for share in MOVES}
    ]


def _sides(images: np.ndarray, channels_first: bool) -> tuple[int, int]:
    """Returns height and width."""
    height, width = images.shape[2:4] if channels_first else images.shape[1:3]
    return height, width


def _on_masks(apply: Callable[[np.ndarray], np.ndarray]) -> Callable[[Rows], Rows]:
    def run(labels: Rows) -> Rows:
        masks = labels.tree
        x = masks[..., None] if masks.ndim == 3 else masks
        moved = apply(x.astype("float32"))
        moved = np.rint(moved) if masks.dtype.kind in "biu" else moved
        return Rows(moved.astype(masks.dtype).reshape(masks.shape))

    return run


def are_inputs(images: Any, labels: Any) -> bool:
    """Whether the targets of samples are the samples themselves."""
    if not isinstance(labels, Rows):
        return False
    x, y = images.tree if isinstance(images, Rows) else images, labels.tree
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        return x.keys() == y.keys() and all(_are_equal(x[name], y[name]) for name in x)
    return _are_equal(x, y)


def with_targets(found: Sequence[Candidate], x: np.ndarray, name: str) -> list[Candidate]:
    """Returns the candidates for an input `x`, each of which changes its targets as well.

    Those that change or smooth values are left out: darker or blurred targets have smaller errors.
    """

    def moves(apply: Callable[[Any], Any]) -> Callable[[Rows], Rows]:
        return lambda labels: changed_targets(labels, name, lambda y: apply(y.astype(x.dtype)))

    return [
        replace(each, moves=moves(each.apply))
        for each in found
        if each.choice.name in WHOLE
        or (each.choice.family in PLACES and each.choice.name not in VALUES)
    ]


def with_own_targets(fix: str) -> str:
    """Returns a line that repairs samples `x`, with their targets `y`, which are the samples."""
    is_whole = " = " not in fix or fix.endswith(OF_TARGETS)
    return fix if is_whole else f"{fix}{OF_TARGETS}"


def changed_targets(labels: Rows, name: str, apply: Callable[[Any], Any]) -> Rows:
    """Returns targets that are the inputs, of which those of one input are changed."""
    if not isinstance(labels.tree, Mapping):
        return Rows(np.asarray(apply(labels.tree)))
    return Rows({**labels.tree, name: np.asarray(apply(labels.tree[name]))})


def _are_equal(x: Any, y: Any) -> bool:
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray) or x.shape != y.shape:
        return False
    is_number = x.dtype.kind in "biuf" and y.dtype.kind in "biuf"
    return is_number and np.allclose(x, y, equal_nan=True)

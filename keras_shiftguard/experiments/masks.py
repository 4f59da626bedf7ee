"""Candidates for masks: the image moves and its mask with it, or the image alone.

If validation is mirrored as a whole, image and mask must be mirrored back together. If only its
images were mirrored, they do not fit their masks, and the images alone are mirrored back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate, image_candidates, on_images
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.geometry import MOVED, MOVES
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.rows import Rows

# Operations that move whole pixels, so that a mask keeps its class ids.
WHOLE = (*MOVED, "flip_horizontal", "flip_vertical", "transpose")
ALIGNMENT = "alignment"  # family of the operations on images that leave their masks
# Moves of images against their masks, beside those of the table. A convention.
PIXELS = (1, 2, 3, 4, 6, 8)


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

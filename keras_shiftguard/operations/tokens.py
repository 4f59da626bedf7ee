"""Operations on texts as rows of token ids: other numbers, padding on the other side, other order.

Token ids are whole numbers from 0, `(samples, length)`, and 0 is padding. The ids keep their dtype.
They are NumPy arrays, as a text reaches the experiments.
"""

import numpy as np

from keras_shiftguard.operations.operation import Operation


def _renumbered(x: np.ndarray, step: int) -> np.ndarray:
    """Adds a step to all ids but padding; ids that would be padding or below become 1."""
    return np.where(x == 0, x, np.maximum(x + int(step), 1)).astype(x.dtype)


def _all_renumbered(x: np.ndarray, step: int) -> np.ndarray:
    """Adds a step to all ids, also to 0; ids below 0 become 0."""
    return np.maximum(x + int(step), 0).astype(x.dtype)


def _padded_before(x: np.ndarray, strength: float) -> np.ndarray:
    """Moves the padding that follows a text to before it."""
    return _rolled(x, _zeros_at_start(x[:, ::-1]))


def _padded_after(x: np.ndarray, strength: float) -> np.ndarray:
    """Moves the padding before a text to after it."""
    return _rolled(x, -_zeros_at_start(x))


def _reversed(x: np.ndarray, strength: float) -> np.ndarray:
    return np.ascontiguousarray(x[:, ::-1])


def _zeros_at_start(x: np.ndarray) -> np.ndarray:
    """Returns the number of zeros before the first other id, `(samples,)`; 0 for empty rows."""
    return np.asarray((x != 0).argmax(axis=1))


def _rolled(x: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Moves each row to the right by its number of steps, around the end."""
    at = (np.arange(x.shape[1])[None] - steps[:, None]) % x.shape[1]
    return np.take_along_axis(x, at, axis=1)


def has_padding(x: np.ndarray) -> bool:
    """Whether 0 is padding in rows of ids: it stands only before or after the other ids."""
    if x.ndim < 2 or x.shape[1] < 2:
        return False
    is_id = x != 0
    has_begun = np.logical_or.accumulate(is_id, axis=1)
    has_more = np.logical_or.accumulate(is_id[:, ::-1], axis=1)[:, ::-1]
    return not (~is_id & has_begun & has_more).any()


# Keras's texts keep 3 ids for padding, the start and unknown words; other tools keep 1 or 2. Given
# by `keras.datasets.imdb`.
STEPS = (-3, -2, -1, 1, 2, 3)

# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation("renumber", "tokens", "renumbers", _renumbered, STEPS, "by {:.0f}"),
    Operation("renumber_all", "tokens", "renumbers", _all_renumbered, STEPS, "by {:.0f}"),
    Operation("pad_before", "tokens", "pads before the text", _padded_before, (1.0,)),
    Operation("pad_after", "tokens", "pads after the text", _padded_after, (1.0,)),
    Operation("reverse_text", "tokens", "reverses the text", _reversed, (1.0,)),
)

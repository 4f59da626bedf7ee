"""`StyleSearch`: search for the operation that makes images look like another set of images.

The search tries operations of the augmentation bank (`adaptation/augmentation/bank.py`) on images.
After each operation, it compares the mean image attributes with the wanted mean attributes. No
labels are used.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws
from keras_shiftguard.adaptation.augmentation.rehearsal import Rehearsal
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.operations.random_numbers import fixed_seed
from keras_shiftguard.statistics.batch import InputSpec, spec_for
from keras_shiftguard.statistics.spread import spread

LIGHT = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "haze"),
)
DETAIL = (
    *("blur", "motion_blur", "sharpen", "noise", "speckle", "impulse", "resolution", "blocking"),
)
GEOMETRY = (
    *("shift_left", "shift_right", "shift_up", "shift_down"),
    *("zoom_in", "zoom_out", "rotation", "erasing"),
)
# Strengths to try. Small strengths are denser, because small changes are more common.
LEVELS = np.linspace(0, 1, 8)[1:] ** 1.5
FINER = np.linspace(-1, 1, 9) / 7  # offsets from the best strength, before the power of 1.5
MAX_SHIFT = 6  # pixels; images are shifted by whole pixels, because other shifts blur them
MAX_SAMPLES_TO_FIT = 48  # images on which operations are compared
CHUNK = 256
SEED = 22


@dataclass(frozen=True)
class Style:
    """One operation that changes images, with its strength.

    Args:
        operation: Name of the operation in the bank.
        strength: Strength of the operation, in (0, 1].
        explained: Share of the wanted change of the attributes that the operation makes; 1 is
            the whole change.
        bank: The bank that has the operation.
        low: Value of black in each channel, `(channels,)`.
        high: Value of white in each channel, `(channels,)`.
    """

    operation: str
    strength: float
    explained: float
    bank: Bank
    low: np.ndarray
    high: np.ndarray

    @property
    def words(self) -> str:
        """Description of the operation and its amount: "blurs (sigma 0.02 of the side)"."""
        operation = OPERATIONS[self.operation]
        return f"{operation.words} ({operation.unit.format(operation.limit * self.strength)})"

    def apply(self, images: np.ndarray) -> list[np.ndarray]:
        """Returns the changed images, float32, in chunks."""
        strengths = np.zeros(len(self.bank.names), "float32")
        strengths[self.bank.names.index(self.operation)] = self.strength
        parts = []
        for start in range(0, len(images), CHUNK):
            x = ops.convert_to_tensor(images[start : start + CHUNK].astype("float32"))
            seed = fixed_seed(SEED + start)
            draws = Draws(len(x), self.bank.names, seed)
            levels = draws.levels(ops.convert_to_tensor(strengths), whole=True)
            y = self.bank.apply_levels(x, levels, draws, self.low, self.high, seed)
            parts.append(np.asarray(ops.convert_to_numpy(y)))
        return parts


class StyleSearch:
    """Searches for the operation that changes the image attributes as wanted.

    Args:
        images: Some images, 4D, in the layout of Keras.
        groups: The operations, in groups. The next group is tried only if no operation so far
            explains the share `enough`, because JAX compiles each group.
        enough: Share of the wanted change at which the search ends.
        others: More images. The values of black and white are taken from both sets.
    """

    def __init__(
        self,
        images: np.ndarray,
        groups: tuple[tuple[str, ...], ...] = (LIGHT, DETAIL),
        enough: float = 1.0,
        others: np.ndarray | None = None,
    ) -> None:
        self.data_format = keras.config.image_data_format()
        self.spec: InputSpec | None = spec_for(
            "input", images.shape, self.data_format, str(images.dtype)
        )
        self._groups = groups
        self._enough = enough
        axes = (0, 2, 3) if self.data_format == "channels_first" else (0, 1, 2)
        both = [images] if others is None else [images, others]
        low = np.min([x.min(axis=axes) for x in both], axis=0).astype("float32")
        high = np.max([x.max(axis=axes) for x in both], axis=0).astype("float32")
        # One range for all channels, so that gray images stay gray.
        self._range = np.full_like(low, low.min()), np.full_like(high, high.max())
        self._few = images[spread(len(images), MAX_SAMPLES_TO_FIT)]
        self._rehearsals: dict[tuple[str, ...], Rehearsal] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes, in the order of the arguments of `find`."""
        return self._rehearsal(self._groups[0]).names

    def find(self, moved: np.ndarray, unit: np.ndarray) -> Style | None:
        """Returns the operation whose effect is nearest to the wanted change of the attributes.

        Args:
            moved: The wanted change of the mean of each attribute, `(attributes,)`; NaN where the
                change is not known.
            unit: Standard deviation of each attribute between images, `(attributes,)`.

        Returns:
            The operation; None if no operation makes the difference smaller, or no attribute
            can be compared.
        """
        best: Style | None = None
        for names in self._groups:
            found = self._find_in(names, moved, unit)
            if found is not None and (best is None or found.explained > best.explained):
                best = found
            if best is not None and best.explained >= self._enough:
                break
        return best

    def _find_in(self, names: tuple[str, ...], moved: np.ndarray, unit: np.ndarray) -> Style | None:
        rehearsal = self._rehearsal(names)
        coarse = [self._of_one(names, i, self._levels(name)) for i, name in enumerate(names)]
        candidates = np.concatenate([np.zeros((1, len(names))), *coarse])
        base, distances = _distances(rehearsal, candidates, moved, unit)
        if distances is None or distances.argmin() == 0:
            return None
        unchanged, best = float(distances[0]), candidates[int(distances.argmin())]
        index = int(best.argmax())
        if not names[index].startswith("shift"):
            finer_levels = np.clip(best.max() ** (1 / 1.5) + FINER, 0.01, 1) ** 1.5
            finer = self._of_one(names, index, finer_levels)
            _, distances = _distances(rehearsal, finer, moved, unit, base)
            if distances is None:
                return None
            best = finer[int(distances.argmin())]
        explained = 1 - float(distances.min()) / max(unchanged, 1e-12)
        bank = rehearsal.bank
        return Style(names[index], float(best.max()), explained, bank, *self._range)

    def _levels(self, name: str) -> np.ndarray:
        if not name.startswith("shift"):
            return LEVELS
        assert self.spec is not None
        height, width = self.spec.size
        side = width if name in ("shift_left", "shift_right") else height
        assert side is not None
        levels = np.arange(1, MAX_SHIFT + 1) / side / OPERATIONS[name].limit
        return levels[levels <= 1]

    def _of_one(self, names: tuple[str, ...], index: int, levels: np.ndarray) -> np.ndarray:
        """Returns strengths `(levels, operations)` for one operation; 0 for all others."""
        candidates = np.zeros((len(levels), len(names)))
        candidates[:, index] = levels
        return candidates

    def _rehearsal(self, names: tuple[str, ...]) -> Rehearsal:
        if names not in self._rehearsals:
            assert self.spec is not None
            rehearsal = Rehearsal(Bank(names, self.data_format), self.spec, self._few)
            rehearsal.set_range(*self._range)
            self._rehearsals[names] = rehearsal
        return self._rehearsals[names]


def _distances(
    rehearsal: Rehearsal,
    candidates: np.ndarray,
    moved: np.ndarray,
    unit: np.ndarray,
    base: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns, for each candidate, the distance of the attributes from the wanted attributes.

    Args:
        rehearsal: Measures the mean attributes of images that a candidate has changed.
        candidates: Strengths of the operations, `(candidates, operations)`.
        moved: See `StyleSearch.find`.
        unit: See `StyleSearch.find`.
        base: The mean attributes without any operation; None to take the means of the
            first candidate.

    Returns:
        `base`; and for each candidate `(candidates,)` the mean square of
        arcsinh(difference / `unit`) over the attributes; arcsinh damps large differences. The
        distances are None if no attribute can be compared.
    """
    means, _ = rehearsal(candidates)
    base = means[0] if base is None else base
    usable = np.isfinite(moved) & (unit > 0) & np.isfinite(means).all(axis=0)
    if not usable.any():
        return base, None
    units = np.where(unit > 0, unit, 1)
    remaining = ((moved - (means - base)) / units)[:, usable]
    return base, (np.arcsinh(remaining) ** 2).mean(axis=1)

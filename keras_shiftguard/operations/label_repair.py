"""`LabelRepair`: what an experiment did to labels, to do it to others."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

# Maps of numbers, and their inverses. Given by mathematics.
MAPS = {"exp": np.exp, "log": np.log, "expm1": np.expm1, "log1p": np.log1p}


@keras.saving.register_keras_serializable("keras_shiftguard")
class LabelRepair:
    """Labels as training has them: class ids renamed, or numbers in another unit.

    Args:
        ids: Class ids as they are, and as they should be, `(changed, 2)`.
        factor: Numbers are multiplied by this ...
        offset: ... and this is added,
        name: after the map with this name (`"log"`, `"exp"`, `"log1p"`, `"expm1"`); "" for none.
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]] = (),
        factor: float = 1.0,
        offset: float = 0.0,
        name: str = "",
    ) -> None:
        self.ids = [[int(one), int(other)] for one, other in ids]
        self.factor, self.offset, self.name = float(factor), float(offset), name

    def __call__(self, y: Any) -> np.ndarray:
        """Returns a batch of labels repaired: ids, one-hot rows or numbers, as they were."""
        labels = np.asarray(y)
        if self.ids:
            table = {one: other for one, other in self.ids}
            if labels.ndim > 1 and labels.shape[-1] > 1:
                number = labels.shape[-1]
                order = np.arange(number)
                for one, other in table.items():
                    order[other] = one
                return labels[..., order]
            return np.vectorize(lambda v: table.get(int(v), v), otypes=[labels.dtype])(labels)
        mapped = MAPS[self.name](labels) if self.name else labels
        return np.asarray(mapped * self.factor + self.offset)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {
            "ids": self.ids,
            "factor": self.factor,
            "offset": self.offset,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "LabelRepair":
        """Returns the repair with these arguments."""
        return cls(**config)

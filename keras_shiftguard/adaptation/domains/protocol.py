"""`AdaptationModel`: the type of a `DomainAdaptationModel` in the files that `model.py` imports.

These files cannot import the class itself, since `model.py` imports them.
"""

from typing import Any, Protocol

import keras

from keras_shiftguard.adaptation.domains.alignment import Alignment
from keras_shiftguard.adaptation.domains.evidence import Evidence
from keras_shiftguard.adaptation.domains.feature_split import Split
from keras_shiftguard.adaptation.domains.mixing import DomainMixing
from keras_shiftguard.adaptation.domains.report import Action, AlignmentReport


class AdaptationModel(Protocol):
    """The attributes and methods of `DomainAdaptationModel` that those files use.

    `DomainAdaptationModel` documents them.
    """

    base: keras.Model
    split: Split
    alignment_layer: Alignment
    mixing_layer: DomainMixing
    num_classes: int
    method: str
    initial_strength: float
    source_first: float  # share of the epochs on the source alone
    warmup: float  # share of the other epochs over which the strength rises
    label_shift: bool
    protect: bool  # whether to act on the measurements
    mixing: float  # largest share of a target image in a source image
    verbose: int
    is_off: bool
    looks: list[Evidence]
    actions: list[Action]

    @property
    def alignment(self) -> AlignmentReport: ...

    @property  # whether target images are blended into source images
    def blends(self) -> bool: ...

    @property
    def source_suffers(self) -> bool: ...

    @property
    def current_strength(self) -> float: ...

    def set_strength(self, strength: float) -> None: ...

    def switch_off(self, reason: str, epoch: int = 0) -> None: ...

    def say(self, message: str) -> None: ...

    def get_compile_config(self) -> dict[str, Any]: ...

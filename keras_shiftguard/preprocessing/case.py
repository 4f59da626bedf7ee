"""`Case`, the facts on one input from which `decision.py` decides, and `Verdict`, its result."""

from dataclasses import dataclass

from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.preprocessing.witnesses.levels import Levels
from keras_shiftguard.preprocessing.witnesses.preference import Preference
from keras_shiftguard.preprocessing.witnesses.trial import Trial
from keras_shiftguard.profiles import InputSummary


@dataclass(frozen=True)
class Case:
    """The facts on one input.

    Args:
        observation: The convention that the images were fed in.
        summary: The profile of the input.
        structure: What the model expects, according to its structure.
        trusted: Whether the convention of `structure` is known and applies to these weights.
            The convention does not apply to a network that is trained from scratch, unless the
            convention is stated.
        scratch: Whether the network was trained from scratch, in this fit or an earlier one.
        reading: What the model expects, according to its batch norm; or a sentence that
            says why this is not known.
        stated: Whether the user, a profile or a preprocessor states what the model expects.
            The convention of `structure` is then the stated one.
        begins: Whether this fit starts to train the network from its initial weights.
        learnt: The convention that the network was fed when its training from scratch began, in
            this program; None if not known.
        trial: The trial of fixes (`witnesses/trial.py`); None if the network cannot be run.
        cleaned: Whether the images hold NaN or infinite values, and the features of the network are
            finite nevertheless.
        levels: What gives the images the levels of ordinary photos, see `level_correction`; None
            if they have them.
    """

    observation: Observation
    summary: InputSummary
    structure: StructuralExpectation
    trusted: bool
    scratch: bool
    reading: Reading | str
    stated: bool = False
    begins: bool = False
    learnt: InputConvention | None = None
    trial: Trial | None = None
    cleaned: bool = False
    levels: Levels | None = None

    @property
    def name(self) -> str:
        """The name of the recognized network, as the beginning of a sentence."""
        return self.structure.architecture or "The network"

    def made_for(self, convention: InputConvention) -> str:
        """Returns a clause that says that the network, or its layers, are made for a convention."""
        if self.structure.architecture is None and self.structure.speaks:
            return f"the model's own layers are made for {convention}"
        return f"{self.name} is published for {convention}"

    def compare(self, fix: Transform, than: Transform = AS_FED) -> Preference | None:
        """Returns the trial of one map against another, see `Trial.of`; None if it cannot run.

        Odd images are tried with the levels of ordinary photos. Else what adds contrast, or tones a
        color cast down, would seem to help, whatever the network expects.
        """
        if self.trial is None:
            return None
        if self.levels is not None:
            fix, than = fix.after(*self.levels), than.after(*self.levels)
        try:
            return self.trial.of(fix, than)
        except Exception:  # the user's own `call` may raise anything
            return None

    def map_between(self, observed: InputConvention, expected: InputConvention) -> Transform:
        """Returns the map of the images from one convention to another."""
        permutation, scale, offset = affine_between(observed, expected)
        if len(scale) == 1:
            channels = self.summary.num_channels
            scale, offset = scale * channels, offset * channels
        return Transform(permutation, scale, offset)


@dataclass(frozen=True)
class Verdict:
    """The result for one input: some fields of `Diagnosis`, and the fields below.

    Args:
        swap_is_possible: Whether a swap of red and blue is suspected but not proven.
        order_is_usual: Whether the fix swaps red and blue only because most networks expect that.
        is_proven: Whether the fix may be offered: the fix helped in the trial, batch norm fits far
            better with the fix, or a statement or the layers of the model determine the convention.
    """

    status: str
    expected: InputConvention
    observed: InputConvention
    evidence: tuple[str, ...]
    trained_here: bool = False
    swap_is_possible: bool = False
    order_is_usual: bool = False
    is_proven: bool = True

"""`Case`: all that is known about one input; and `Verdict`: what the rules make of it."""

from dataclasses import dataclass

from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observation import Observation
from keras_shiftguard.preprocessing.witnesses.trial import Preference, Trial
from keras_shiftguard.profiles import InputSummary

UNKNOWN = InputConvention("unknown", "unknown")


@dataclass(frozen=True)
class Case:
    """All that is known about one input.

    Args:
        observation: What the input was fed.
        summary: The profile of the input.
        structure: What the model expects, according to its structure.
        trusted: Whether the structure tells a convention, and it applies to the weights:
            the network is not trained from scratch.
        scratch: Whether the network is trained from scratch, now or in an earlier fit.
        reading: What the model expects, according to its batch norm, or a sentence why
            that is not known.
        stated: Whether somebody stated what the model expects. The convention of `structure`
            is then this statement, and nothing else is asked.
        begins: Whether this fit begins to train it, from its initial weights.
        trial: Tries a fix on the network; None if it cannot be run.
    """

    observation: Observation
    summary: InputSummary
    structure: StructuralExpectation
    trusted: bool
    scratch: bool
    reading: Reading | str
    stated: bool = False
    begins: bool = False
    trial: Trial | None = None

    @property
    def name(self) -> str:
        """The name of the recognised network, to begin a sentence with."""
        return self.structure.architecture or "The network"

    def try_fix(
        self,
        observed: InputConvention,
        expected: InputConvention,
        than: InputConvention | None = None,
    ) -> Preference | None:
        """Returns whether the network sees better with a fix; None if that cannot be tried.

        Args:
            observed: What the images are taken to be in.
            expected: What the network is taken to expect.
            than: What they are taken to be in otherwise; None: the images as fed are compared.
        """
        other = AS_FED if than is None else self._transform(than, expected)
        return self.try_transform(self._transform(observed, expected), other)

    def try_transform(self, fix: Transform, than: Transform = AS_FED) -> Preference | None:
        """Returns whether the network sees better with one map than with another."""
        if self.trial is None:
            return None
        try:
            return self.trial.of(fix, than)
        except Exception:  # the user's own `call` may raise anything
            return None

    def _transform(self, observed: InputConvention, expected: InputConvention) -> Transform:
        permutation, scale, offset = affine_between(observed, expected)
        if len(scale) == 1:
            channels = self.summary.num_channels
            scale, offset = scale * channels, offset * channels
        return Transform(permutation, scale, offset)


@dataclass(frozen=True)
class Verdict:
    """The result for one input; the fields are those of `Diagnosis`.

    Args:
        status: See `Diagnosis`.
        expected: See `Diagnosis`.
        observed: See `Diagnosis`.
        evidence: See `Diagnosis`.
        trained_here: See `Diagnosis`.
        swap_is_possible: Whether red and blue may be swapped, which is not proven.
        is_proven: Whether the fix is known to help: by the trial, or by somebody's word.
    """

    status: str
    expected: InputConvention
    observed: InputConvention
    evidence: tuple[str, ...]
    trained_here: bool = False
    swap_is_possible: bool = False
    is_proven: bool = True

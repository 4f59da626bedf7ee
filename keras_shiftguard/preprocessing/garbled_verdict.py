"""Garbled images: the verdict from the images themselves and the trial."""

from dataclasses import dataclass, replace

from keras_shiftguard.preprocessing.case import Verdict
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.garbled import Garbling
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import (
    MIN_IMAGES,
    MIN_MISMATCH,
    MIN_TRIAL_SIGMAS,
    MIN_TRIAL_SIGMAS_SUPPORTED,
)
from keras_shiftguard.preprocessing.posterior import REPAIRED, remembered
from keras_shiftguard.preprocessing.witnesses.trial import Preference


@dataclass(frozen=True)
class Garbled:
    """Result of the check for garbled images. Images raise a suspicion; the trial can prove it.

    Args:
        garbling: The suspected garbling; None if there is none.
        trial: The trial of the repaired images; None if it could not be run.
        probability: The probability of the repaired images according to batch norm.
    """

    garbling: Garbling | None = None
    trial: Preference | None = None
    probability: float = 0.0

    def remembered_by(self, reading: Reading | str) -> "Garbled":
        """Returns the same with what batch norm says of the repaired images."""
        if isinstance(reading, str) or reading.num_images < MIN_IMAGES:
            return self
        return replace(self, probability=remembered(reading).weighed().get(REPAIRED, 0.0))

    @property
    def is_proven(self) -> bool:
        """Whether batch norm or the trial shows that undoing the garbling helps."""
        if self.garbling is None:
            return False
        sigmas = self.trial.sigmas if self.trial is not None and self.trial.can_tell else 0.0
        if self.probability >= MIN_MISMATCH and sigmas >= 0:
            return True
        plain = self.garbling.is_plain
        return sigmas > (MIN_TRIAL_SIGMAS_SUPPORTED if plain else MIN_TRIAL_SIGMAS)

    @property
    def what(self) -> str:
        """`Garbling.what` if the garbling is proven, else an empty text."""
        return self.garbling.what if self.garbling is not None and self.is_proven else ""

    @property
    def advice(self) -> str:
        """`Garbling.advice` if the garbling is proven, else an empty text."""
        return self.garbling.advice if self.garbling is not None and self.is_proven else ""

    def hints(self, is_stated: bool) -> tuple[Hint, ...]:
        """Returns a hint if the images are clear evidence but the trial gives no proof.

        Args:
            is_stated: Whether the images are in a stated convention. Their color space is then
                probably intended, but a wrong memory layout never is.
        """
        if self.garbling is None or self.is_proven or not self.garbling.is_plain:
            return ()
        what, is_space = self.garbling.what, self.garbling.is_color_space
        # The pixels alone do not distinguish the two spaces.
        what = what.replace(" in place", " or Lab in place") if is_space else what
        text = f"The images may be {what}. {self.garbling.sentence}"
        if is_space and is_stated:
            text = f"{text} This is right if the model was trained on such images."
        return (Hint("garbled", text, 0.3 if is_space and is_stated else 0.6),)

    def verdict(self, verdict: Verdict, stated: bool) -> Verdict:
        """Returns the verdict on the convention, changed if the images are garbled.

        Args:
            verdict: The verdict on the convention.
            stated: Whether the convention that the model expects is stated.
        """
        if self.garbling is None:
            return verdict
        if self.is_proven:
            words = [] if self.trial is None else [self.trial.in_words()]
            if self.probability >= MIN_MISMATCH:
                text = "With this undone, the images fit batch norm better (probability "
                words.append(f"{text}{100 * self.probability:.0f} %).")
            evidence = (self.garbling.sentence, *words, *verdict.evidence)
            return replace(verdict, status="mismatch", evidence=evidence)
        is_acquitted = self.trial is not None and self.trial.can_tell and self.trial.sigmas <= 0
        if self.garbling.is_plain and not is_acquitted and verdict.status == "ok" and not stated:
            # The images look garbled, and the trial does not contradict this.
            return replace(
                verdict, status="unknown", evidence=(self.garbling.sentence, *verdict.evidence)
            )
        return verdict


NOT_GARBLED = Garbled()

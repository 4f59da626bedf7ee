"""`Garbled`: what the feed and the trial together say about images that look garbled."""

from dataclasses import dataclass, replace

from keras_shiftguard.preprocessing.case import Verdict
from keras_shiftguard.preprocessing.garbled import Garbling
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import MIN_TRIAL_SIGMAS, MIN_TRIAL_SIGMAS_SUPPORTED
from keras_shiftguard.preprocessing.witnesses.trial import Preference


@dataclass(frozen=True)
class Garbled:
    """Whether images are garbled: the feed suspects it, and the trial proves it.

    Args:
        garbling: What the feed suspects; None if nothing.
        trial: Whether the network sees better without it; None if that could not be tried.
    """

    garbling: Garbling | None = None
    trial: Preference | None = None

    @property
    def is_proven(self) -> bool:
        """Whether the trial says that undoing it helps."""
        if self.garbling is None or self.trial is None or not self.trial.can_tell:
            return False
        plain = self.garbling.is_plain
        return self.trial.sigmas > (MIN_TRIAL_SIGMAS_SUPPORTED if plain else MIN_TRIAL_SIGMAS)

    @property
    def what(self) -> str:
        """What the images are, if that is proven; else empty."""
        return self.garbling.what if self.garbling is not None and self.is_proven else ""

    @property
    def advice(self) -> str:
        """The line of Python that undoes it, if it is proven; else empty."""
        return self.garbling.advice if self.garbling is not None and self.is_proven else ""

    @property
    def hints(self) -> tuple[Hint, ...]:
        """A hint, if the feed shows it plainly and the trial does not prove it."""
        if self.garbling is None or self.is_proven or not self.garbling.is_plain:
            return ()
        text = f"The images may be {self.garbling.what}. {self.garbling.sentence}"
        return (Hint("garbled", text, 0.6),)

    def verdict(self, verdict: Verdict, stated: bool) -> Verdict:
        """Returns the verdict with what is known about garbling.

        Args:
            verdict: That on the convention.
            stated: Whether somebody stated what the model expects.
        """
        if self.garbling is None:
            return verdict
        if self.is_proven:
            assert self.trial is not None
            evidence = (self.garbling.sentence, self.trial.in_words(), *verdict.evidence)
            return replace(verdict, status="mismatch", evidence=evidence)
        is_acquitted = self.trial is not None and self.trial.can_tell and self.trial.sigmas <= 0
        if self.garbling.is_plain and not is_acquitted and verdict.status == "ok" and not stated:
            # The feed looks wrong, and nothing acquits it.
            return replace(
                verdict, status="unknown", evidence=(self.garbling.sentence, *verdict.evidence)
            )
        return verdict


NOT_GARBLED = Garbled()

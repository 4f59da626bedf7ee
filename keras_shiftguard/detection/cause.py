"""`Cause`: what an experiment found a difference to be; it is told in place of the test's words."""

from dataclasses import dataclass, replace

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.words.sentences import misplaced


@dataclass(frozen=True)
class Cause:
    """A cause of a difference.

    Args:
        how: What the samples look like, such as `"mirrored left to right"`.
        family: The family that the finding gets.
        noun: What the samples are called.
        fix: A line of Python that undoes it in a batch `x`; "" without one.
    """

    how: str
    family: str
    noun: str = "images"
    fix: str = ""

    def of(self, finding: Finding) -> Finding:
        """Returns a finding with this cause, in the words of the experiment."""
        said = misplaced(self.how, finding.stream, finding.against, self.noun)
        return replace(finding, family=self.family, fix=self.fix, said=said)

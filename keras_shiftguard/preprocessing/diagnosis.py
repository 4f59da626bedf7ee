"""`Diagnosis`: the verdict on one model and the images it is fed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.as_page import AsPage
from keras_shiftguard.preprocessing import diagnosis_words as words
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import in_words

if TYPE_CHECKING:
    import keras

    from keras_shiftguard.preprocessing.correction.layer import InputCorrection
    from keras_shiftguard.preprocessing.hints.hint import Hint

STATUSES = ("ok", "unknown", "mismatch")  # from good to bad
# Fields that are the same in a JSON file.
PLAIN_FIELDS = ("status", "advice", "architecture", "trained_here", "garbled", "standardised")
MAX_LINE_LENGTH = 240  # characters of one line of the printed verdict. A convention.


@dataclass(frozen=True)
class Candidate:
    """One convention that the model may expect, compared with the model's batch norm.

    Args:
        name: The convention in words, such as `"tf ([-1, 1]), red and blue swapped"`.
        misfit: Distance between the moving statistics of the first batch-norm layers and
            the statistics of the images in this convention: mean over channels of the
            square root of the Kullback-Leibler divergence. Lower is likelier.
        swap: Whether this convention has red and blue swapped, compared with the images as fed.
        fed: Whether the images are fed in this convention.
        best: Whether this convention was chosen. The same convention with red and blue
            swapped may have a lower misfit.
        rough: Whether the convention was ruled out early. Its misfit was then measured with only
            a part of the images and the first two layers.
    """

    name: str
    misfit: float
    swap: bool
    fed: bool
    best: bool
    rough: bool


@dataclass(frozen=True)
class Diagnosis(AsPage):
    """The verdict on whether a model is fed what it was trained on. `str()` is its text.

    Args:
        status: `"ok"`, `"mismatch"` or `"unknown"`.
        expected: What the model's input tensor must receive.
        observed: What the input tensor received. The channel order of `observed` is relative to
            that of `expected`: it shows whether the two orders differ, not the true order.
        fix: A layer that maps what was fed to what is expected. None unless the status is
            `"mismatch"`. Also None if no layer can correct the input, or if the fix is not known to
            help.
        advice: A line of Python that corrects the images `x`, as `fix` does. With several inputs, a
            comment says which input `x` is. If each image was standardized by itself, `x` is
            the raw pixels instead; the line is empty if the model expects just these. If no input
            takes images, `advice` is a sentence that says what is needed for a verdict.
        evidence: Plain sentences with numbers, the strongest first.
        architecture: The recognized `keras.applications` name, if any.
        hints: Other possible problems of the images or labels.
        by_input: The diagnosis of each image input by name, if there are several. The
            other fields are then those of the worst input.
        num_samples: Number of images that the verdict is based on.
        value_range: Smallest and largest finite value that was fed.
        candidates: How well each convention fits the batch norm, the likeliest
            first; empty if batch norm could not be compared.
        garbled: What is wrong with the memory layout or color space of the images, such as
            "channels-first memory that was read as channels-last". Empty if nothing is
            proven to be wrong.
        trained_here: Whether the fit trains a network from its initial weights. Such a network
            learns the convention that it is fed.
        standardised: Whether each image was standardized by itself. The mode of `observed` is then
            `"unknown"`, because such images are in no convention.
    """

    status: str
    expected: InputConvention
    observed: InputConvention
    # `==` ignores the fix: it follows from the conventions, and a layer equals only itself.
    fix: "InputCorrection | None" = field(default=None, compare=False)
    advice: str = ""
    evidence: tuple[str, ...] = ()
    architecture: str | None = None
    hints: "tuple[Hint, ...]" = ()
    by_input: "Mapping[str, Diagnosis]" = field(default_factory=dict, hash=False)
    num_samples: int = 0
    value_range: tuple[float, float] | None = None
    # `==` ignores the candidates: these numbers are for charts and not part of the verdict.
    candidates: tuple[Candidate, ...] = field(default=(), compare=False)
    trained_here: bool = False
    garbled: str = ""
    standardised: bool = False

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise BadInputError(
                f"`status` must be 'ok', 'mismatch' or 'unknown'. Received: status={self.status!r}"
            )
        for name in ("expected", "observed"):
            if not isinstance(getattr(self, name), InputConvention):
                raise BadInputError(
                    f"`{name}` must be an InputConvention; what is not known has mode 'unknown'. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if self.fix is not None and self.status != "mismatch":
            raise BadInputError(
                f"Only a mismatch has a fix. Received: status={self.status!r}, fix={self.fix!r}"
            )
        object.__setattr__(self, "evidence", tuple(self.evidence))
        object.__setattr__(self, "hints", tuple(self.hints))
        object.__setattr__(self, "by_input", dict(self.by_input))

    @classmethod
    def worst(cls, by_input: "Mapping[str, Diagnosis]") -> Self:
        """Returns the diagnosis of a model with several image inputs: that of the worst input."""
        if not by_input:
            raise BadInputError("`by_input` must hold the diagnosis of at least one input.")
        worst = replace(by_input[_worst_name(by_input)], by_input=by_input)
        return cls(**{name: getattr(worst, name) for name in cls.__dataclass_fields__})

    def apply(self, model: "keras.Model") -> "keras.Model":
        """Returns the model with the fix in front, built of stock Keras layers only.

        The returned model shares its weights with `model`, takes images in the convention that was
        diagnosed (`observed`), and can be loaded from a file without keras_shiftguard. A model that
        needs no fix is returned unchanged.

        Raises:
            BadInputError: If there is no fix and the status is not `"ok"`, or if the model
                preprocesses outside of its graph.
        """
        from keras_shiftguard.preprocessing.correction.built_in import apply_correction
        from keras_shiftguard.preprocessing.expected.own_preprocessor import converts_by_itself

        if self.status == "mismatch" and converts_by_itself(model):
            raise BadInputError(
                "The model preprocesses what `predict` is given outside of its graph, so nothing "
                f"can be put in front of it there. Change the data instead: {self.advice or 'x'}"
            )
        fixes = {name: d.fix for name, d in self.by_input.items() if d.fix is not None}
        if fixes:
            return apply_correction(model, fixes)
        if self.fix is not None:
            return apply_correction(model, self.fix)
        if self.status == "ok":
            return model
        raise BadInputError(
            f"There is no fix to apply: the status is {self.status!r} and `fix` is None.\n{self}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain values, for JSON."""
        fix = None
        if self.fix is not None:
            fix = {
                "scale": np.ravel(self.fix.scale).tolist(),
                "offset": np.ravel(self.fix.offset).tolist(),
                "permutation": self.fix.permutation and list(self.fix.permutation),
                "data_format": self.fix.data_format,
            }
        return {
            **{name: getattr(self, name) for name in PLAIN_FIELDS},
            "headline": ": ".join(words.found(self)),
            "expected": {**self.expected.to_dict(), "words": in_words(self.expected)},
            "observed": {**self.observed.to_dict(), "words": in_words(self.observed)},
            "fix": fix,
            "evidence": list(self.evidence),
            "hints": [asdict(hint) for hint in self.hints],
            "by_input": {name: d.to_dict() for name, d in self.by_input.items()},
            "num_samples": int(self.num_samples),
            # None if an end of the range is not finite, because JSON cannot represent such numbers.
            "value_range": self.finite_range(),
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Returns the diagnosis that `to_dict` was called on, with a new layer in `fix`."""
        from keras_shiftguard.preprocessing.correction.layer import InputCorrection
        from keras_shiftguard.preprocessing.hints.hint import Hint

        fix, value_range = values["fix"], values["value_range"]
        if fix is not None:
            scale, offset = tuple(fix["scale"]), tuple(fix["offset"])
            fix = InputCorrection(scale, offset, fix["permutation"], fix["data_format"])
        return cls(
            # Files of older versions lack the newer ones of these fields.
            **{name: values[name] for name in PLAIN_FIELDS if name in values},
            expected=InputConvention.from_dict(values["expected"]),
            observed=InputConvention.from_dict(values["observed"]),
            fix=fix,
            evidence=tuple(values["evidence"]),
            hints=tuple(Hint(**hint) for hint in values["hints"]),
            by_input={name: cls.from_dict(d) for name, d in values["by_input"].items()},
            num_samples=values["num_samples"],
            value_range=value_range and tuple(value_range),
            candidates=tuple(Candidate(**candidate) for candidate in values["candidates"]),
        )

    def finite_range(self) -> list[float] | None:
        """Returns the range of the values that were fed; None if an end is not finite."""
        if self.value_range is None or not np.isfinite(self.value_range).all():
            return None
        return [float(value) for value in self.value_range]

    def __str__(self) -> str:
        lines = [": ".join(words.found(self))]
        if not self.trained_here and (seen := words.seen(self)):
            lines.append(f"  Seen: {seen}")
        if self.status != "ok":
            if self.evidence:
                reason = "Sure because" if self.status == "mismatch" else "Known so far"
                lines.append(f"  {reason}: {self.evidence[0]}")
            lines.append(f"  {': '.join(words.way_out(self))}")
        if self.hints:
            surest = max(self.hints, key=lambda hint: hint.certainty)
            lines.append(f"  Also worth a look: {surest.sentence}")
        return "\n".join(_clip(line) for line in lines)

    def _page_parts(self) -> dict[str, Any]:
        told = verdict_of(diagnoses={"": self}).to_dict()
        return {"title": "Preprocessing", "diagnosis": {"": self.to_dict()}, "verdict": told}

    @property
    def problem(self) -> str:
        """What was found, as one sentence."""
        return words.found(self)[1]

    @property
    def needed(self) -> str:
        """The fix of a mismatch, or what is needed for a verdict, as one sentence."""
        return words.way_out(self)[1]

    @property
    def worst_name(self) -> str:
        """The name of the input that the verdict is about, of several inputs."""
        return _worst_name(self.by_input)


def _worst_name(by_input: "Mapping[str, Diagnosis]") -> str:
    return max(by_input, key=lambda name: STATUSES.index(by_input[name].status))


def _clip(line: str) -> str:
    """Returns the text as one line, cut at a clause. A fix to paste is never cut."""
    line = " ".join(line.split("\n"))
    if len(line) <= MAX_LINE_LENGTH or line.startswith("  Fix:"):
        return line
    start = line[: MAX_LINE_LENGTH - len(" ...)")]
    end = max(start.rfind(mark) for mark in ("; ", ". "))
    start = start[:end] if end > MAX_LINE_LENGTH // 2 else start
    return f"{start.rstrip()} ...{')' if start.count('(') > start.count(')') else ''}"

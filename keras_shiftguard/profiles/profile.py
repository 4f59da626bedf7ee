"""`InputProfile`: all that is kept of one stream of data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from typing import Any, Self

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import storage
from keras_shiftguard.profiles.checks import is_count
from keras_shiftguard.profiles.labels import LabelSummary
from keras_shiftguard.profiles.outputs import OutputSummary
from keras_shiftguard.profiles.summary import InputSummary


@dataclass(frozen=True)
class InputProfile:
    """The finished numbers of one stream: a summary for each input tensor.

    `a + b` is the profile of both streams in one pass.

    Args:
        inputs: `InputSummary` by the name of the input tensor.
        values: Results of the user's own metrics; where two profiles are
            merged, those of the second hold, since they need not be sums.
        labels: What is known of the labels.
        outputs: What a model said about the samples, if one was asked.
        distinct_samples: How many different samples the stream has, where that
            is fewer than were seen (an epoch repeats the last one's); 0 means
            that all were different. Never more evidence than that is counted.
    """

    inputs: Mapping[str, InputSummary] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    labels: LabelSummary = field(default_factory=LabelSummary)
    outputs: OutputSummary = field(default_factory=OutputSummary)
    distinct_samples: int = 0

    def with_values(self, values: Mapping[str, float]) -> "InputProfile":
        """The same profile with the results of the user's own metrics."""
        return replace(self, values=dict(values))

    @property
    def num_samples(self) -> int:
        return max((s.num_samples for s in self.inputs.values()), default=0)

    @property
    def features(self) -> dict[str, float]:
        """The named numbers of the stream, for logs and plots."""
        named: dict[str, float] = {}
        for name, summary in self.inputs.items():
            named[f"{name}/num_samples"] = float(summary.num_samples)
            named[f"{name}/nonfinite_samples"] = float(summary.nonfinite_samples)
            # Past a handful of channels, single ones are not worth a plot.
            if summary.num_channels <= 16:
                for statistic in ("mean", "std", "minimum", "maximum"):
                    for i, value in enumerate(getattr(summary, statistic)):
                        named[f"{name}/{statistic}/{i}"] = float(value)
            named[f"{name}/median"] = summary.quantile(0.5)
        return {**named, **self.values}

    def __add__(self, other: "InputProfile") -> "InputProfile":
        merged = dict(self.inputs)
        for name, summary in other.inputs.items():
            merged[name] = merged[name] + summary if name in merged else summary
        distinct = (p.distinct_samples or p.num_samples for p in (self, other))
        repeats = self.distinct_samples or other.distinct_samples
        return InputProfile(
            merged,
            {**self.values, **other.values},
            self.labels + other.labels,
            self.outputs + other.outputs,
            sum(distinct) if repeats else 0,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Writes one compressed `.npz` file, whatever the suffix; no pickle.

        Covariances are kept in single precision, the rest as it is.
        """
        storage.write(path, self.tree())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads what `save` wrote."""
        tree = storage.read(path)
        if not tree.keys() <= {f.name for f in fields(cls)}:
            raise BadInputError(f"{path} is not the file of a profile. It holds {sorted(tree)}.")
        profile = cls(**tree)
        profile._check(path)
        return profile

    def _check(self, path: str | PathLike[str]) -> None:
        """Refuses what the file of a stranger has in place of the parts."""
        parts = {
            "inputs": isinstance(self.inputs, dict)
            and all(isinstance(each, InputSummary) for each in self.inputs.values()),
            "values": isinstance(self.values, dict)
            and all(isinstance(each, (int, float)) for each in self.values.values()),
            "labels": isinstance(self.labels, LabelSummary),
            "outputs": isinstance(self.outputs, OutputSummary),
            "distinct_samples": is_count(self.distinct_samples),
        }
        wrong = [name for name, right in parts.items() if not right]
        if wrong:
            raise storage.UnreadableFile(
                f"{path} is a damaged profile ({', '.join(wrong)} of another type)."
            )

    def tree(self) -> dict[str, Any]:
        """Its parts by name, for `storage`; `InputProfile(**tree)` is the way back."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

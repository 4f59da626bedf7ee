"""`InputProfile`: the profile of one stream of data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from typing import Any, Self

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import attached, storage
from keras_shiftguard.profiles.checks import is_count
from keras_shiftguard.profiles.labels import LabelSummary
from keras_shiftguard.profiles.outputs import OutputSummary
from keras_shiftguard.profiles.summary import InputSummary


@dataclass(frozen=True, repr=False, eq=False)
class InputProfile:
    """Profile of one stream of data: a summary of each input, of the labels and of outputs.

    `a + b` is the profile that one pass over both streams would give.

    Args:
        inputs: `InputSummary` of each input tensor, by name.
        values: Results of the user's own metrics. When two profiles are merged,
            the results of the second are used, because metrics cannot be added in general.
        labels: Summary of the labels.
        outputs: Summary of a model's outputs on the samples, if a model was run.
        distinct_samples: How many different samples the stream has, if fewer than
            were seen (an epoch repeats the samples of the epoch before); 0 means that
            all were different. Tests count no more samples than this.
        augmented: Whether the samples are known to be augmented training data, from which data
            without augmentation differ.
        refusal: Why the profile does not describe what the model was trained on, if so; `attach`
            then refuses it. It is not stored.
    """

    inputs: Mapping[str, InputSummary] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    labels: LabelSummary = field(default_factory=LabelSummary)
    outputs: OutputSummary = field(default_factory=OutputSummary)
    distinct_samples: int = 0
    augmented: bool = False
    refusal: str = ""

    def with_values(self, values: Mapping[str, float]) -> "InputProfile":
        """Returns the profile with the results of the user's own metrics."""
        return replace(self, values=dict(values))

    def with_columns(self, columns: Mapping[str, tuple[str, ...]]) -> "InputProfile":
        """Returns the profile with the names of the columns of tables, by input."""
        named = {
            name: replace(self.inputs[name], columns=each)
            for name, each in columns.items()
            if name in self.inputs and len(each) == self.inputs[name].num_channels
        }
        return replace(self, inputs={**self.inputs, **named})

    @property
    def num_samples(self) -> int:
        """Number of samples seen."""
        return max((s.num_samples for s in self.inputs.values()), default=0)

    @property
    def num_measured(self) -> int:
        """Number of samples whose features were measured, of the input with the most of them."""
        return max((s.features.num_samples for s in self.inputs.values()), default=0)

    @property
    def distinct_share(self) -> float:
        """Number of distinct samples divided by the number of samples seen, in (0, 1]."""
        if not self.distinct_samples or not self.num_samples:
            return 1.0
        return min(1.0, self.distinct_samples / self.num_samples)

    @property
    def features(self) -> dict[str, float]:
        """Statistics of the inputs and the user's own metrics, by name, for logs and plots."""
        named: dict[str, float] = {}
        for name, summary in self.inputs.items():
            named[f"{name}/num_samples"] = float(summary.num_samples)
            named[f"{name}/nonfinite_samples"] = float(summary.nonfinite_samples)
            # With more than 16 channels, plots of each channel are not readable.
            if summary.num_channels <= 16:
                for statistic in ("mean", "std", "minimum", "maximum"):
                    for i, value in enumerate(getattr(summary, statistic)):
                        named[f"{name}/{statistic}/{i}"] = float(value)
            named[f"{name}/median"] = summary.quantile(0.5)
        return {**named, **self.values}

    def __repr__(self) -> str:
        """Returns what was measured, in one line, because the numbers would fill many screens."""
        inputs = "; ".join(f"{name!r}: {each.in_words()}" for name, each in self.inputs.items())
        return f"<InputProfile of {self.num_samples:,} samples ({inputs or 'no input'})>"

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
            self.augmented or other.augmented,
            self.refusal or other.refusal,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the profile to one compressed `.npz` file, without pickle.

        Co-moments (covariances) are stored in single precision, everything else exactly.

        Args:
            path: Path of the file; any suffix.

        Raises:
            BadInputError: if there is a saved model at `path`, which would be lost.
            OSError: if the file cannot be written.
        """
        if attached.is_model(path):
            raise BadInputError(
                f"{path} is a saved model, which the profile would replace. Put the profile into "
                "it with `attach`, or save it to another path."
            )
        storage.write(path, self.tree())

    def attach(self, path: str | PathLike[str]) -> None:
        """Puts the profile into a saved model, as a record of the data that the model was fed.

        Keras loads the model as before, also without this package. A profile that was attached
        before is replaced. `model.save` to the same path drops the profile, since Keras writes
        the file anew. The file is replaced atomically: after a full disk or a crash, the old
        file is still there.

        Args:
            path: Path of a `.keras` file, or the directory of a SavedModel.

        Raises:
            BadInputError: if the profile is empty, if it is that of an uncorrected mismatch, or if
                `path` is no saved model or a damaged one.
            OSError: if the file cannot be written.
        """
        if not self.inputs:
            raise BadInputError("An empty profile cannot be attached: nothing was measured.")
        if self.refusal and not attached.is_corrected(path):
            raise BadInputError(self.refusal)
        attached.attach(path, self.tree())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads a profile that `save` wrote, or that is attached to a saved model.

        Args:
            path: Path of the file or of the saved model.

        Raises:
            BadInputError: if the file is not a profile, is damaged, was written by an
                incompatible version, or is a model to which no profile is attached.
            FileNotFoundError: if there is no such file.
        """
        tree = attached.read(path) if attached.is_model(path) else storage.read(path)
        if not tree.keys() <= {f.name for f in fields(cls)} - {"refusal"}:
            raise BadInputError(f"{path} is not the file of a profile. It holds {sorted(tree)}.")
        profile = cls(**tree)
        profile._check(path)
        return profile

    def _check(self, path: str | PathLike[str]) -> None:
        """Checks the types of the parts of a profile that was read from `path`."""
        parts = {
            "inputs": isinstance(self.inputs, dict)
            and all(isinstance(each, InputSummary) for each in self.inputs.values()),
            "values": isinstance(self.values, dict)
            and all(isinstance(each, (int, float)) for each in self.values.values()),
            "labels": isinstance(self.labels, LabelSummary),
            "outputs": isinstance(self.outputs, OutputSummary),
            "distinct_samples": is_count(self.distinct_samples),
            "augmented": isinstance(self.augmented, bool),
        }
        wrong = [name for name, valid in parts.items() if not valid]
        if wrong:
            raise storage.UnreadableFile(
                f"{path} is a damaged profile ({', '.join(wrong)} of a wrong type)."
            )

    def tree(self) -> dict[str, Any]:
        """Returns the parts by name, for `storage`; `InputProfile(**tree)` restores them.

        `augmented` is left out if it is false: earlier versions, which do not know it, then read
        the file.
        """
        tree = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "refusal"}
        return tree if self.augmented else {k: v for k, v in tree.items() if k != "augmented"}

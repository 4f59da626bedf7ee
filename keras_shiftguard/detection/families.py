"""Families of tests: all tests of one comparison, each with the finding that it would report."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding
from keras_shiftguard.detection.two_sample import frequencies, mean_discrepancy, ranks
from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.multiplicity import Family
from keras_shiftguard.detection.two_sample.tail_probabilities import SIGMAS
from keras_shiftguard.detection.words import sentences
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.profiles import FeatureTable, InputSummary, MeanEmbedding
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

TOO_FEW = "not enough samples yet"  # beginning of a note
# A share for the current stream and one for the reference: the number of distinct samples divided
# by the number of samples counted. Copies of a sample add no evidence, so tests count distinct
# samples.
Shares = tuple[float, float]


class StreamNames(NamedTuple):
    """Names of the two streams that are compared.

    `stream` may differ; it is compared with `against`.
    """

    stream: str
    against: str


@dataclass
class CollectedTests:
    """The tests of one comparison, and notes on what could not be tested.

    Args:
        names: Names of the two streams.
        families: Families of tests, to which the `add_` methods add.
        notes: Sentences on what could not be tested, and why.
        several_inputs: Whether sentences must name the input.
        columns: Names of the columns of tables, by input, where they are known.
        ids: How often each id occurred, `(ids,)`, in both streams, by input of token ids.
    """

    names: StreamNames
    families: list[Family] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    several_inputs: bool = False
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ids: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _short: set[str] = field(default_factory=set)  # streams with a note on too few samples

    def note_too_few(self, what: str, n: float, m: float, needed: int) -> bool:
        """Whether a stream has fewer samples than needed; adds at most one note on each stream.

        `n` and `m` are the numbers of distinct samples of the current stream and of the reference.
        """
        counts = {self.names.stream: int(n), self.names.against: int(m)}
        short = {name: count for name, count in counts.items() if count < needed}
        for name, count in short.items():
            # A stream gets one note: if it is too short for one test, it is too short for the more
            # demanding ones. A stream and its first epoch are equally short, and share one note.
            repeated = name == FIRST_EPOCH and self.names.stream in short
            if name not in self._short and not repeated:
                self._short.add(name)
                self.notes.append(
                    f"{TOO_FEW}: {sentences.stream_name(name)} has {count} of the {needed} needed "
                    f"to judge {what}"
                )
        return bool(short)

    def add_features(
        self,
        role: str,
        source: str,
        what: str,
        current: FeatureTable,
        reference: FeatureTable,
        shares: Shares,
        kind: str = "covariate",
        family: str = "other",
    ) -> None:
        """Adds a test for each feature that both tables have.

        `role` and `source` are those of `Family`, `kind` and `family` those of `Finding`; `what` is
        a noun for sentences, such as `"images"`.
        """
        current, reference = self._common(source, current, reference)
        if not current.names:
            return
        num_distinct = (current.num_samples * shares[0], reference.num_samples * shares[1])
        is_long = min(current.num_samples, reference.num_samples) >= ranks.MIN_SAMPLES
        needed = ranks.MIN_DISTINCT if is_long else ranks.MIN_SAMPLES
        if self.note_too_few(f"the features of {source}", *num_distinct, needed):
            return
        tests = ranks.compare_features(current, reference, shares)
        columns = self.columns.get(source, ())
        self._note_empty_columns(source, current, reference)
        tested = np.flatnonzero(tests.tested)
        if not len(tested):
            return

        def finding(member: int) -> Finding:
            i = int(tested[member])
            name, effect = current.names[i], float(tests.effect_size[i])
            dominant = ranks.DOMINANT[tests.dominant[i]]
            group, counted = name.removeprefix("group/"), ""
            if group != name and source in self.ids:
                counted = sentences.ids_in_group(int(group), *self.ids[source])
            said = sentences.feature_differs(
                name, what, dominant, effect, current, reference, *self.names, columns, counted
            )
            interval = float(tests.lower[i]), float(tests.upper[i])
            p_value, feature = tests.p_value[i], f"{source}/{name}"
            found = self._finding(feature, effect, interval, p_value, said, kind, family)
            return replace(found, negligible=bool(tests.magnitude[i] < NEGLIGIBLE))

        self.families.append(Family(role, source, tests.p_value[tested], finding))

    def add_missing(
        self, source: str, current: InputSummary, reference: InputSummary, shares: Shares
    ) -> None:
        """Adds a test of the share of samples with a value that is not finite.

        If both streams have the same columns, a test of each column is added as well.
        """
        n, m = current.num_samples, reference.num_samples
        names = [source]
        missing = [[current.nonfinite_samples], [reference.nonfinite_samples]]
        if not current.is_image and current.features.names == reference.features.names:
            # Only the columns of a table, whose names are digits, are tested here. The features of
            # token ids are missing only for empty texts, which the feature "length" shows already.
            columns = [name for name in current.features.names if name.isdigit()]
            names += columns
            for counts, each in zip(missing, (current, reference), strict=True):
                counts.extend(each.features.only(columns).missing)
        a, b = (np.asarray(counts, "float64") for counts in missing)
        tested = np.flatnonzero(a + b)
        if not len(tested) or min(n * shares[0], m * shares[1]) < 1:
            return
        # Columns without missing values are not tested, but the correction for several tests counts
        # them, because the data decide which columns are tested.
        p = np.ones(len(a))
        a_distinct, n_distinct, m_distinct = a * shares[0], n * shares[0], m * shares[1]
        both = (a_distinct + b * shares[1])[tested]
        total = n_distinct + m_distinct
        p[: len(tested)] = hypergeometric_two_sided(a_distinct[tested], n_distinct, both, total)

        def finding(member: int) -> Finding:
            i = int(tested[member])
            here, there = float(a[i] / n), float(b[i] / m)
            pooled = float(a[i] + b[i]) / (n + m)
            effect = (here - there) / float(np.sqrt(max(pooled * (1 - pooled), 1e-12)))
            margin = SIGMAS * float(np.sqrt(1 / n_distinct + 1 / m_distinct))
            feature, words = source, f"{source[:1].upper()}{source[1:]}"  # begins a sentence
            if i:
                feature = f"{source}/{names[i]}"
                column = sentences.column_name(names[i], self.columns.get(source, ()))
                words = f"Column {column} of {source}"
            said = sentences.missing_differs(words, here, there, *self.names)
            interval = effect - margin, effect + margin
            feature = f"{feature}/missing"
            return self._finding(feature, effect, interval, p[member], said, family="missing")

        self.families.append(Family("missing", source, p, finding, len(p) - len(tested)))

    def add_embedding(
        self,
        role: str,
        source: str,
        what: str,
        current: MeanEmbedding,
        reference: MeanEmbedding,
        shares: Shares,
    ) -> None:
        """Adds the test of two mean embeddings."""
        if not current.count or not reference.count:
            return
        if current.dimension != reference.dimension:
            self.notes.append(
                f"{source} has {current.dimension} numbers a sample in "
                f"{sentences.stream_name(self.names.stream)} and {reference.dimension} in "
                f"{sentences.stream_name(self.names.against)}: their embeddings were not compared"
            )
            return
        num_distinct = (current.count * shares[0], reference.count * shares[1])
        needed = mean_discrepancy.MIN_SAMPLES
        if self.note_too_few(f"the embedding of {source}", *num_distinct, needed):
            return
        test = mean_discrepancy.compare_embeddings(current, reference, shares)
        if test.tested:
            said = sentences.embedding_differs(what, test.effect_size, test.p_value, *self.names)
            self._add_test(role, source, test, said)

    def add_classes(
        self,
        role: str,
        source: str,
        what: str,
        current: np.ndarray,
        reference: np.ndarray,
        shares: Shares,
        kind: str = "covariate",
        family: str = "other",
    ) -> None:
        """Adds the test of a class mix: `current` and `reference` are counts, `(classes,)`."""
        if len(current) != len(reference):
            return
        num_distinct = (float(current.sum()) * shares[0], float(reference.sum()) * shares[1])
        if not all(num_distinct):
            return
        if self.note_too_few(what, *num_distinct, frequencies.MIN_SAMPLES):
            return
        test = frequencies.compare_frequencies(current, reference, shares)
        if not test.tested:
            self.notes.append(f"all {what} are of one class: their mix tells nothing")
            return
        follows = sentences.lacks_classes(test, *self.names) if kind == "label" else ""
        said = sentences.classes_differ(what, test, *self.names, follows)
        self._add_test(role, source, test, said, kind, family)

    def _add_test(
        self,
        role: str,
        source: str,
        test: mean_discrepancy.EmbeddingTest | frequencies.FrequencyTest,
        said: Said,
        kind: str = "covariate",
        family: str = "other",
    ) -> None:
        """Adds a family of a single test."""
        p_value, effect = test.p_value, test.effect_size
        found = self._finding(source, effect, test.interval, p_value, said, kind, family)
        self.families.append(Family(role, source, np.array([p_value]), lambda _: found))

    def _finding(
        self,
        feature: str,
        effect: float,
        interval: tuple[float, float],
        p_value: float,
        said: Said,
        kind: str = "covariate",
        family: str = "other",
    ) -> Finding:
        """Returns the finding of a test; for its arguments see `Finding`."""
        return Finding(
            feature=feature,
            kind=kind,
            family=family,
            effect_size=effect,
            interval=interval,
            p_value=float(p_value),
            since=None,
            said=said,
            negligible=abs(effect) < NEGLIGIBLE,
            **self.names._asdict(),
        )

    def _common(
        self, source: str, current: FeatureTable, reference: FeatureTable
    ) -> tuple[FeatureTable, FeatureTable]:
        """Returns both tables with their common features; adds notes on the other features."""
        if current.names == reference.names:
            return current, reference
        in_reference, in_current = set(reference.names), set(current.names)
        absent = (
            ([n for n in reference.names if n not in in_current], self.names.stream),
            ([n for n in current.names if n not in in_reference], self.names.against),
        )
        for names, stream in absent:
            if names:
                self.notes.append(
                    f"features of {source} absent in {sentences.stream_name(stream)}: "
                    f"{sentences.some_of(names[: sentences.MAX_NAMED], len(names))}"
                )
        both = [name for name in current.names if name in in_reference]
        return current.only(both), reference.only(both)

    def _note_empty_columns(
        self, source: str, current: FeatureTable, reference: FeatureTable
    ) -> None:
        """Adds a note on columns without a single finite value."""
        for table, stream in ((current, self.names.stream), (reference, self.names.against)):
            # Only columns have digits as names. An image attribute may be undefined for all
            # images of a data set, which is not worth a note.
            empty = [table.names[i] for i in np.flatnonzero(table.moments.count == 0)]
            empty = [name for name in empty if name.isdigit()]
            if empty and table.num_samples:
                columns = self.columns.get(source, ())
                names = [sentences.column_name(n, columns) for n in empty[: sentences.MAX_NAMED]]
                self.notes.append(
                    f"columns of {source} without a finite value in "
                    f"{sentences.stream_name(stream)}: {sentences.some_of(names, len(empty))}"
                )

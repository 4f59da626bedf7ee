"""The competition of rivals: in rounds, on two halves, each with a chain of its own.

One half chooses and the other one counts, and the other way round. The winner of a round stays
undone, and the rest compete again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.rival import Rival, Undoing, both
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.account.taken import Taken

ROUNDS = 3  # A convention.
SURE = 3.0  # standard errors of likelihood that a sure row needs. A convention.
ERRORS = 2.0  # standard errors of points that a sure row needs. A convention.
# Standard errors by which another rival must be better than a simpler one. A convention.
SIMPLER = 1.5
SLIGHTLY = (
    0.02  # part of what the best one wins, by which a simpler one may win less. A convention.
)
# Samples on which operations are screened, and how many go on. Conventions.
SCREENED, KEPT = 64, 10
LEAST_LEARNT = 0.05  # of accuracy on training, above that of the best constant. A convention.
MIN_KNOWN, MIN_CLASS = 0.5, 0.02  # shares of labels of classes that training has. Conventions.
# Pairs are tried where nothing alone wins this share of what is lost. A convention.
MIN_SHARE = 0.5


Pick = tuple[Rival, Undoing, Any]  # a rival, how it is undone, what the likelihood was fitted to


@dataclass
class Search:
    """The competition on one case. After `run`, `taken` has the winners of the rounds."""

    case: Case
    ways: list[list[Half]]  # for each direction the half that chooses, and the one that counts
    training: Half | None
    taken: list[Taken]
    share: float = 0.0  # points that random labels cost
    spent: int = 0  # predictions so far
    is_starved: bool = False  # whether there was no time to try the inputs

    @classmethod
    def of(cls, case: Case) -> "Search":
        """Returns the search before its first round."""
        middle = len(case.here) // 2
        one, other = case.here.at(slice(0, middle)), case.here.at(slice(middle, None))
        return cls(case, [[one, other], [other, one]], case.there, [])

    def worth(self) -> np.ndarray:
        """Returns the worth of the samples that count, after the repairs so far."""
        halves = [way[1] for way in self.ways]
        return np.concatenate([self._worth(half) for half in halves])

    def worth_of_training(self) -> np.ndarray | None:
        """Returns the worth of the samples of training; None without any."""
        return None if self.training is None else self._worth(self.training)

    def is_behind(self) -> bool:
        """Whether validation is surely worse than training in inference mode."""
        there, here = self.worth_of_training(), self.worth()
        if there is None:
            return True
        lost = there.mean() - here.mean()
        errors = there.var() / len(there) + here.var() / (len(here) * self.case.share)
        return bool(lost > max(self.case.tolerance, ERRORS * errors**0.5))

    def has_learnt(self) -> bool:
        """Whether the model is right on training more often than the best constant."""
        likelihood, there = self.case.likelihood, self.worth_of_training()
        if not isinstance(likelihood, Classes) or likelihood.counts is None or there is None:
            return True
        usual = likelihood.counts.max() / max(likelihood.counts.sum(), 1)
        return bool(there.mean() >= usual + LEAST_LEARNT)

    def can_judge(self) -> bool:
        """Whether labels tell anything of inputs: they are of two classes or more that were learnt.

        Where all are of one class, whatever makes the model prefer it wins.
        """
        likelihood, y = self.case.likelihood, self.case.here.y
        if not isinstance(likelihood, Classes) or likelihood.counts is None:
            return True
        if not self.has_learnt():
            return False
        counts = np.pad(likelihood.counts, (0, max(int(y.max()) + 1 - len(likelihood.counts), 0)))
        known = counts[y] > 0
        shares = np.bincount(y[known], minlength=2) / len(y)
        return bool(known.mean() > MIN_KNOWN and (shares > MIN_CLASS).sum() > 1)

    def undo(self, known: Sequence[Rival]) -> None:
        """Undoes what is known to be wrong, whatever the labels say: the model itself shows it."""
        for rival in known:
            undoing = rival.fit(self.ways[0][0])
            news = [[undoing.apply(half) for half in way] for way in self.ways]
            pairs = zip(news, self.ways, strict=True)
            won = np.concatenate([self._worth(new[1]) - self._worth(way[1]) for new, way in pairs])
            number = len(won) * self.case.share
            error = float(((np.square(won - won.mean()).sum() + 1) / len(won) / number) ** 0.5)
            both = undoing, undoing
            self.taken.append(Taken(rival, both, float(won.mean()), error, np.inf))
            self.ways = news

    def run(self, rivals: Sequence[Rival]) -> None:
        """Lets rivals compete in rounds until none is surely better than nothing."""
        left, judges = list(rivals), self.can_judge()
        for _ in range(ROUNDS):
            behind = self.is_behind()
            competing = [rival for rival in left if rival.kind == "model" or (behind and judges)]
            if not competing:
                break
            taken = self._round(competing)
            if taken is None:
                break
            self.taken.append(taken)
            if taken.undoing.share:
                break
            if taken.rival.kind == "model" and self.training is not None:
                self.training = taken.undoing.apply(self.training)
            gone = taken.rival
            left = [
                r
                for r in left
                if r.name != gone.name and not (r.is_once and r.family in gone.family)
            ]

    def _round(self, rivals: Sequence[Rival]) -> Taken | None:
        picks = [pick for way in self.ways if (pick := self._pick(rivals, way)) is not None]
        if len(picks) == 2:
            picks = [
                self._in_common(*pair) for pair in zip(picks, picks[::-1], self.ways, strict=True)
            ]
        if len(picks) < 2 or picks[0][0].family != picks[1][0].family:
            return None
        rival, undoings = picks[0][0], (picks[0][1], picks[1][1])
        gains, won, news = [], [], []
        for (_, undoing, fitted), (chooses, counts) in zip(picks, self.ways, strict=True):
            new = [undoing.apply(chooses), undoing.apply(counts)]
            gains.append(self._log(new[1], fitted) - self._base(chooses, counts))
            if undoing.share:
                new = [chooses, counts]  # random labels have no undo
            won.append(self._worth(new[1]) - self._worth(counts))
            news.append(new)
        gain, points = np.concatenate(gains), np.concatenate(won)
        number = len(gain) * self.case.share
        z = float(gain.mean() / (gain.std() / number**0.5 + 1e-12))
        error = float(((np.square(points - points.mean()).sum() + 1) / len(points) / number) ** 0.5)
        value = float(points.mean())
        if any(each.share for each in undoings):
            value, error = self._of_random(undoings)
        if not (z > SURE and value > max(self.case.tolerance, ERRORS * error)):
            return None
        before = [way[1] for way in self.ways]
        if any(each.share for each in undoings):
            self.share = value
        else:
            self.ways = news
        parts = self._parts(undoings, before, value) if rival.kind == "pair" else None
        return Taken(rival, undoings, value, error, z, parts)

    def _in_common(self, pick: Pick, other: Pick, way: Sequence[Half]) -> Pick:
        """Returns the pick of a half, or the part of a pair that the other half picked alone."""
        rival = other[0]
        if rival.kind == "pair" or not pick[0].family.endswith(f" and {rival.family}"):
            return pick
        undoing = rival.fit(way[0])
        return rival, undoing, self._fit(undoing.apply(way[0]), undoing)

    def _parts(
        self, undoings: tuple[Undoing, Undoing], counts: Sequence[Half], whole: float
    ) -> tuple[float, float]:
        """Returns what input and labels of a pair win, the mean over both orders (Shapley 1953)."""
        alone = np.zeros(2)
        for undoing, half in zip(undoings, counts, strict=True):
            won = [self._worth(part.apply(half)) - self._worth(half) for part in undoing.strength]
            alone += [each.mean() * len(half) / sum(map(len, counts)) for each in won]
        first, second = (float(each) for each in alone)
        return (first + whole - second) / 2, (second + whole - first) / 2

    def _of_random(self, undoings: tuple[Undoing, Undoing]) -> tuple[float, float]:
        """Returns what random labels cost, and its standard error.

        Of labels of which a share is random, a part is right by chance.
        """
        share = float(np.mean([each.share for each in undoings]))
        worth = self.worth()
        right, number = float(worth.mean()), len(worth) * self.case.share
        classes = self.ways[0][0].outputs.shape[1]
        if share >= 0.9:  # the labels belong to other samples: nothing tells how right the model is
            return 0.0, 1.0
        value = (right - share / classes) / (1 - share) - right
        slope = (right - 1 / classes) / (1 - share) ** 2
        spread = abs(undoings[0].share - undoings[1].share) / 2
        of_share = max((share * (1 - share) / number) ** 0.5, spread)
        of_right = (right * (1 - right) / number) ** 0.5 * share / (1 - share)
        return value, float(np.hypot(slope * of_share, of_right))

    def _pick(self, rivals: Sequence[Rival], way: Sequence[Half]) -> Pick | None:
        """Returns the rival that makes the labels of the half that chooses likeliest.

        Of those that are not surely worse, it is the first one. With it come how it is undone, and
        what the likelihood was fitted to.
        """
        half = way[0]
        base = self._base(half, half)
        tried = []
        for rival in self._screened(rivals, half):
            undoing = rival.fit(half)
            new = undoing.apply(half)
            fitted = self._fit(new, undoing)
            self.spent += 0 if rival.is_free else len(half)
            tried.append((self._log(new, fitted) - base, rival, undoing, fitted))
        if not tried:
            return None
        top = max(tried, key=lambda each: float(each[0].mean()))
        for gains, rival, undoing, fitted in tried:
            behind = top[0] - gains
            least = max(SIMPLER * behind.std() / len(behind) ** 0.5, SLIGHTLY * top[0].mean())
            if behind.mean() < least + 1e-9:
                return rival, undoing, fitted
        return None

    def _screened(self, rivals: Sequence[Rival], half: Half) -> list[Rival]:
        """Returns the rivals that go on: all that need few predictions, and the best operations."""
        operations = [rival for rival in rivals if rival.kind == "input"]
        kept: set[int] = set(map(id, operations))
        left = (self.case.budget - self.spent) / 2  # the other half needs as many
        some = int(np.clip(left / (3 * max(len(operations), 1)), 0, SCREENED))
        if operations and some < SCREENED // 4:
            # Labels alone would take what an input explains.
            self.is_starved = True
            return [rival for rival in rivals if rival.kind == "model"]
        few = half.at(slice(0, some))
        if len(operations) <= KEPT and left > len(operations) * len(half):
            return list(rivals)
        self.spent += some * len(operations)
        number = int(np.clip((left - some * len(operations)) / len(half), 1, KEPT))
        base = float(self._base(few, few).mean())
        rename = next((r for r in rivals if r.name == "renamed"), None)
        alone, paired = [], []
        for rival in operations:
            undoing = rival.fit(few)
            new = undoing.apply(few)
            alone.append(float(self._log(new, self._fit(new, undoing)).mean()) - base)
            if rename is not None:
                then = rename.fit(new)
                renamed = then.apply(new)
                paired.append(float(self._log(renamed, self._fit(renamed, then)).mean()) - base)
        best = np.argsort(-np.asarray(alone), kind="stable")[:number]
        kept = {id(operations[i]) for i in best}
        found = [
            rival
            for rival in rivals
            if rival.kind != "input" or rival.is_simple or id(rival) in kept
        ]
        if rename is not None and max(alone, default=0.0) < MIN_SHARE * self._possible(half):
            for i in np.argsort(-np.asarray(paired), kind="stable")[:number]:
                found.append(both(operations[i], rename))
        return found

    def _possible(self, half: Half) -> float:
        """Returns how much likelier the labels would be if they were as likely as in training."""
        there = self.training
        if there is None or not len(there):
            return 0.0
        best = float(self._log(there, self._fit(there, None)).mean())
        return min(best, -0.05) - float(self._base(half, half).mean())

    def _fit(self, half: Half, undoing: Undoing | None) -> Any:
        if undoing is not None and undoing.share:
            return 1.0, np.ones(half.outputs.shape[1])  # the outputs are what labels follow
        return self.case.likelihood.fit(half.outputs, half.y)

    def _log(self, half: Half, fitted: Any) -> np.ndarray:
        return np.asarray(self.case.likelihood.log(half.outputs, half.y, fitted) + half.spread)

    def _base(self, chooses: Half, counts: Half) -> np.ndarray:
        return self._log(counts, self._fit(chooses, None))

    def _worth(self, half: Half) -> np.ndarray:
        return np.asarray(self.case.likelihood.worth(half.outputs, half.y), "float64")

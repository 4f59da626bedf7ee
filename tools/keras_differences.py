"""Compares the results of Keras's own tests without and with a guard.

`tools/keras_tests.py` runs the tests, and `tools/guarded_fits.py` writes their results. The list
of the allowed differences is `tools/keras_tests.toml`.
"""

import contextlib
import json
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ALLOWED = Path(__file__).with_name("keras_tests.toml")
# A warning that begins with one of these texts says that the guard stopped measuring.
GAVE_UP = ("ShiftGuard cannot measure", "ShiftGuard stopped watching")


@dataclass(frozen=True)
class Allowed:
    """An allowed difference: its tests, its text, the reason, the backends and the guards."""

    test: str
    says: str
    reason: str
    backends: tuple[str, ...] = ("tensorflow", "jax", "torch")
    guards: tuple[str, ...] = ("guard", "adapt")

    def concerns(self, backend, guards):
        """Returns whether the entry holds for this backend and these guards."""
        return backend in self.backends and guards in self.guards

    def matches(self, test, difference=None):
        """Returns whether the entry is about this test and, if given, allows this difference."""
        return fnmatch(test, self.test) and (difference is None or self.says in difference)


@dataclass
class Judgement:
    """The result of a comparison, with a line of text for each test or entry."""

    tests: int
    failed_plain: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    @property
    def is_good(self):
        """Whether every difference is allowed, and every entry of the list was needed."""
        return not self.faults and not self.stale


def read_results(path):
    """Returns the last line about each test in a file of results, by the name of the test."""
    found = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        with contextlib.suppress(json.JSONDecodeError):  # a line that is being written
            line = json.loads(text)
            found[line["test"]] = line
    return found


def read_allowed(path=ALLOWED):
    """Returns the entries of the list of allowed differences."""
    entries = tomllib.loads(Path(path).read_text(encoding="utf-8"))["allowed"]
    lists = ("backends", "guards")
    return [Allowed(**{k: tuple(v) if k in lists else v for k, v in e.items()}) for e in entries]


def judge(plain, guarded, allowed, backend, guards, complete=True):
    """Compares the results of two runs.

    Args:
        plain: Results without guards, by the name of the test.
        guarded: Results with guards, of every test that passed without a guard and calls
            `fit`, `evaluate` or `predict`.
        allowed: The entries of the list of allowed differences.
        backend: The backend of both runs.
        guards: `"guard"` or `"adapt"`.
        complete: Whether all files ran. If not, an entry without a test is not stale.

    Returns:
        The `Judgement`.
    """
    found = Judgement(len(plain))
    bad = ("failed", "crashed")
    found.failed_plain = {t: r["message"] for t, r in plain.items() if r["outcome"] in bad}
    entries = [entry for entry in allowed if entry.concerns(backend, guards)]
    used = set()
    watched = with_calls(plain)
    for test in watched:
        difference = difference_of(guarded.get(test))
        matching = [entry for entry in entries if entry.matches(test, difference)]
        if difference and matching:
            used.update(matching)
            found.allowed[test] = f"{matching[0].reason}. {difference}"
        elif difference:
            found.faults[test] = difference
    for entry in entries:
        concerned = [test for test in plain if entry.matches(test)]
        is_gone = complete and not concerned
        if is_gone or (entry not in used and any(test in watched for test in concerned)):
            found.stale.append(f"{entry.test}: {entry.reason}")
    found.counts = counts_of(guarded)
    return found


def with_calls(plain):
    """Returns the tests that passed without guards and call `fit`, `evaluate` or `predict`."""
    return [t for t, r in plain.items() if r["outcome"] == "passed" and r["calls"]]


def difference_of(result):
    """Returns in words how a test with guards differs from a passed one; "" if it does not."""
    if result is None:
        return "did not run with guards"
    if result["outcome"] != "passed":
        return f"{result['outcome']} with guards: {' '.join(result['message'].split())}"
    calls = [call for call in result["calls"] if call["guarded"]]
    for call in calls:
        for warning in call["warnings"]:
            if warning.startswith(GAVE_UP):
                return f"{call['method']}: {warning}"
    for call in calls:
        if call["raised"] or not call["batches"] or call["warnings"]:
            continue
        counted, expected = call["counted"] or 0, call["expected"]
        if not counted or expected not in (None, counted):
            fed = f"{call['batches']} batches" if expected is None else f"{expected} samples"
            return f"{call['method']} counted {counted} samples of {fed}, without a word"
    return ""


def counts_of(guarded):
    """Returns the number of calls of each method, and of each outcome of the counting."""
    counts = Counter()
    for result in guarded.values():
        for call in result.get("calls", ()):
            if not call["guarded"]:
                counts["in a CallbackList of the test"] += 1
                continue
            counts[call["method"]] += 1
            if call["raised"] or not call["batches"]:
                counts["raised or fed nothing"] += 1
            elif not call["counted"]:
                word = "with" if call["warnings"] else "without"
                counts[f"nothing counted {word} a warning"] += 1
            elif call["expected"] is None:
                counts["counted"] += 1
            else:
                right = call["counted"] == call["expected"]
                counts["counted all samples" if right else "counted other samples"] += 1
    return counts


def table(rows):
    """Returns the summary of all judgements as text, one line for each."""
    head = ("backend", "guards", "files", "tests", "fail plain", "watched", "allowed", "faults")
    lines = [head, *rows]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(str(v).ljust(w) for v, w in zip(line, widths, strict=True)) for line in lines
    )


def tell(title, judgement):
    """Prints the result of one comparison."""
    print(f"\n== {title}")
    for test, message in judgement.failed_plain.items():
        print(f"fails without a guard: {test}: {' '.join(message.split())[:150]}")
    for test, difference in judgement.allowed.items():
        print(f"allowed: {test}: {difference[:300]}")
    for test, difference in judgement.faults.items():
        print(f"FAULT: {test}: {difference[:600]}")
    for entry in judgement.stale:
        print(f"STALE entry of tools/keras_tests.toml: {entry}")
    counts = ", ".join(f"{what}: {n}" for what, n in sorted(judgement.counts.items()))
    print(f"calls: {counts}", flush=True)

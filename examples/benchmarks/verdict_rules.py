"""Price of each rule of the preprocessing verdict: what changes on the crossed corpus without it.

    python examples/benchmarks/verdict_rules.py --loaders ../shared/wild --evidence FOLDER \
        --networks gray_digits gray_faces scratch_unit scratch_torch cifar10_bgr

Each rule is switched off by itself, and every verdict of `verdict_corpus.py` is made again. FOLDER
keeps what the networks measure, so that they run only once. A rule whose row says "nothing" has no
price on these networks: it stays only for what this corpus does not have, such as statements.
"""

import argparse
import contextlib
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from verdict_corpus import is_fixed, is_harmful, judge_network

from keras_shiftguard.preprocessing import decision, doubts, input_verdict, order, posterior
from keras_shiftguard.preprocessing.sources import evidence


def _no(*args, **kwargs):
    return False


def _yes(*args, **kwargs):
    return True


def _nothing(*args, **kwargs):
    return ""


def _with_garbling(verdict, garbling, trial, probability, stated):
    if probability < posterior.MIN_MISMATCH:
        return verdict
    return decision_of_garbling(verdict, garbling, trial, probability, stated)


def _remarks(*args):
    return tuple(hint for hint in remarks_of_images(*args) if hint.name != "overflow")


def _try_swap(case, expected, in_fix):
    return order_of_trial(replace(case, levels=None), expected, in_fix)


decision_of_garbling, order_of_trial = decision.with_garbling, order.try_swap
remarks_of_images = input_verdict.remarks_of_images

# Each rule: where it is, its name there, and what takes its place.
RULES = {
    "all doubts": (evidence, "doubt_about", _nothing),
    "doubt: all of the feed": (doubts, "doubt_of_feed", _nothing),
    "doubt: values do not show the convention": (doubts, "shows_its_convention", _yes),
    "doubt: what was fed is not certain": (doubts, "MIN_OK", -1.0),
    "doubt: the classifier": (doubts, "_of_head", _nothing),
    "doubt: the classifier, near scales": (doubts, "are_near", _no),
    "a plain garbling prevents ok": (decision, "with_garbling", _with_garbling),
    "a repaired garbling": (input_verdict, "probability_of_garbling", lambda *args: 0.0),
    "a repaired image is a kind": (posterior, "REPAIRED", ("none", True)),
    "no trial": (posterior.posterior, "__defaults__", (None, False)),
    "levels of ordinary photos": (input_verdict, "level_correction", lambda *args: None),
    "order: departs from the usual": (order, "MIN_MISMATCH", np.inf),
    "order: trial in a fix": (order, "_can_decide", lambda *args: not args[-1]),
    "order: odd images with their levels": (order, "try_swap", _try_swap),
    "overflow prevents ok": (input_verdict, "remarks_of_images", _remarks),
}


@contextlib.contextmanager
def without(name):
    """Switches a rule off; "" switches nothing off."""
    if not name:
        yield
        return
    place, attribute, replacement = RULES[name]
    kept = place.__dict__[attribute] if isinstance(place, type) else getattr(place, attribute)
    places = [
        place,
        *(m for m in (evidence, decision, input_verdict) if m.__dict__.get(attribute) is kept),
    ]
    for each in places:
        setattr(each, attribute, replacement)
    try:
        yield
    finally:
        for each in places:
            setattr(each, attribute, kept)


def told(row):
    """Returns what counts about a verdict, in a word or two."""
    if row["fix"]:
        return "harmful fix" if is_harmful(row) else "right fix" if is_fixed(row) else "a fix"
    return row["status"] + (" of the " + row["accused"] if row["accused"] else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--loaders", type=Path, help="folder of the loaders of other networks")
    parser.add_argument("--networks", nargs="+", required=True)
    parser.add_argument("--collections", nargs="+", help="default: all ten")
    parser.add_argument("--rules", nargs="+", default=list(RULES))
    parser.add_argument("--evidence", type=Path, required=True)
    options = parser.parse_args()
    if options.loaders:
        sys.path.insert(0, str(options.loaders.resolve()))
    for name in options.networks:
        tables = {}
        for rule in ("", *options.rules):
            with without(rule):
                rows = list(judge_network(name, options.collections, (32,), options.evidence))
            tables[rule] = [(row["kind"], told(row)) for row in rows]
            keras.backend.clear_session()
        print(f"{name}: {len(tables[''])} verdicts; without each rule, these change:", flush=True)
        for rule in options.rules:
            changes = Counter(
                f"{kind}: {old} -> {new}"
                for (kind, old), (_, new) in zip(tables[""], tables[rule], strict=True)
                if old != new
            )
            found = "; ".join(f"{count} {change}" for change, count in sorted(changes.items()))
            print(f"  {rule:45s}{found or 'nothing'}", flush=True)


if __name__ == "__main__":
    main()

"""Limits of the verdict, chosen with one network left out in turn.

    python examples/benchmarks/verdict_limits.py --loaders ../shared/wild

The limits in `preprocessing/limits.py` were chosen on EfficientNet-Lite0, torchvision's MobileNetV2
and small networks. This benchmark judges each network with the limits as they are, and with
stricter and looser ones. For each network, that setting is chosen which serves the other networks
best; what is printed for the network is what this setting gives. "Best" means: no right input is
called "mismatch", and the largest share of wrong modes with the right fix (32 photos) plus the
largest share of right input called "ok".
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import keras
from verdict_networks import OWN
from verdicts import judge_network, loaders_in, share

from keras_shiftguard.preprocessing import limits

SIGMAS = [name for name in vars(limits) if "SIGMAS" in name and name != "CLEAR_SIGMAS"]
GAPS = ["MIN_MODE_GAP", "MIN_SWAP_GAP", "MIN_INVERTED_GAP"]
FITS = ["MAX_GOOD_FIT", "MAX_INVERTED_FIT", "MAX_FAIR_FIT", "MAX_CLEAR_FIT"]
# Factors of the limits in standard errors, and of the limits of batch norm (gaps and misfits).
SETTINGS = {
    "as they are": (1.0, 1.0),
    "standard errors x .7": (0.7, 1.0),
    "standard errors x 1.4": (1.4, 1.0),
    "batch norm looser by 1.4": (1.0, 1 / 1.4),
    "batch norm stricter by 1.4": (1.0, 1.4),
}


@contextmanager
def limits_changed(sigmas: float, strictness: float) -> Iterator[None]:
    """Changes the limits in every module that imported them."""
    new = {name: getattr(limits, name) * sigmas for name in SIGMAS}
    new |= {name: getattr(limits, name) * strictness for name in GAPS}
    new |= {name: getattr(limits, name) - math.log(strictness) for name in FITS}
    modules = [m for name, m in sys.modules.items() if name.startswith("keras_shiftguard.prep")]
    old = [(m, name, vars(m)[name]) for m in modules for name in new if name in vars(m)]
    for module, name, _ in old:
        setattr(module, name, new[name])
    try:
        yield
    finally:
        for module, name, value in old:
            setattr(module, name, value)


def counts_of(name: str, draws: int) -> dict[str, Counter]:
    """Returns the counts of one network by the setting of the limits."""
    ways = [limits_changed(*factors) for factors in SETTINGS.values()]
    tables = judge_network(name, draws, ways=ways)
    found = {}
    for setting, table in zip(SETTINGS, tables, strict=True):
        right, wrong = table.total(("right", "odd")), table.total(("wrong",), " 32")
        found[setting] = Counter(
            right=right["n"],
            ok=right["ok"],
            accused=right["mode convicted"] + right["order convicted"],
            wrong=wrong["n"],
            fixed=wrong["fixed right"],
            missed=table.total(("wrong",))["ok"],
        )
    return found


def worth(counts: Counter) -> float:
    """Returns how well a setting serves some networks; -1 if it accuses right input."""
    if counts["accused"]:
        return -1.0
    return counts["fixed"] / max(counts["wrong"], 1) + counts["ok"] / max(counts["right"], 1)


def leave_one_out(found: dict[str, dict[str, Counter]]) -> None:
    """Prints the table of all settings, and what each network gets from the others' choice."""
    for setting in SETTINGS:
        total = sum((counts[setting] for counts in found.values()), Counter())
        print(f"{setting:28s} {in_words(total)}")
    total = Counter()
    for name in found:
        others = [counts for other, counts in found.items() if other != name]
        # `max` takes the first of equals, so the limits stay as they are without a reason.
        chosen = max(SETTINGS, key=lambda s: worth(sum((c[s] for c in others), Counter())))
        total += found[name][chosen]
        print(f"  without {name:26s} {chosen:28s} {in_words(found[name][chosen])}")
    print(f"{'left out':28s} {in_words(total)}")


def in_words(counts: Counter) -> str:
    return (
        f"right input accused {counts['accused']}/{counts['right']}, "
        f"ok {share(counts['ok'], counts['right'])}; wrong mode ok {counts['missed']}, "
        f"with the right fix {share(counts['fixed'], counts['wrong'])}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loaders", type=Path, help="folder of the loaders, see verdicts.py")
    parser.add_argument("--networks", nargs="+", help="default: all that can be loaded")
    parser.add_argument("--draws", type=int, default=1, help="draws of 8 and of 32 photos each")
    parser.add_argument("--save", type=Path, help="JSON file for the counts, renewed as they come")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="files of --save to add")
    arguments = parser.parse_args()
    names = arguments.networks or ([] if arguments.add else [n for n in OWN if "folded" not in n])
    if arguments.loaders:
        sys.path.insert(0, str(arguments.loaders.resolve()))
        if not arguments.networks and not arguments.add:
            names = [*loaders_in(arguments.loaders), *OWN]
    found: dict[str, dict[str, Counter]] = {}
    for path in arguments.add:
        for name, settings in json.loads(path.read_text()).items():
            found[name] = {setting: Counter(counts) for setting, counts in settings.items()}
    for name in names:
        found[name] = counts_of(name, arguments.draws)
        print(f"{name}: as they are: {in_words(found[name]['as they are'])}", flush=True)
        keras.backend.clear_session()
        if arguments.save:
            arguments.save.write_text(json.dumps(found, indent=1))
    leave_one_out(found)


if __name__ == "__main__":
    main()

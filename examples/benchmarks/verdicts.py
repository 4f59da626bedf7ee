"""Preprocessing verdict benchmark on networks of other authors, on which nothing was tuned.

    python examples/benchmarks/verdicts.py --loaders ../shared/wild
    python examples/benchmarks/verdicts.py --networks lite0 lite0_unit --draws 4

Every network is fed photos in ten conventions (five modes, RGB and BGR), photos that look odd but
are right (with a colour cast, pale, dark, low in contrast, gray), garbled photos (in a wrong memory
layout or colour space), and photos that were scaled twice. Every verdict comes from `judge`, the
function behind `diagnose` and `ShiftGuard`, on draws of 8 and of 32 photos. Wrong modes and wrong
channel orders are counted separately. Without `--loaders`, only the networks of
`verdict_networks.py` can be judged, except for `lite0_folded`, whose batch norm is folded by the
`common.py` of the loaders. To save time, each photo runs only once in each convention. This is
exact: in inference the effect of a photo on features and batch norm does not depend on the rest of
its batch.

A loader is a module in the folder. It defines `build()`, which returns the network, `HAS_BN`
(whether the network has batch norm), `SIZE` (the side of its images) and `TRUE` (the arguments of
the `InputConvention` that the network expects). Loaders are recognized by a line that begins with
`SIZE, TRUE`, such as `SIZE, TRUE = 224, ("torch", "rgb")`. The folder also has a `common.py` with
`photos(size)` and `fold_batch_norm(model)`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import nullcontext
from functools import reduce
from operator import add
from pathlib import Path

import keras
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import photos as own_photos
from preprocessing import CONVENTIONS, Remembering, _signature, short
from verdict_networks import OWN, load

from keras_shiftguard import InputConvention, diagnose, profile
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.instrument.network_features import FeatureReader, Features
from keras_shiftguard.preprocessing import verdict as verdict_module
from keras_shiftguard.preprocessing.expected.stated import attached_conventions
from keras_shiftguard.preprocessing.verdict import judge

SEED = 50261


class RememberingReader(FeatureReader):
    """Features with a cache: each view of each photo runs once in each convention."""

    known: dict[tuple, tuple] = {}

    def __call__(self, inputs: dict) -> Features | None:
        (images,) = inputs.values()
        keys = [_signature(image) + (float(image[0, 0, 0]),) for image in images]
        missing = [i for i, key in enumerate(keys) if key not in self.known]
        if missing:
            found = super().__call__({name: x[missing] for name, x in inputs.items()})
            if found is None:
                return None
            for row, i in enumerate(missing):
                logits = None if found.logits is None else found.logits[row]
                self.known[keys[i]] = (found.penultimate[row], logits)
        rows = [self.known[key] for key in keys]
        logits = None if rows[0][1] is None else np.stack([row[1] for row in rows])
        return Features(np.stack([row[0] for row in rows]), logits)


def loaders_in(folder: Path) -> list[str]:
    """Returns the names of the modules in a folder that load a network."""
    texts = {path.stem: path.read_text() for path in sorted(folder.glob("*.py"))}
    return [name for name, text in texts.items() if "\nSIZE, TRUE" in text]


def all_photos(size: int | tuple[int, int]) -> np.ndarray:
    """Returns ordinary photos, 0..255; `size` is their side, or their height and width."""
    if not isinstance(size, int):
        height, width = size
        raw = all_photos(max(size))
        top, left = (raw.shape[1] - height) // 2, (raw.shape[2] - width) // 2
        return raw[:, top : top + height, left : left + width]
    try:
        from common import photos
    except ImportError:
        raw = own_photos.imagenet_photos(size)[0]
        return np.concatenate([raw, np.stack(list(own_photos.odd_photos(size).values()))[:12]])
    return photos(size)[0]


def odd_feeds(raw: np.ndarray) -> dict[str, np.ndarray]:
    """Returns photos that are right but look odd; 8-bit, unless the key says otherwise."""
    sky = np.array([110.0, 160.0, 235.0])
    odd = {
        "red x .6": raw * [0.6, 1, 1],
        "blue x .5": raw * [1, 1, 0.5],
        "blue sky": raw * 0.6 + sky * 0.4,
        "pale": 135 + raw * (120 / 255),
        "dark": raw * 0.4,
        "low contrast": 80 + raw * 0.35,
        "gray": np.repeat(raw.mean(axis=-1, keepdims=True), 3, axis=-1),
    }
    found = {name: np.round(x) for name, x in odd.items()}
    found["pale, resized in float"] = 135 + raw * (119.6 / 255) + 0.37
    return found


def garbled_feeds(raw: np.ndarray) -> dict[str, np.ndarray]:
    """Returns photos in a wrong memory layout or colour space, 0..255."""
    n, height, width, _ = raw.shape
    planes = np.ascontiguousarray(raw.transpose(0, 3, 1, 2))
    spaces = {
        space: np.stack(
            [np.asarray(Image.fromarray(x.astype("uint8")).convert(space)) for x in raw]
        ).astype("float64")
        for space in ("YCbCr", "HSV")
    }
    return {
        "channels first as last": planes.reshape(n, height, width, 3),
        "channels last as first": raw.reshape(n, 3, height, width).transpose(0, 2, 3, 1),
        **spaces,
    }


class Table:
    """Verdicts of one network, counted by the kind of the feed and the number of photos.

    `front` is whether the network has batch norm near its input. `predictions` is the cost of
    `diagnose` as a multiple of one `predict`.
    """

    def __init__(self, name: str, true: str, front: bool) -> None:
        self.name, self.true, self.front = name, true, front
        self.predictions = float("nan")
        self.counts: dict[str, Counter] = defaultdict(Counter)

    def total(self, kinds: tuple[str, ...], photos: str = "") -> Counter:
        """Returns the counts of some kinds of feeds together."""
        chosen = [c for k, c in self.counts.items() if k.startswith(kinds) and k.endswith(photos)]
        return sum(chosen, Counter())

    def add(
        self, kind: str, fed: InputConvention, true: InputConvention, found, fed_images, right
    ) -> None:
        """Counts one verdict, under the kind of the feed and the number of photos.

        `right` are the images as the network expects them, if the fix is to be checked on them.
        """
        counts = self.counts[kind]
        counts["n"] += 1
        counts[found.status] += 1
        convicts_mode = found.status == "mismatch" and found.expected.mode != found.observed.mode
        convicts_order = (
            found.status == "mismatch"
            and found.expected.channel_order != found.observed.channel_order
        )
        counts["mode convicted"] += convicts_mode
        counts["order convicted"] += convicts_order and not convicts_mode
        hinted = any(h.name == "channel_order" for h in found.hints)
        counts["swap named"] += hinted or (convicts_order and not convicts_mode)
        named = found.expected.mode == true.mode
        counts["expected named"] += named
        counts["expected wrong"] += (
            not named and found.expected.is_known and found.status != "unknown"
        )
        counts["named right"] += convicts_mode and named and found.observed.mode == fed.mode
        counts["fixed right"] += (
            convicts_mode and named and found.observed.mode == fed.mode and found.fix is not None
        )
        if right is not None:
            counts["repaired"] += repairs(found, fed_images, right)
        counts["garbled named"] += bool(found.garbled)
        counts["garbled hinted"] += any(h.name == "garbled" for h in found.hints)


def scaled_twice(convention: InputConvention, raw: np.ndarray) -> np.ndarray:
    """Returns photos to which the scaling of a convention was applied twice."""
    return convention.from_raw(convention.from_raw(raw))


def repairs(found, images: np.ndarray, right: np.ndarray) -> bool:
    """Returns whether a verdict has a fix that brings images back, to 2 % of their range."""
    if found.status != "mismatch" or found.fix is None:
        return False
    fixed = np.asarray(found.fix(images.astype("float32")))
    return bool(np.abs(fixed - right).max() <= 0.02 * np.ptp(right))


def attached(network: tuple) -> dict[str | None, InputConvention]:
    """Returns what a profile of right photos shows, once it is attached to the saved model."""
    model, size, true, _ = network
    right = profile(true.from_raw(np.round(all_photos(size))), model=model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        right.attach(path)
        found, silent = attached_conventions(path, model)
    print(silent or f"    the attached profile shows {found}", file=sys.stderr)
    return found


def judge_network(name: str, draws: int, states: str = "", ways=None) -> list[Table]:
    """Judges a network on all feeds.

    Args:
        name: Name of the network.
        draws: Draws of 8 and of 32 photos each.
        states: Who states the convention of the network: "" for nobody, "expects" for the argument,
            "attached" for a profile that is attached to the saved model.
        ways: Context managers, one for each time that the network is judged. Together they run
            the network hardly more often than one of them alone.
    """
    network = load(name)
    evidence = Remembering(network[0])
    RememberingReader.known.clear()
    verdict_module.FeatureReader = RememberingReader
    stated = {None: network[2]} if states == "expects" else None
    stated = attached(network) if states == "attached" else stated
    tables = []
    for way in ways or [nullcontext()]:
        with way:
            tables.append(judge_feeds(name, network, evidence, draws, stated))
    return tables


def judge_feeds(
    name: str, network: tuple, evidence: Remembering, draws: int, stated: dict | None
) -> Table:
    """Returns the verdicts on all feeds, counted; `stated` is that of `judge`."""
    model, size, true, front = network
    table = Table(name, short(true), front)
    raw = np.round(all_photos(size))
    random = np.random.default_rng(SEED)
    # The photos of a small draw are also in the large draw, so they need not run twice.
    large = [random.permutation(len(raw))[:32] for _ in range(draws)]
    chosen = [(8, [group[:8] for group in large]), (32, large)]

    def feed(kind: str, images: np.ndarray, fed: InputConvention, right=None) -> None:
        profiles = [profile_of([({"input": x[None]}, None)], details=False) for x in images]
        for n, groups in chosen:
            for group in groups:
                profile = reduce(add, (profiles[i] for i in group))
                samples = {"input": images[group]}
                found = judge(model, samples, profile, evidence=evidence, stated=stated)
                good = None if right is None else right[group]
                table.add(f"{kind} {n}", fed, true, found, images[group], good)
                verdict = f"{found.status} {short(found.expected)} <- {short(found.observed)}"
                print(f"    {name} {kind} {n} fed {short(fed)}: {verdict}", file=sys.stderr)
                for sentence in found.evidence:
                    print(f"        {sentence}", file=sys.stderr)

    if true.channel_order == "gray":
        raw = np.round(raw @ [[0.299], [0.587], [0.114]])
        conventions = [InputConvention(mode, "gray") for mode in ("raw", "unit", "tf")]
        odd = {what: odd_feeds(raw)[what] for what in ("pale", "dark", "low contrast")}
        garbled = {}
    else:
        conventions, odd, garbled = CONVENTIONS, odd_feeds(raw), garbled_feeds(raw)
    if true not in conventions:
        feed("right", true.from_raw(raw), true)
    for convention in conventions:
        kind = "wrong mode"
        if convention.mode == true.mode:
            kind = "right" if convention.channel_order == true.channel_order else "swapped"
        feed(kind, convention.from_raw(raw), convention)
    for what, images in odd.items():
        feed(f"odd ({what})", true.from_raw(np.clip(images, 0, 255)), true)
    for what, images in garbled.items():
        feed(f"garbled ({what})", true.from_raw(images), true)
    for convention in dict.fromkeys([true, *conventions]):
        is_swapped = convention.channel_order != true.channel_order
        if convention.mode != "raw" and not is_swapped:
            images = scaled_twice(convention, raw)
            feed(f"twice ({convention.mode})", images, convention, true.from_raw(raw))
    return table


def cost(name: str) -> float:
    """Returns the CPU time of `diagnose` on 32 photos, divided by that of one `predict`."""
    model, size, true, _ = load(name)
    raw = all_photos(size)
    raw = np.concatenate([raw, raw[:, :, ::-1]])[:32]
    is_gray = true.channel_order == "gray"
    raw = raw.mean(axis=-1, keepdims=True) if is_gray else raw
    images = InputConvention("unit", "gray" if is_gray else "rgb").from_raw(raw)
    verdict_module.FeatureReader = FeatureReader
    for _ in range(2):
        start = time.process_time()
        model.predict(images, verbose=0)
        prediction = time.process_time() - start
    start = time.process_time()
    diagnose(model, images)
    return (time.process_time() - start) / prediction


def share(hits: int, of: int) -> str:
    return f"{hits}/{of} = {100 * hits / of:.0f} %" if of else "-"


def summary(tables: list[Table]) -> None:
    """Prints the rows that matter to a user, over all networks.

    A head may be trained on input that its backbone does not expect. What is wrong for the head may
    then be right for the backbone. So such networks count only in the rows on right input.
    """
    heads = [t for t in tables if "head" in t.name]
    front = [t for t in tables if t.front and t not in heads]
    rest = [t for t in tables if not t.front and t not in heads]

    def over(chosen: list[Table], kinds: tuple[str, ...], photos: str = "") -> Counter:
        return sum((t.total(kinds, photos) for t in chosen), Counter())

    right = over(tables, ("right", "odd"))
    print(f"\n{len(tables)} networks, {len(front)} of them with batch norm in front")
    rows = [
        ("right input called 'mismatch' of the mode", share(right["mode convicted"], right["n"]))
    ]
    rows.append(
        (
            "right input called 'mismatch' of the channel order",
            share(right["order convicted"], right["n"]),
        )
    )
    for words, chosen in (("batch norm in front", front), ("else", rest)):
        wrong, large = over(chosen, ("wrong",)), over(chosen, ("wrong",), " 32")
        swapped = over(chosen, ("swapped",))
        garbled, twice = over(chosen, ("garbled",)), over(chosen, ("twice",))
        named = garbled["garbled named"] + garbled["garbled hinted"]
        ok = over(chosen, ("right", "odd"))
        rows += [
            (f"wrong mode called 'ok', {words}", share(wrong["ok"], wrong["n"])),
            (
                f"wrong mode with the right fix, 32 photos, {words}",
                share(large["fixed right"], large["n"]),
            ),
            (
                f"swapped channels named or hinted, {words}",
                share(swapped["swap named"], swapped["n"]),
            ),
            (f"garbled photos named or hinted, {words}", share(named, garbled["n"])),
            (f"garbled photos called 'ok', {words}", share(garbled["ok"], garbled["n"])),
            (
                f"photos scaled twice, with the right fix, {words}",
                share(twice["repaired"], twice["n"]),
            ),
            (f"photos scaled twice, called 'ok', {words}", share(twice["ok"], twice["n"])),
            (f"right input called 'ok', {words}", share(ok["ok"], ok["n"])),
        ]
    every = over(front + rest, ("right", "wrong", "swapped", "odd"))
    rows.append(
        (
            "wrong expected mode in a verdict other than 'unknown'",
            share(every["expected wrong"], every["n"]),
        )
    )
    costs = [t.predictions for t in tables if t.predictions == t.predictions]
    if costs:
        rows.append(
            ("diagnose, in predictions of the 32 photos", f"{min(costs):.1f} to {max(costs):.1f}")
        )
    for words, value in rows:
        print(f"  {words:64s}{value}")


def saved(path: Path) -> list[Table]:
    """Returns the tables in a file of `--save`."""
    tables = []
    for name, found in json.loads(path.read_text()).items():
        table = Table(name, found["true"], found["front"])
        table.predictions = found["predictions"]
        table.counts = defaultdict(Counter, {k: Counter(c) for k, c in found["counts"].items()})
        tables.append(table)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loaders", type=Path, help="folder of the loaders")
    parser.add_argument("--networks", nargs="+", help="default: all that can be loaded")
    parser.add_argument("--draws", type=int, default=2, help="draws of 8 and of 32 photos each")
    parser.add_argument(
        "--stated",
        nargs="?",
        default="",
        const="expects",
        choices=["expects", "attached"],
        help="say what each network expects: as by `expects=`, or by an attached profile",
    )
    parser.add_argument("--save", type=Path, help="JSON file for the counts")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="files of --save to add")
    arguments = parser.parse_args()
    if arguments.loaders:
        sys.path.insert(0, str(arguments.loaders.resolve()))
    names = arguments.networks or [name for name in OWN if name != "lite0_folded"]
    if arguments.loaders and not arguments.networks:
        names = [*loaders_in(arguments.loaders), *OWN]
    tables = [table for path in arguments.add for table in saved(path)]
    if arguments.add and not arguments.networks:
        names = []
    for name in names:
        (table,) = judge_network(name, arguments.draws, arguments.stated)
        tables.append(table)
        print(f"\n{name}, trained on {table.true}")
        for kind, counts in table.counts.items():
            words = ", ".join(f"{word} {count}" for word, count in counts.items() if count)
            print(f"  {kind}: {words}", flush=True)
        keras.backend.clear_session()
        table.predictions = cost(name)
        print(f"  diagnose costs {table.predictions:.1f} predictions of the 32 photos", flush=True)
    if arguments.save:
        found = {
            t.name: {
                "true": t.true,
                "front": t.front,
                "predictions": t.predictions,
                "counts": {kind: dict(counts) for kind, counts in t.counts.items()},
            }
            for t in tables
        }
        arguments.save.write_text(json.dumps(found, indent=1))
    summary(tables)


if __name__ == "__main__":
    main()

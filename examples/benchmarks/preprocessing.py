"""Preprocessing verdict benchmark: how often the verdict is right, on real weights and photos.

    python examples/benchmarks/preprocessing.py expected
    python examples/benchmarks/preprocessing.py confusion
    python examples/benchmarks/preprocessing.py false-alarms
    python examples/benchmarks/preprocessing.py repair
    python examples/benchmarks/preprocessing.py architectures

The network is EfficientNet-Lite0 with its ImageNet weights. The weights of its first layer are
changed (folded) for every convention in turn (examples/lite0.py), so one network stands for ten.
The photos are the twenty labelled ones of foolbox, and those of scikit-image and scikit-learn.
Every verdict comes from `judge`, the function behind `diagnose` and `ShiftGuard`, on draws of a
fixed seed. The thresholds were chosen on draws of other seeds. To save time, each photo runs only
once through each layer for each hypothesis (a convention that the network may expect), and the
result is cached. This is exact, because the effect of an image on batch norm does not depend on the
rest of its batch.

Intervals are Clopper-Pearson, 95 %. The draws of one command share twenty photos, so they are
less independent than the intervals assume.
"""

import argparse
import io
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).parents[1]))
import lite0
import photos

from keras_shiftguard import InputConvention, InputProfile
from keras_shiftguard.conventions import MODES
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.verdict import judge

CONVENTIONS = [InputConvention(mode, order) for mode in MODES for order in ("rgb", "bgr")]
SEED = 20260


class Remembering(BatchNormEvidence):
    """Batch-norm evidence with a cache: each image runs once for each hypothesis."""

    def __init__(self, model: object) -> None:
        super().__init__(model)
        self.known: dict[tuple, dict] = {}

    def _statistics(self, inputs: dict, layers: list) -> dict:
        (images,) = inputs.values()
        names = {id(layer): layer.name for layer in layers}
        keys = [(len(layers), layers[-1].name, *_signature(image)) for image in images]
        missing = [i for i, key in enumerate(keys) if key not in self.known]
        for start in range(0, len(missing), 16):
            some = missing[start : start + 16]
            run = super()._statistics({"input": images[some]}, layers)
            for row, i in enumerate(some):
                self.known[keys[i]] = {
                    names[layer]: tuple(np.array(values[row]) for values in pair)
                    for layer, pair in run.items()
                }
        rows = [self.known[key] for key in keys]
        return {
            layer: tuple(np.stack([row[name][k] for row in rows]) for k in (0, 1))
            for layer, name in names.items()
            if name in rows[0]
        }


def _signature(image: np.ndarray) -> tuple[float, ...]:
    """Returns a key that tells photos and hypotheses apart, and ignores float32 rounding."""
    image = image[::5, ::5].astype("float64")
    half = len(image) // 2
    quarters = image[:half, :half], image[half:, :half], image[:half, half:], image[half:, half:]
    means = np.concatenate([q.reshape(-1, q.shape[-1]).mean(0) for q in quarters])
    spread = image.std()
    return tuple(float(f"{m:.3g}") for m in (spread, *means / (spread + 1e-9)))


class Network:
    """One folded network, with its batch-norm evidence."""

    def __init__(self, expected: InputConvention) -> None:
        self.expected = expected
        self.model = lite0.build(expected)
        self.evidence = Remembering(self.model)

    def judge(self, feed: "Feed", chosen: np.ndarray) -> Diagnosis:
        images = {"input": feed.images[chosen]}
        return judge(self.model, images, feed.profile(chosen), evidence=self.evidence)


class Feed:
    """Photos in one convention, with the profile of each."""

    def __init__(self, raw: np.ndarray, convention: InputConvention) -> None:
        self.convention = convention
        self.images = convention.from_raw(raw)
        self._profiles: dict[int, InputProfile] = {}

    def profile(self, chosen: np.ndarray) -> InputProfile:
        for i in set(chosen.tolist()) - set(self._profiles):
            self._profiles[i] = profile_of(
                [({"input": self.images[i : i + 1]}, None)], details=False
            )
        return reduce(add, (self._profiles[i] for i in chosen.tolist()))


def named_right(diagnosis: Diagnosis, expected: InputConvention, fed: InputConvention) -> bool:
    """Returns whether the verdict is right on both modes, and on swapping red and blue."""
    found = diagnosis.expected, diagnosis.observed
    if (found[0].mode, found[1].mode) != (expected.mode, fed.mode):
        return False
    swapped = found[0].channel_order != found[1].channel_order
    return swapped == (expected.channel_order != fed.channel_order)


def interval(hits: int, of: int) -> str:
    low = beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return f"{hits}/{of} = {100 * hits / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def short(convention: InputConvention) -> str:
    return f"{convention.mode}/{convention.channel_order}"


def progress(items: list, what: str) -> Iterator:
    """Yields the items, and shows the progress in a line on stderr."""
    start = time.monotonic()
    for number, item in enumerate(items):
        spent = time.monotonic() - start
        print(f"\r{what} {number}/{len(items)}, {spent:.0f} s ", end="", file=sys.stderr)
        yield item
    print(f"\r{' ' * 40}\r", end="", file=sys.stderr)


def expected(draws: int, seed: int) -> None:
    """Table 1: what the model expects, from 8 and from 4 unlabelled photos."""
    raw, _ = photos.imagenet_photos()
    rng = np.random.default_rng(seed)
    chosen = {n: [rng.choice(20, n, replace=False) for _ in range(draws)] for n in (8, 4)}
    feeds = [Feed(raw, c) for c in (CONVENTIONS[0], CONVENTIONS[1])]
    print("Each model is fed raw RGB and raw BGR in turn. A verdict counts as right if it names")
    print("the expected and the fed mode, and says whether red and blue are swapped.")
    print(f"{'model expects':12} {'8 photos':>32} {'4 photos':>32}")
    total: Counter = Counter()
    for convention in progress(CONVENTIONS, "network"):
        network, cells = Network(convention), []
        for n, sets in chosen.items():
            hits = 0
            for i, some in enumerate(sets):
                feed = feeds[i % 2]
                hits += named_right(network.judge(feed, some), convention, feed.convention)
            total[n] += hits
            cells.append(interval(hits, draws))
        print(f"{short(convention):12} {cells[0]:>32} {cells[1]:>32}", flush=True)
    cells = [interval(total[n], draws * len(CONVENTIONS)) for n in (8, 4)]
    print(f"{'all':12} {cells[0]:>32} {cells[1]:>32}")


def confusion(draws: int, seed: int) -> None:
    """Table 2: every convention, fed to a model that expects every other one."""
    raw, _ = photos.imagenet_photos()
    rng = np.random.default_rng(seed)
    sets = [rng.choice(20, 16, replace=False) for _ in range(draws)]
    feeds = [Feed(raw, c) for c in CONVENTIONS]
    print(f"Draws of 16 photos, {draws} a cell: detected / named rightly. Diagonal: right / all.")
    print(f"{'expects, fed:':13}" + "".join(f"{short(c):>10}" for c in CONVENTIONS))
    detected = named = wrong = accused = right = 0
    for convention in progress(CONVENTIONS, "network"):
        network, row = Network(convention), []
        for feed in feeds:
            found = [network.judge(feed, some) for some in sets]
            flagged = sum(d.status == "mismatch" for d in found)
            if feed.convention == convention:
                row.append(f"{draws - flagged}/{draws}")
                accused, right = accused + flagged, right + draws
                continue
            good = sum(
                d.status == "mismatch" and named_right(d, convention, feed.convention)
                for d in found
            )
            detected, named, wrong = detected + flagged, named + good, wrong + draws
            row.append(f"{flagged}/{good}")
        print(f"{short(convention):13}" + "".join(f"{cell:>10}" for cell in row), flush=True)
    print(f"detected       {interval(detected, wrong)}")
    print(f"named rightly  {interval(named, wrong)}")
    print(f"false alarms on the diagonal  {interval(accused, right)}")


def corrupted(raw: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Returns the photos as bad cameras, strong compression and bad light change them."""
    rng = np.random.default_rng(seed)

    def each(change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
        return np.stack([np.asarray(change(Image.fromarray(x))) for x in raw])

    def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
        def change(image: Image.Image) -> Image.Image:
            image.save(buffer := io.BytesIO(), "JPEG", quality=quality)
            return Image.open(buffer)

        return change

    x = raw.astype("float64")

    def pixels(values: np.ndarray) -> np.ndarray:
        return np.clip(np.round(values), 0, 255).astype("uint8")

    made = {"as they are": raw}
    made |= {f"noise {s}": pixels(x + rng.normal(0, s, x.shape)) for s in (10, 30)}
    made |= {
        f"blur {r}": each(lambda i, r=r: i.filter(ImageFilter.GaussianBlur(r))) for r in (1, 3)
    }
    made |= {f"darkness {d}": pixels(x * d) for d in (0.5, 0.25, 0.1)}
    made |= {f"jpeg {q}": each(jpeg(q)) for q in (30, 8)}
    made |= {"haze": pixels(100 + 0.3 * x), "gray": each(lambda i: i.convert("L").convert("RGB"))}
    return made


def false_alarms(draws: int, seed: int) -> None:
    """Table 3: correctly preprocessed input, much of it unusual, so every mismatch is false."""
    raw, _ = photos.imagenet_photos()
    odd = photos.odd_photos()
    names = list(odd)
    groups = {
        "gray ones": "brick camera coins grass gravel moon page text clock_motion cell".split(),
        "medical": "immunohistochemistry retina microaneurysms cell".split(),
        "documents": "page text".split(),
        "sky": "moon hubble".split(),
        "textures": "brick grass gravel".split(),
    }
    pool = np.concatenate([raw, np.stack(list(odd.values()))])
    kinds = corrupted(pool, seed)
    members = {
        "20 photos": np.arange(20),
        "odd ones, mixed": 20 + np.arange(len(odd)),
        "everything": np.arange(len(pool)),
        **{name: 20 + np.asarray([names.index(n) for n in some]) for name, some in groups.items()},
    }
    rng = np.random.default_rng(seed)
    cells = [(m, k) for m in members for k in kinds]
    plan: list[tuple[int, str, str, np.ndarray]] = []
    for number in range(draws):
        who, kind = cells[number % len(cells)]
        some = rng.choice(members[who], 8, replace=len(members[who]) < 8)
        plan.append((int(rng.integers(len(CONVENTIONS))), who, kind, some))
    by_kind: dict[str, Counter] = {}
    for index in progress(list(range(len(CONVENTIONS))), "network"):
        network = Network(CONVENTIONS[index])
        feeds = {kind: Feed(images, CONVENTIONS[index]) for kind, images in kinds.items()}
        for where, who, kind, some in plan:
            if where == index:
                diagnosis = network.judge(feeds[kind], some)
                for label in ("all", who, kind):
                    by_kind.setdefault(label, Counter())[diagnosis.status] += 1
                if diagnosis.status == "mismatch":
                    print(f"false alarm: {who}, {kind}, {short(CONVENTIONS[index])}\n{diagnosis}")
    print("Draws of 8, rightly preprocessed, over all ten folded networks.")
    print(f"{'':18} {'mismatch':>9} {'ok':>6} {'unknown':>8}")
    for label in ["all", *members, *kinds]:
        count = by_kind.get(label, Counter())
        print(f"{label:18} {count['mismatch']:>9} {count['ok']:>6} {count['unknown']:>8}")
    total = sum(by_kind["all"].values())
    print(f"false alarms  {interval(by_kind['all']['mismatch'], total)}")


def repair(draws: int, seed: int) -> None:
    """Table 4: accuracy with the wrong feed, with `.fix`, and with the right feed."""
    raw, labels = photos.imagenet_photos()
    feeds = [Feed(raw, c) for c in CONVENTIONS]
    everything = np.arange(20)
    print("Top-1 of 20 photos: fed wrongly -> with diagnosis.fix (fed rightly).")
    print(f"{'expects, fed:':13}" + "".join(f"{short(c):>11}" for c in CONVENTIONS))
    worst, off, of = 0, 0, 0
    for convention in progress(CONVENTIONS, "network"):
        network, row = Network(convention), []

        def correct(images: np.ndarray, network: Network = network) -> int:
            found = network.model.predict(images, verbose=0, batch_size=20)
            return int((found.argmax(-1) == labels).sum())

        right = correct(convention.from_raw(raw))
        for feed in feeds:
            if feed.convention == convention:
                row.append(f"({right})")
                continue
            diagnosis = network.judge(feed, everything)
            wrong = correct(feed.images)
            fixed = (
                -99 if diagnosis.fix is None else correct(np.asarray(diagnosis.fix(feed.images)))
            )
            worst = max(worst, abs(fixed - right))
            off, of = off + (abs(fixed - right) > 1), of + 1
            row.append(f"{wrong}->{fixed if fixed >= 0 else 'no fix'}")
        print(f"{short(convention):13}" + "".join(f"{cell:>11}" for cell in row), flush=True)
    print(f"fixed equals right within one image in {of - off} of {of}; furthest off: {worst}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = {
        "expected": (expected, 200),
        "confusion": (confusion, 10),
        "false-alarms": (false_alarms, 480),
        "repair": (repair, 1),
    }
    parser.add_argument("command", choices=[*commands, "architectures"])
    parser.add_argument("--draws", type=int, help="draws for each convention, cell or command")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    if options.command == "architectures":
        script = Path(__file__).with_name("architecture_cases.py")
        sys.exit(subprocess.call([sys.executable, str(script)]))
    run, draws = commands[options.command]
    start = time.monotonic()
    run(options.draws or draws, options.seed)
    print(f"seed {options.seed}, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()

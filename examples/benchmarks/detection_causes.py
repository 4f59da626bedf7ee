r"""Cause naming benchmark: does the named family fit the corruption that was applied?

The corruptions are those of `imagecorruptions` (15 kinds, severities 1 to 5), a package of other
authors, on which the classifier of corruptions was not trained. The data are made once, in two
steps: see `corruptions/clean_images.py` and `corruptions/corrupt.py`.

    python examples/benchmarks/detection_causes.py \
        CLEAN.npz CORRUPTED.npz [--draws 20] [--reference 100] [--current 40]

Every draw takes `--reference` clean images and `--current` corrupted ones; no image is in both. In
the data set `photos`, the two sides are different crops of the same photos, as in a large and mixed
stream. In `apart`, the two sides are disjoint halves of the photos, so that the content shifts as
well. In `half`, only half of the current images are corrupted. Then the script prints the results
for crops that were shrunk with and without antialiasing, and last the families that are named if
only the content shifts. The classifier was trained neither on these photos nor on Fashion-MNIST.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent / "corruptions"))

from clean_images import bicubic, held_out, random_crops
from own_corruptions import RESIZING, bilinear

from keras_shiftguard.detection.causes.corruptions import name_cause
from keras_shiftguard.profiles import FeatureTable, Moments
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import attributes, names

FAMILY = {
    "gaussian_noise": "noise",
    "shot_noise": "noise",
    "impulse_noise": "noise",
    "defocus_blur": "blur",
    "glass_blur": "blur",
    "motion_blur": "blur",
    "zoom_blur": "blur",
    "snow": "weather",
    "frost": "weather",
    "fog": "contrast",
    "contrast": "contrast",
    "brightness": "brightness",
    "elastic_transform": "geometry",
    "pixelate": "resolution",
    "jpeg_compression": "compression",
}
ANTIALIASED, SIDES = (bilinear, bicubic), (224, 128, 64, 32)
DATA = ("photos", "photos/half", "photos/apart", "fashion64", "fashion64/half", "fashion32")


def measured(images: np.ndarray) -> np.ndarray:
    """Returns the attributes of images, `(n, k)`."""
    spec = InputSpec("image", "channels_last", 3, images.shape[1:3])
    parts = [np.asarray(attributes(images[i : i + 50], spec)) for i in range(0, len(images), 50)]
    return np.concatenate(parts)


def table(values: np.ndarray) -> FeatureTable:
    finite = np.isfinite(values)
    count = finite.sum(0)
    mean = np.where(finite, values, 0).sum(0) / np.maximum(count, 1)
    m2 = np.where(finite, (values - mean) ** 2, 0).sum(0)
    spec = InputSpec("image", "channels_last", 3, (None, None))
    return FeatureTable(names(spec), len(values), Moments(count, mean, m2))


def middle(images: np.ndarray) -> np.ndarray:
    start = max(images.shape[1] - 128, 0) // 16 * 8
    return images[:, start : start + 128, start : start + 128]


def families_named(clean, corrupted, data, kind, severity, photo_ids, options, rng):
    """Returns the family of causes that is named in each draw."""
    name, _, how = data.partition("/")
    values, index = corrupted[f"{name}/{kind}/{severity}"], corrupted[f"{name}/{kind}/{severity}/i"]
    named = []
    for _ in range(options.draws):
        reference, current = np.arange(len(clean[name]))[::2], np.arange(len(values))
        if how == "apart":
            photos = rng.permutation(photo_ids.max() + 1)
            first = photos[: len(photos) // 2]
            reference = reference[np.isin(photo_ids[reference], first)]
            current = current[~np.isin(photo_ids[index], first)]
        seen = values[rng.permutation(current)[: options.current]]
        if how == "half":
            whole = rng.permutation(np.arange(len(clean[name]))[1::2])[: len(seen) // 2]
            seen = np.concatenate([seen[len(whole) :], clean[name][whole]])
        reference = clean[name][rng.permutation(reference)[: options.reference]]
        named.append(name_cause(table(reference), table(seen)).family)
    return named


def content_alone(clean, photo_ids, rng, draws=200):
    """Returns how often each family is named, as a share, in comparisons of 4 photos with the rest.

    Nothing is corrupted, so only the content of the photos differs.
    """
    named = []
    for _ in range(draws):
        few = np.isin(photo_ids, rng.permutation(photo_ids.max() + 1)[:4])
        rest, part = table(clean["photos"][~few]), table(clean["photos"][few])
        named.append(name_cause(rest, part).family)
    return {n: named.count(n) / draws for n in sorted(set(named), key=named.count)[::-1]}


def resizing(rng, options):
    """Prints for each size the share of draws, in %, in which a resize filter is named rightly."""
    print("\nphotos shrunk to that many pixels: named resolution, in % of the draws")
    print(" " * 52 + "".join(f"{side:6}" for side in SIDES))
    pools = {
        (how, side): measured(random_crops(held_out(), 16, side, rng, how)[0])
        for how in (*ANTIALIASED, *RESIZING["resolution"]["aliasing"])
        for side in SIDES
    }
    for how in RESIZING["resolution"]["aliasing"]:
        for against in ANTIALIASED:
            right = []
            for side in SIDES:
                named = []
                for _ in range(options.draws):
                    one, other = (rng.permutation(pools[h, side]) for h in (against, how))
                    tables = table(one[: options.reference]), table(other[: options.current])
                    named.append(name_cause(*tables).family == "resolution")
                right.append(100 * np.mean(named))
            what = f"{how.__name__} against {against.__name__}"
            print(f"{what:52}" + "".join(f"{share:6.0f}" for share in right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clean")
    parser.add_argument("corrupted")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--reference", type=int, default=100)
    parser.add_argument("--current", type=int, default=40)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with np.load(options.clean) as file:
        photo_ids = file["photo_ids"]
        clean = {k: measured(middle(file[k])) for k in file.files if k != "photo_ids"}
    with np.load(options.corrupted) as file:
        keys = [k for k in file.files if not k.endswith("/index")]
        corrupted = {k: measured(file[k]) for k in keys}
        corrupted |= {f"{k}/i": file[f"{k}/index"] for k in keys}
    for data in DATA:
        print(
            f"\n{data}: right in % of {options.draws} draws ({options.reference} clean images "
            f"against up to {options.current}), by severity; what else was named at 3 to 5"
        )
        severe, given = [], (clean, corrupted, data)
        for kind, family in FAMILY.items():
            named = [
                families_named(*given, kind, severity, photo_ids, options, rng)
                for severity in range(1, 6)
            ]
            right = [np.mean([n == family for n in names]) for names in named]
            severe += right[2:]
            wrong = Counter(n for names in named[2:] for n in names if n != family)
            shares = "".join(f"{100 * share:5.0f}" for share in right)
            named_text = ", ".join(f"{n} {count}" for n, count in wrong.most_common())
            print(f"{kind:18s} {family:12s}{shares}  {named_text}".rstrip())
        print(f"severity 3 to 5: {100 * np.mean(severe):.1f} %")
    resizing(rng, options)
    shares = content_alone(clean, photo_ids, rng)
    named_text = ", ".join(f"{n} {100 * share:.0f} %" for n, share in shares.items())
    print(f"\nNo corruption, 4 photos against the others: {named_text}")


if __name__ == "__main__":
    main()

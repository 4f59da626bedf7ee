"""Naming the cause: does the named family fit the corruption that was applied?

Corrupts with `imagecorruptions` (15 kinds, severities 1 to 5), which was written by
others and is not what the signatures were learnt from. The data are made once, in
two steps: see `corruptions/clean_images.py` and `corruptions/corrupt.py`.

    PYTHONPATH=examples python examples/benchmarks/detection_causes.py \
        CLEAN.npz CORRUPTED.npz [--draws 20] [--reference 100] [--current 40]

Every draw takes that many clean images and that many corrupted ones, none of them
in both. Photos come in two ways: from the same photos (other crops: what a large
and mixed stream looks like), and from two disjoint halves of the photos, so that
the content shifts as well. Also printed: how often a shift of content alone, without
any corruption, is given a name it does not have.
"""

import argparse

import numpy as np

from keras_shiftguard.detection.causes import cause_of_tables
from keras_shiftguard.profiles import FeatureTable, Moments
from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec

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
SEVERE = (3, 4, 5)


def measured(images: np.ndarray) -> np.ndarray:
    """Attributes, `(n, k)`."""
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


def rows_of(clean, corrupted, data, kind, severity, photo_ids, options, rng):
    """Named families over the draws."""
    name = data.removesuffix("/apart")
    values, index = corrupted[f"{name}/{kind}/{severity}"], corrupted[f"{name}/{kind}/{severity}/i"]
    named = []
    for _ in range(options.draws):
        reference, current = np.arange(len(clean[name]))[::2], np.arange(len(values))
        if data.endswith("/apart"):
            photos = rng.permutation(photo_ids.max() + 1)
            first = photos[: len(photos) // 2]
            reference = reference[np.isin(photo_ids[reference], first)]
            current = current[~np.isin(photo_ids[index], first)]
        reference = rng.permutation(reference)[: options.reference]
        current = rng.permutation(current)[: options.current]
        cause = cause_of_tables(table(clean[name][reference]), table(values[current]))
        named.append(cause.family)
    return named


def content_alone(clean, photo_ids, rng, draws=200):
    """Families named where nothing but the content differs: 4 photos against the others."""
    named = []
    for _ in range(draws):
        few = np.isin(photo_ids, rng.permutation(photo_ids.max() + 1)[:4])
        rest, part = table(clean["photos"][~few]), table(clean["photos"][few])
        named.append(cause_of_tables(rest, part).family)
    return {n: named.count(n) / draws for n in sorted(set(named), key=named.count)[::-1]}


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
    for data in ("photos", "photos/apart", "fashion64", "fashion32"):
        print(
            f"\n{data}: right in % of {options.draws} draws ({options.reference} clean images "
            f"against up to {options.current}), by severity"
        )
        severe = []
        for kind, family in FAMILY.items():
            cells, wrong = [], {}
            for severity in range(1, 6):
                named = rows_of(clean, corrupted, data, kind, severity, photo_ids, options, rng)
                right = np.mean([n == family for n in named])
                cells.append(right)
                if severity in SEVERE:
                    severe.append(right)
                    for n in named:
                        wrong[n] = wrong.get(n, 0) + (n != family)
            wrong = {k: v for k, v in sorted(wrong.items(), key=lambda i: -i[1]) if v}
            print(
                f"{kind:18s} {family:12s}" + "".join(f"{100 * c:5.0f}" for c in cells),
                f"  {wrong}" if wrong else "",
            )
        print(f"severity 3 to 5: {100 * np.mean(severe):.1f} %")
    shares = content_alone(clean, photo_ids, rng)
    said = ", ".join(f"{n} {100 * share:.0f} %" for n, share in shares.items())
    print(f"\nNo corruption, 4 photos against the others: {said}")


if __name__ == "__main__":
    main()

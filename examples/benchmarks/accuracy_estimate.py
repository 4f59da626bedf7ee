"""Accuracy without labels: the error of each estimation method under 40 shifts.

    python examples/benchmarks/accuracy_estimate.py --data fashion photos --seeds 0 1 2

The model is a small CNN. There are 1,000 labelled reference images, and 1,000 unlabelled images
under each shift (400 and 397 digits). The shifts are those of `alarms.py` and harsher ones. Where
`estimate_accuracy` gives no answer, the error of its method ATC (average thresholded confidence)
counts in its place. Constants were chosen on photos and on the shifts with an even number in the
list, so the others, of Fashion-MNIST and digits, also have a figure of their own ("held out").
Besides, the images are drawn with 20 other class mixes, and nothing else is changed.

The peer is CBPE (confidence-based performance estimation) of NannyML: the mean of the calibrated
confidences, https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import keras
import numpy as np
from alarms import (
    SHIFTS,
    Training,
    accuracy_meter,
    blurred,
    by_image,
    draw,
    network,
    noisy,
    turned,
)
from sklearn.isotonic import IsotonicRegression

import keras_shiftguard as sg
from keras_shiftguard.explain.estimates import estimate as estimates

HARSH = {
    "blur 3": blurred(3.0),
    "noise 80": noisy(80),
    "noise 120": noisy(120),
    "contrast x .3": lambda x, rng: (x - 0.5) * 0.3 + 0.5,
    "darker x .15": lambda x, rng: x * 0.15,
    "2 grey levels": lambda x, rng: np.round(x),
    "turned 40": by_image(lambda image, rng: turned(image, 40)),
    "turned 90": by_image(lambda image, rng: np.rot90(image).copy()),
    "upside down": lambda x, rng: x[:, ::-1],
    "inverted": lambda x, rng: 1 - x,
    "darker and noisy": lambda x, rng: np.clip(x * 0.5 + rng.normal(0, 0.1, x.shape), 0, 1),
    "none": lambda x, rng: x,
}
METHODS = ("ATC", "DoC", "COT", "regression", "BBSE")
MIXES, SPREAD = 20, (0.3, 1.0)  # number of class mixes, and parameters of their Dirichlet draws
SHIFTED = SHIFTS | HARSH


def remember_copies():
    """Makes `estimate_accuracy` use the corrupted copies of a reference again.

    It predicts each set of samples once, and computes the scores of predictions once.
    """
    predict, score, known = estimates._predict, estimates.scores, {}

    def remembered(model, samples):
        (x,) = samples.inputs.values()
        key = id(model), x.shape, hash(x.tobytes())
        if key not in known:
            known[key] = predict(model, samples)
        return known[key]

    def remembered_scores(probabilities, reference):
        key = id(probabilities), reference.accuracy, reference.transport
        if key not in known:
            known[key] = score(probabilities, reference)
        return known[key]

    estimates._predict, estimates.scores = remembered, remembered_scores


def other_mixes(labels, rng):
    """Yields indices of 400 samples or fewer, drawn with other class frequencies."""
    classes = labels.max() + 1
    for number in range(MIXES):
        mix = rng.dirichlet(np.full(classes, SPREAD[number % 2]))
        chosen = []
        for k, share in enumerate(mix):
            ids = np.flatnonzero(labels == k)
            chosen.append(rng.permutation(ids)[: round(400 * share)])
        yield np.concatenate(chosen)


def cbpe(model, reference):
    """Returns a function that estimates the accuracy on images, calibrated on the reference."""
    x, y = reference
    predicted = model.predict(x, batch_size=256, verbose=0)
    calibrate = IsotonicRegression(out_of_bounds="clip")
    calibrate.fit(predicted.max(axis=1), predicted.argmax(axis=1) == y)

    def estimated(images):
        confidence = model.predict(images, batch_size=256, verbose=0).max(axis=1)
        return float(calibrate.predict(confidence).mean())

    return estimated


def errors(data, seed):
    """Returns one row for each shift: the errors of the methods and of `estimate_accuracy`."""
    (x, y), (rx, ry), (ox, oy) = draw(data, seed)
    keras.utils.set_random_seed(seed)
    model = network(x.shape[1:], y.shape[1])
    model.fit(Training(x, y, None, seed), epochs=4, verbose=0)
    reference = rx[:1000], ry[:1000].argmax(axis=1)
    peer, rows = cbpe(model, reference), []

    def measure(name, images, labels, **fields):
        truth = accuracy_meter(model, images, labels)()
        estimate = sg.estimate_accuracy(model, images, reference)
        found = {method: estimate.by_method.get(method, np.nan) for method in METHODS}
        found["CBPE (peer)"] = peer(images)
        row = {method: abs(value - truth) for method, value in found.items()} | fields
        row |= {"data": data, "answered": estimate.value is not None}
        row |= {"answer": row["ATC"], "covered": None}
        if estimate.value is not None:
            low, high = estimate.interval
            row |= {"answer": abs(estimate.value - truth), "covered": low <= truth <= high}
            row["width"] = high - low
        rows.append(row)
        said = "-" if estimate.value is None else f"{estimate.value:.3f}"
        print(f"{data} {seed} {name:18} true {truth:.3f} said {said:6}", end=" ")
        print(*(f"{method} {value:.3f}" for method, value in found.items()), flush=True)
        print(f"    {estimate}", file=sys.stderr)

    for number, (name, change) in enumerate(SHIFTED.items()):
        rng = np.random.default_rng([seed, 2])
        shifted = change(ox[:1000], rng).astype("float32")
        held_out = bool(number % 2) and data != "photos"
        measure(name, shifted, oy[:1000], held_out=held_out, is_mix=False)
    for chosen in other_mixes(oy.argmax(axis=1), np.random.default_rng([seed, 3])):
        measure("other class mix", ox[chosen], oy[chosen], held_out=False, is_mix=True)
    return rows


def summary(words, rows):
    print(f"\n{words}: {len(rows)} shifts; mean error, largest error")
    for method in (*METHODS, "CBPE (peer)", "answer"):
        values = [row[method] for row in rows]
        print(f"  {method:12}{np.nanmean(values):.3f}  {np.nanmax(values):.3f}")
    answered = [row for row in rows if row["answered"]]
    print(f"  answered    {len(answered)}/{len(rows)} = {len(answered) / len(rows):.2f}")
    if answered:
        covered = np.mean([row["covered"] for row in answered])
        width = np.mean([row["width"] for row in answered])
        print(f"  coverage    {covered:.2f}, mean width {width:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", nargs="+", default=["fashion"], choices=("fashion", "photos", "digits")
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    remember_copies()
    rows = [row for data in options.data for seed in options.seeds for row in errors(data, seed)]
    mixes = [row for row in rows if row["is_mix"]]
    rows = [row for row in rows if not row["is_mix"]]
    parts = {"all": rows, "held out": [row for row in rows if row["held_out"]]}
    for data in options.data if len(options.data) > 1 else []:
        parts[data] = [row for row in rows if row["data"] == data]
    parts["other class mixes"] = mixes
    for words, some in parts.items():
        summary(words, some)


if __name__ == "__main__":
    main()

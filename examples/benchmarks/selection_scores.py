"""Which adapted model to choose? Scores without target labels, beside the accuracy on the target.

    python examples/benchmarks/selection_scores.py --save RESULTS.json
    python examples/benchmarks/selection_scores.py --tasks moons --seeds 3 --save RESULTS.json
    python examples/benchmarks/selection_scores.py --show RESULTS.json

Every method is trained on every task of `adaptation_data.py` that is named, and its model is a
candidate after each quarter of the epochs. For each score and task, the script prints the rank
correlation with the accuracy on the held-out target, over the candidates of one seed, and the
points of accuracy that are lost if the candidate with the highest score is taken instead of the
best one. Both figures are means over the seeds. Results are added to the file that `--save` names,
and trainings that the file already holds are skipped.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from adaptation_data import TASKS

from keras_shiftguard.domains.model import DomainAdaptationModel

METHODS = ("source", "augmentation", "dann", "mmd", "coral", "adamatch")
CHEAP = ("cancer-split", "digit-sensors", "signal-gain")
QUARTERS = 4
SCORES = {
    "source": "accuracy on held-out source",
    "importance": "importance-weighted accuracy (Sugiyama et al. 2007)",
    "deep embedded": "deep embedded validation (You et al. 2019)",
    "entropy": "prediction entropy (Morerio et al. 2018)",
    "information": "mutual information of inputs and classes (Shi and Sha 2012)",
    "density": "soft neighbourhood density (Saito et al. 2021)",
}


def unlabelled_scores(model, task):
    """Returns scores by which a model could be chosen without labels of the target, by name.

    For each of `SCORES`, higher is better. Three more values are no scores. `shares` is the total
    variation distance between the predicted class mix of the target and the class mix of the
    source. `confidence` and `source confidence` are the mean of the largest probability, on the
    target and on held-out source.
    """
    p = softmax(model.predict(task.target[0], verbose=0).astype("float64"))
    held_out = softmax(model.predict(task.validation[0], verbose=0).astype("float64"))
    entropy = -(p * np.log(p + 1e-12)).sum(axis=1).mean()
    mean = p.mean(axis=0)
    mix = np.bincount(task.source[1], minlength=p.shape[1]) / len(task.source[1])
    right = held_out.argmax(axis=1) == task.validation[1]
    weights = importance_weights(model, task)
    scores = {
        "source": right.mean(),
        "importance": np.average(right, weights=weights),
        "deep embedded": -deep_embedded_risk(weights, held_out, task.validation[1]),
        "entropy": -entropy,
        "information": -(mean * np.log(mean + 1e-12)).sum() - entropy,
        "density": neighbourhood_density(p[:1000]),
        "shares": 0.5 * np.abs(mean - mix).sum(),
        "confidence": p.max(axis=1).mean(),
        "source confidence": held_out.max(axis=1).mean(),
    }
    return {name: round(float(score), 4) for name, score in scores.items()}


def importance_weights(model, task):
    """Returns the density of the target over that of the source, at each held-out source sample.

    Both densities are those of the features. Their ratio is the odds of a logistic regression that
    tells the domains apart, corrected for the numbers of samples.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inner = keras.Model(model.inputs, model.get_layer("features").output)
    source, target, held_out = (
        inner.predict(x[0], verbose=0) for x in (task.source, task.target, task.validation)
    )
    is_target = np.repeat([0, 1], [len(source), len(target)])
    rule = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    rule.fit(np.concatenate([source, target]), is_target)
    odds = np.exp(np.clip(rule.decision_function(held_out), -20, 20))
    return odds * len(source) / len(target)


def deep_embedded_risk(weights, probabilities, labels):
    """Returns the importance-weighted cross-entropy with a control variate.

    Reference: You et al., "Towards Accurate Model Selection in Deep Unsupervised Domain
    Adaptation", ICML 2019, equations 7 and 8.
    """
    loss = -np.log(probabilities[np.arange(len(labels)), labels] + 1e-12)
    weighted = weights * loss
    variance = weights.var()
    slope = -np.cov(weighted, weights, ddof=0)[0, 1] / variance if variance > 0 else 0.0
    return weighted.mean() + slope * (weights.mean() - 1)


def neighbourhood_density(p):
    """Returns the mean entropy of the similarities of each prediction to all others.

    Reference: Saito et al., "Tune it the Right Way: Unsupervised Validation of Domain Adaptation
    via Soft Neighborhood Density", ICCV 2021.
    """
    unit = p / np.linalg.norm(p, axis=1, keepdims=True)
    near = unit @ unit.T / 0.05
    np.fill_diagonal(near, -np.inf)
    near = softmax(near)
    return -(near * np.log(near + 1e-12)).sum(axis=1).mean()


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Candidates(keras.callbacks.Callback):
    """Keras callback that measures the model after each quarter of the epochs."""

    def __init__(self, base, task, record):
        super().__init__()
        self.base, self.task, self.record = base, task, record
        self.after = {round(task.epochs * q / QUARTERS): q for q in range(1, QUARTERS + 1)}
        self.found = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in self.after:
            x, y = self.task.test
            right = self.base.predict(x, verbose=0).argmax(axis=1) == y
            self.found.append(
                self.record
                | {"quarter": self.after[epoch + 1], "accuracy": float(right.mean())}
                | {"scores": unlabelled_scores(self.base, self.task)}
            )


def train(task_name, method, seed):
    """Returns the records of the candidates of one training."""
    task = TASKS[task_name](seed)
    keras.utils.set_random_seed(seed)
    model = task.network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained, data = model, {}
    if method != "source":
        trained = DomainAdaptationModel(model, "features", method=method, verbose=0)
        data = {"target_data": task.target[0]}
    trained.compile(keras.optimizers.Adam(1e-3), loss)
    candidates = Candidates(model, task, {"task": task_name, "method": method, "seed": seed})
    settings = {"epochs": task.epochs, "batch_size": task.batch, "verbose": 0}
    trained.fit(*task.source, **data, **settings, callbacks=[candidates])
    return candidates.found


def choices(records, score):
    """Returns rank correlations and losses of accuracy, in points, for each seed of one task."""
    from scipy.stats import spearmanr

    groups = {}
    for record in records:
        groups.setdefault(record["seed"], []).append(record)
    correlations, losses = [], []
    for group in groups.values():
        accuracy = np.asarray([record["accuracy"] for record in group])
        if score is None:  # a candidate at random
            losses.append(100 * (accuracy.max() - accuracy.mean()))
            continue
        values = np.asarray([record["scores"][score] for record in group])
        varies = np.ptp(values) > 0 and np.ptp(accuracy) > 0
        # A score that is the same for all candidates orders none of them.
        correlations.append(spearmanr(values, accuracy).statistic if varies else 0.0)
        chosen = accuracy[values == values.max()].mean()  # the mean over ties
        losses.append(100 * (accuracy.max() - chosen))
    return correlations, losses


def tables(records):
    last = [record for record in records if record["quarter"] == QUARTERS]
    print("| task | seeds | " + " | ".join(METHODS) + " |")
    print("|---|---" + "|---" * len(METHODS) + "|")
    tasks = list(dict.fromkeys(r["task"] for r in records))
    for task in tasks:
        cells = []
        for method in METHODS:
            found = [r["accuracy"] for r in last if (r["task"], r["method"]) == (task, method)]
            cells.append(f"{np.mean(found):.3f}" if found else "")
        seeds = len({r["seed"] for r in records if r["task"] == task})
        print(f"| {task} | {seeds} | " + " | ".join(cells) + " |")
    print("\n| score |" + "".join(f" {t}: rank correlation | points lost |" for t in tasks))
    print("|---" + "|---|---" * len(tasks) + "|")
    for score in (*SCORES, None):
        row = f"| {SCORES[score] if score else 'one candidate at random'} |"
        for task in tasks:
            correlations, losses = choices([r for r in records if r["task"] == task], score)
            rank = f"{np.mean(correlations):.2f}" if score else ""
            row += f" {rank} | {np.mean(losses):.1f} |"
        print(row)


def read(path):
    return json.loads(path.read_text()) if path.is_file() else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(CHEAP), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--save", type=Path, help="a JSON file to which the results are added")
    parser.add_argument("--show", nargs="+", type=Path, help="print the tables of these files")
    arguments = parser.parse_args()
    if arguments.show:
        tables([record for path in arguments.show for record in read(path)])
        return
    records = read(arguments.save) if arguments.save else []
    done = {(r["task"], r["method"], r["seed"]) for r in records}
    for seed in range(arguments.seeds):
        for task in arguments.tasks:
            for method in METHODS:
                if (task, method, seed) in done:
                    continue
                records += train(task, method, seed)
                print(task, method, seed, *(f"{r['accuracy']:.3f}" for r in records[-QUARTERS:]))
                if arguments.save:
                    arguments.save.write_text(json.dumps(records, indent=0))
    tables(records)


if __name__ == "__main__":
    main()

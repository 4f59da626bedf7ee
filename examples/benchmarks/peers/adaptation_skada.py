"""Four methods of skada 0.6.0 and ours: the same data, initial weights, head and steps.

    pip install --target DIR --no-deps skada==0.6.0 skorch tabulate POT
    PYTHONPATH=DIR KERAS_BACKEND=torch python examples/benchmarks/peers/adaptation_skada.py
    ... adaptation_skada.py --methods cdan mmd coral

Both libraries train on tasks of `../adaptation.py` whose network is made of dense layers.

- `dann`, `cdan`: skada's own head ends in a softmax over one unit, which is always 1. So skada gets
  our head: 100 units and a sigmoid. The reversed gradient of skada has the strength 1 from the
  first step on. In our methods this strength rises to 1, as published. So they are also run with
  the strength 1 from the first step on, to show the effect of the rise.
- `cdan`: in skada the head gets the outer product of features and logits, and the logits get a
  gradient. In the paper, in the code of its authors and in ours, it gets probabilities; in the last
  two, they get no gradient. So skada is run twice, as it is and with these probabilities.
- `coral`: the same formula. skada's `reg` is our weight, 100.
- `mmd`: skada's DAN has 33 kernels `exp(-distance / width)`, and adds them; its estimate contains
  the distance of each sample to itself. Ours has five Gaussian kernels, and takes their mean. So
  skada's `reg` is 1/33.
"""

import argparse
import itertools
import os
import sys
import warnings
from collections import OrderedDict
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import torch
from adaptation import run
from adaptation_data import TASKS
from skada.deep import CDAN, DAN, DANN, DeepCoral
from skada.deep._adversarial import CDANModule
from skada.deep.modules import GradientReversalLayer

from keras_shiftguard.domains.alignment import adversarial
from keras_shiftguard.domains.alignment.discrepancy import CORAL_WEIGHT

RISES, AT_ONCE = adversarial.RAMP_STEEPNESS, 1e9  # steepness of the rise of the reversed gradient
METHODS, ADVERSARIAL = ("dann", "cdan", "mmd", "coral"), ("dann", "cdan")


def of_ours(task_name, seed, method, steepness):
    """Returns the accuracy of our method on the test part of the target."""
    adversarial.RAMP_STEEPNESS = steepness
    return run(task_name, method, seed)["accuracy"]


class Head(torch.nn.Module):
    """Our domain head, behind skada's gradient reversal."""

    def __init__(self, width):
        super().__init__()
        parts = torch.nn.Linear(width, 100), torch.nn.ReLU(), torch.nn.Linear(100, 1)
        self.layers = torch.nn.Sequential(*parts, torch.nn.Sigmoid())

    def forward(self, x, sample_weight=None):
        return self.layers(GradientReversalLayer.apply(x, 1.0)).squeeze()


class Network(torch.nn.Module):
    """A Keras network of dense layers in torch, with the same weights."""

    def __init__(self, model):
        super().__init__()
        dense = []
        for layer in model.layers:
            kernel, bias = layer.get_weights()
            linear = torch.nn.Linear(*kernel.shape)
            linear.weight.data = torch.tensor(kernel.T.copy())
            linear.bias.data = torch.tensor(bias)
            dense.append(linear)
        first, features, last = dense
        layers = {"first": first, "relu": torch.nn.ReLU(), "second": features}
        layers |= {"features": torch.nn.ReLU(), "last": last}
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.order = list(OrderedDict(layers))

    def forward(self, x, sample_weight=None):
        for name in self.order:
            x = getattr(self, name)(x)
        return x


class OnProbabilities(CDANModule):
    """skada's CDAN, whose head gets class probabilities without a gradient in place of logits."""

    def forward(self, X, **kwargs):
        outputs = super().forward(X, **kwargs)
        if not self.training:
            return outputs
        logits, _, features, *others = outputs
        p = logits.softmax(dim=1).detach()
        product = (p[:, :, None] * features[:, None, :]).flatten(1)
        return logits, self.domain_classifier_(product), features, *others


def skadas(method, network, width, classes, **options):
    """Returns skada's method for a network whose features have a width."""
    features = "features"
    if method == "dann":
        return DANN(network, features, domain_classifier=Head(width), **options)
    if method in ("cdan", "cdan, probabilities"):
        net = CDAN(network, features, domain_classifier=Head(width * classes), **options)
        return net if method == "cdan" else net.set_params(module=OnProbabilities)
    if method == "mmd":
        return DAN(network, features, reg=1 / 33, **options)
    return DeepCoral(network, features, reg=CORAL_WEIGHT, **options)


def of_skada(task_name, seed, method):
    """Returns the accuracy on the test part of the target."""
    task = TASKS[task_name](seed)
    keras.utils.set_random_seed(seed)
    model = task.network()
    (x, y), target = task.source, task.target[0]
    net = skadas(
        method, Network(model), *model.layers[-1].kernel.shape,
        iterator_train__batch_size=task.batch, iterator_train__max_samples="source",
        max_epochs=task.epochs, optimizer=torch.optim.Adam, lr=1e-3, train_split=None, verbose=0,
    )  # fmt: skip
    both = np.concatenate([x, target]).astype("float32")
    domains = np.repeat([1, -2], [len(x), len(target)])
    labels = np.concatenate([y, np.full(len(target), -1)]).astype("int64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit({"X": both, "sample_domain": domains}, labels)
        test = task.test[0].astype("float32")
        found = net.predict({"X": test, "sample_domain": np.full(len(test), -2)})
    return float((np.asarray(found) == task.test[1]).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["moons", "digit-sensors"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["dann"], choices=METHODS)
    arguments = parser.parse_args()
    for task, method in itertools.product(arguments.tasks, arguments.methods):
        ways = {"ours": (of_ours, method, RISES)}
        if method in ADVERSARIAL:
            ways["ours, strength 1 at once"] = (of_ours, method, AT_ONCE)
        ways["skada"] = (of_skada, method)
        if method == "cdan":
            ways["skada, probabilities"] = (of_skada, "cdan, probabilities")
        rows = []
        for seed in range(arguments.seeds):
            rows.append([run_one(task, seed, *rest) for run_one, *rest in ways.values()])
            print(task, method, seed, *(f"{accuracy:.3f}" for accuracy in rows[-1]), flush=True)
        columns = dict(zip(ways, np.array(rows).T, strict=True))
        print(f"{task}, {method}, {len(rows)} seeds:")
        for name, accuracies in columns.items():
            print(
                f"  {name} {accuracies.mean():.3f}"
                + "".join(
                    f"; minus {peer} {gap.mean():+.3f} "
                    f"(standard error {gap.std(ddof=1) / len(gap) ** 0.5:.3f})"
                    for peer in columns
                    if peer.startswith("skada") and name.startswith("ours")
                    for gap in [accuracies - columns[peer]]
                )
            )


if __name__ == "__main__":
    main()

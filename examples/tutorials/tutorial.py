"""`Tutorial` and `Mistake`: what each file of this folder returns, and what is planted in it.

A file is one tutorial of the field, written anew and short. It defines `KIND`, a kind of task, and
`build(seed)`, which returns a `Tutorial`. `BACKENDS` are the backends on which the recipe works, by
default all. Run them with `python examples/benchmarks/tutorials.py`.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

ALL_BACKENDS = ("tensorflow", "jax", "torch")
# In the order in which they were listed, before any of them was written or run. Every third one is
# set aside: it is reported apart, and nobody looks at it while anything is tuned.
NAMES = (
    *("image_classification", "fine_tuning", "siamese"),
    *("segmentation", "structured_data", "denoising"),
    *("text_classification", "forecasting", "wide_and_deep"),
    *("custom_train_step", "fraud", "mixup"),
    *("rand_augment", "series_classification", "masked_language_model"),
    *("regression_table", "translation", "vae"),
    *("gan", "ner", "recommendation"),
    *("simclr", "speaker", "graph"),
    *("point_cloud", "volume", "many_columns"),
    *("with_replacement", "torch_loader", "padded_batch"),
    *("sample_weights", "anomaly", "tab_transformer"),
)
ASIDE = NAMES[2::3]


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make with validation data.

    Args:
        name: A few words.
        change: A function of the inputs and targets that returns them with the mistake.
        cause: Regular expression of words that name the cause.
        step: Regular expression of words that say what to do.
    """

    name: str
    change: Callable[[Any, Any], tuple[Any, Any]]
    cause: str
    step: str


@dataclass(frozen=True)
class Tutorial:
    """A compiled model, its data, and mistakes to plant.

    Args:
        model: The compiled model.
        train: `(x, y)` or `(x, y, weights)`, as arrays; `y` may be None.
        validation: `(x, y)`, or None if the recipe has no validation.
        fit: More arguments of `fit`.
        metric: Name in the logs of what the user watches.
        mistakes: Mistakes to plant in validation.
        pipeline: A function of arrays such as `train`, and of whether they are for training, that
            returns what `fit` takes; None passes the arrays.
    """

    model: "keras.Model"
    train: tuple[Any, ...]
    validation: tuple[Any, Any] | None
    fit: Mapping[str, Any]
    metric: str = "accuracy"
    mistakes: tuple[Mistake, ...] = ()
    pipeline: Callable[[tuple[Any, ...], bool], Any] | None = None

    def run(self, validation: tuple[Any, Any] | None, callbacks: list[Any]) -> dict[str, Any]:
        """Fits the model and returns the history."""
        told = dict(self.fit) | {"verbose": 0, "callbacks": callbacks}
        if validation is not None:
            told["validation_data"] = self.fed(validation, False)
        if self.pipeline is not None:
            return self.model.fit(self.fed(self.train, True), **told).history
        x, y, *weights = self.train
        if weights:
            told["sample_weight"] = weights[0]
        return self.model.fit(x, y, **told).history

    def evaluate(self, data: tuple[Any, Any]) -> dict[str, float]:
        """Returns the loss and metrics on data such as `validation`."""
        fed = self.fed(data, False)
        if self.pipeline is not None:
            return self.model.evaluate(fed, return_dict=True, verbose=0)
        return self.model.evaluate(*fed, return_dict=True, verbose=0)

    def fed(self, data: tuple[Any, ...], training: bool) -> Any:
        """Returns data as `fit` takes them."""
        return data if self.pipeline is None else self.pipeline(data, training)


def load(name: str, seed: int = 0) -> Tutorial:
    """Returns a tutorial by the name of its file."""
    return import_module(f"tutorials.{name}").build(seed)


def kind_of(name: str) -> str:
    """Returns the kind of task of a tutorial."""
    return str(_constant(name, "KIND", None))


def backends_of(name: str) -> tuple[str, ...]:
    """Returns the backends on which a tutorial works."""
    return tuple(_constant(name, "BACKENDS", ALL_BACKENDS))


def _constant(name: str, constant: str, default: Any) -> Any:
    """Returns a constant of a tutorial without importing it: an import takes seconds."""
    text = (Path(__file__).parent / f"{name}.py").read_text()
    found = re.search(rf"^{constant} = (.*?)(  #.*)?$", text, re.MULTILINE)
    return default if found is None else ast.literal_eval(found[1])

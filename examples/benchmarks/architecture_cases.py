"""Architecture check: all 40 networks of keras.applications, in each common way of use.

    python examples/benchmarks/architecture_cases.py
    python examples/benchmarks/architecture_cases.py --only ResNet50 MobileNetV2

The script prints a row for each network and the number of right answers, and exits with status 1
if any answer is wrong. The networks are built without weights, so the answer must come from the
structure. The right answer comes from Keras, not from the package's own table: if the raw image is
converted to the named convention, and then preprocessed by the model itself, the result must equal
`keras.applications.<module>.preprocess_input` of the raw image. (With
`include_preprocessing=False`, it must equal the output of the omitted layers for the raw image.)
Mode, order and the network's name must all be right.
"""

import argparse
import gc
import inspect
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

OTHER_SHAPE = (96, 128, 3)
RAW = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype("float32")
WAYS = (
    "itself",
    "functional",
    "sequential",
    "subclassed",
    "flattened",
    "input_shape",
    "renamed",
    "reloaded",
    "preprocessing off",
)
Case = tuple[str, keras.Model, Callable[[np.ndarray], np.ndarray], np.ndarray, str | None]


def networks() -> list[str]:
    """Returns the names of all networks that this version of Keras has."""
    return sorted(n for n, f in vars(keras.applications).items() if inspect.isfunction(f))


def preprocess_input(name: str) -> Callable[..., object]:
    """Returns Keras's own preprocessing for a network."""
    build = getattr(keras.applications, name)
    modules = {n: m for n, m in vars(keras.applications).items() if inspect.ismodule(m)}
    for module in modules.values():
        if getattr(module, name, None) is build:
            return module.preprocess_input
    # Keras does not export MobileNetV3 from the module that has its `preprocess_input`.
    return modules["mobilenet_v3"].preprocess_input


class Subclassed(keras.Model):
    """A user's model that holds a backbone and preprocesses in `call`."""

    def __init__(self, base: keras.Model) -> None:
        super().__init__()
        self.base = base
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.head = keras.layers.Dense(3)

    def call(self, images: object, training: bool = False) -> object:
        x = keras.ops.flip(images, axis=-1) * 255.0
        return self.head(self.pool(self.base(x, training=training)))


def renamed(model: keras.Model) -> keras.Model:
    """Returns a copy in which every layer has a new, meaningless name."""
    count = iter(range(10**6))

    def rename(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "name": f"x{next(count)}"})

    return keras.models.clone_model(model, clone_function=rename)


def what_the_layers_make(model: keras.Model) -> np.ndarray:
    """Returns the raw image after the preprocessing layers at the start of a network."""
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    last = [layer for layer in model.layers[:4] if isinstance(layer, kinds)][-1]
    inside = keras.Model(model.inputs, last.output)
    image = np.tile(RAW, (1, OTHER_SHAPE[0] // 4, OTHER_SHAPE[1] // 4, 1))
    made = keras.ops.convert_to_numpy(inside(keras.ops.convert_to_tensor(image)))
    return made[:, :4, :4]


def cases(name: str, ways: tuple[str, ...] = WAYS) -> Iterator[Case]:
    """Yields a `Case` for each way to use a network.

    A case has the name of the way, the model, what the model itself does to an image before the
    network, the right input of the network for `RAW`, and the network's name.
    """
    build = getattr(keras.applications, name)
    preprocess = preprocess_input(name)
    target = np.asarray(preprocess(RAW.copy()))
    layers = keras.layers

    def nothing(x: np.ndarray) -> np.ndarray:
        return x

    if "itself" in ways:
        yield "itself", build(weights=None), nothing, target, name
        collect()
    base = build(weights=None, include_top=False, input_shape=OTHER_SHAPE)
    if "functional" in ways:
        images = keras.Input(OTHER_SHAPE)
        x = layers.GlobalAveragePooling2D()(base(preprocess(images)))
        model = keras.Model(images, layers.Dense(3)(x))
        yield "functional", model, lambda x: np.asarray(preprocess(x.copy())), target, name
    if "sequential" in ways:
        model = keras.Sequential(
            [
                keras.Input(OTHER_SHAPE),
                layers.RandomFlip(),
                layers.Rescaling(1 / 255),
                base,
                layers.GlobalMaxPooling2D(),
                layers.Dense(3),
            ]
        )
        yield "sequential", model, lambda x: x / 255, target, name
    if "subclassed" in ways:
        model = Subclassed(base)
        model(keras.Input(OTHER_SHAPE))  # this builds the model and runs nothing
        yield "subclassed", model, lambda x: x[..., ::-1] * 255, target, name
    if "flattened" in ways:
        x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base.output))
        yield "flattened", keras.Model(base.input, layers.Dense(3)(x)), nothing, target, name
    if "input_shape" in ways:
        yield "input_shape", base, nothing, target, name
    if "renamed" in ways:
        yield "renamed", renamed(base), nothing, target, name
        collect()
    if "reloaded" in ways:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            base.save(path)
            yield "reloaded", keras.models.load_model(path, compile=False), nothing, target, name
        collect()
    switch = "include_preprocessing" in inspect.signature(build).parameters
    if "preprocessing off" in ways and switch:
        arrives = what_the_layers_make(base)
        del base
        collect()
        model = build(weights=None, include_top=False, include_preprocessing=False)
        yield "preprocessing off", model, nothing, arrives, name


def collect() -> None:
    """Frees the models that were built: the largest networks hold more than a gigabyte."""
    keras.utils.clear_session()
    gc.collect()


def check(case: Case) -> str:
    """Returns what is wrong with the answer, or "" if nothing is."""
    way, model, front, arrives, name = case
    answers = expect_from_structure(model)
    if len(answers) != 1:
        return f"{len(answers)} answers"
    (answer,) = answers
    if answer.architecture != name:
        return f"taken for {answer.architecture}"
    if way == "itself" and model.input_shape[1] not in (None, answer.native_size):
        return f"native size {answer.native_size}, but Keras builds {model.input_shape[1]}"
    if not answer.convention.is_known:
        return "unknown: " + " ".join(answer.evidence)
    made = front(answer.convention.from_raw(RAW))
    # One grey level is tolerated, because EfficientNetV2 S, M and L divide by 128, which
    # Keras documents as [-1, 1].
    level = (arrives.max() - arrives.min()) / 255
    if np.abs(made - arrives).max() > 1.01 * level:
        return f"{answer.convention} makes {made[0, 0, 0]}, not {arrives[0, 0, 0]}"
    return ""


def main(argv: list[str] | None = None) -> int:
    """Runs the cases; the exit status is 1 if any answer is wrong."""
    parser = argparse.ArgumentParser(prog="architecture_cases", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these networks")
    parser.add_argument("--skip", nargs="+", metavar="NAME", default=[], help="not these networks")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args(argv)
    names = [n for n in args.only or networks() if n not in args.skip]
    print(f"{'network':18s} " + " ".join(f"{w:>11.11s}" for w in args.ways) + f" {'slowest':>8s}")
    right = total = 0
    slowest = 0.0
    for number, name in enumerate(names, 1):
        print(f"building {name} ({number} of {len(names)}) ...", file=sys.stderr, flush=True)
        row, faults, longest = {}, [], 0.0
        for case in cases(name, tuple(args.ways)):
            start = time.perf_counter()
            fault = check(case)
            longest = max(longest, time.perf_counter() - start)
            row[case[0]] = "wrong" if fault else "right"
            if fault:
                faults.append(f"    {case[0]}: {fault}")
        collect()
        right += sum(v == "right" for v in row.values())
        total += len(row)
        slowest = max(slowest, longest)
        marks = " ".join(f"{row.get(w, '-'):>11s}" for w in args.ways)
        print(
            f"{name:18s} {marks} {longest:7.2f}s", *faults, sep="\n" if faults else "", flush=True
        )
    print(f"{right} of {total} right, {len(names)} networks; slowest answer {slowest:.2f} s")
    return 0 if right == total else 1


if __name__ == "__main__":
    sys.exit(main())

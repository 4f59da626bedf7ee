"""Data whose length is unknown: training ends with the numbers that it has without a guard.

Keras learns that an epoch is over by calling the step without a batch. TensorFlow then runs what
needs no batch: it counts an iteration of the optimizer, and applies weight decay.
"""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg

BACKEND = keras.backend.backend()
pytestmark = [
    pytest.mark.backend,
    pytest.mark.each_backend,
    pytest.mark.to_the_bit,
    pytest.mark.filterwarnings("ignore:Your input ran out of data"),  # Keras, at each such end
]
ROWS, BATCH = 96, 16
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(ROWS, 6)).astype("float32"), RNG.integers(0, 3, ROWS)


class OwnStep(keras.Sequential):
    """A model with a training step of its own, which counts its calls (not on JAX)."""

    def __init__(self, parts):
        super().__init__(parts)
        self.calls = keras.Variable(0, dtype="int32", trainable=False)

    def train_step(self, *args):
        if BACKEND != "jax":
            self.calls.assign_add(1)
        return super().train_step(*args)


def network(**compile_args):
    keras.utils.set_random_seed(0)
    parts = [
        keras.Input((6,)),
        layers.Dense(8, activation="relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.3),
        layers.Dense(3),
    ]
    model = OwnStep(parts) if compile_args.pop("own_step", False) else keras.Sequential(parts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    model.compile(optimizer, loss, metrics=["accuracy"], **compile_args)
    return model


def filtered(rows=ROWS):
    """Returns a data set of unknown length, of full batches if `rows` is divisible by 16."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X[:rows], Y[:rows]))
    return data.filter(lambda x, y: True).batch(BATCH)


def generated(batches=6):
    """Yields this number of batches, and then ends."""
    for i in range(batches):
        rows = np.arange(i * BATCH, (i + 1) * BATCH) % ROWS
        yield X[rows], Y[rows]


def from_generator(batches=6):
    import tensorflow as tf

    signature = tf.TensorSpec((None, 6), "float32"), tf.TensorSpec((None,), "int64")
    return tf.data.Dataset.from_generator(lambda: generated(batches), output_signature=signature)


def validated(rows=ROWS, **more):
    return lambda: {"x": X, "y": Y, "validation_data": filtered(rows), **more}


# By name: arguments of `fit`, made anew for each fit, and of `compile`.
CASES = {
    "full batches": (lambda: {"x": filtered()}, {}),
    "own step": (lambda: {"x": filtered(70)}, {"own_step": True}),
    "eager": (lambda: {"x": filtered(70)}, {"run_eagerly": True}),
    "4 steps, remainder": (lambda: {"x": filtered(70)}, {"steps_per_execution": 4}),
    "2 steps, jit": (lambda: {"x": filtered()}, {"steps_per_execution": 2, "jit_compile": True}),
    "validation": (validated(), {}),
    "too many validation_steps": (validated(validation_steps=9), {}),
    "generator ends in epoch 2": (lambda: {"x": generated(), "steps_per_epoch": 4}, {}),
    "from_generator ends early": (lambda: {"x": from_generator(), "steps_per_epoch": 9}, {}),
}
QUICK = ("full batches", "validation", "from_generator ends early")


def fitted(case, guards=()):
    """Returns every number of a fit: weights, the state of the optimizer, iterations and logs."""
    arguments, compile_args = CASES[case]
    model = network(**compile_args)
    arguments = {"epochs": 2, "shuffle": False, "verbose": 0, **arguments()}
    history = model.fit(callbacks=list(guards), **arguments).history
    logs = {name: values for name, values in history.items() if "shift" not in name}
    return {
        "iterations": int(model.optimizer.iterations),
        "weights": values_of([*model.weights, *model.optimizer.variables]),
        "logs": logs,
    }


def values_of(variables):
    """Returns the bytes of each variable."""
    return [np.array(keras.ops.convert_to_numpy(each)).tobytes() for each in variables]


def quiet():
    return sg.ShiftGuard(on_shift="ignore", on_mismatch="ignore", verbose=0)


@pytest.mark.parametrize(
    "case",
    [case if case in QUICK else pytest.param(case, marks=pytest.mark.thorough) for case in CASES],
)
def test_training_ends_with_the_same_numbers(case):
    if BACKEND == "torch" and CASES[case][1].keys() & {"steps_per_execution", "jit_compile"}:
        pytest.skip("refused by Keras on PyTorch, or torch.compile")
    guard = quiet()
    assert fitted(case, [guard]) == fitted(case)
    assert guard.profiles["train"].num_samples > 0


@pytest.mark.thorough
@pytest.mark.parametrize("run", ["evaluate", "predict"])
def test_other_runs_end_with_the_same_numbers(run):
    def numbers(*guards):
        model = network(**({} if BACKEND == "torch" else {"steps_per_execution": 2}))
        found = getattr(model, run)(filtered(70), callbacks=list(guards), verbose=0)
        return np.array(found).tobytes(), values_of(model.variables)

    guard = quiet()
    assert numbers(guard) == numbers()
    (profile,) = guard.profiles.values()
    assert profile.num_samples == 70

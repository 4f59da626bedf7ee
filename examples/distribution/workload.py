"""Fits on handwritten digits (workflows), and a comparison of their results on several devices.

The scripts beside this one run these fits on one device and on several. Counts must be the
same, and other numbers must agree within the precision of float32.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from digits import mnist

import keras_shiftguard as sg

BATCH = 16  # samples that one process feeds in a training step
ROWS = int(os.environ.get("ROWS", 48))  # training samples; 48 are three full batches


def network(pretrained=False):
    """Returns a small network for digits; `pretrained` adds batch norm set for inputs in [0, 1]."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((28, 28, 1))
    y = layers.AveragePooling2D(4)(inputs)
    y = layers.BatchNormalization(name="norm")(y) if pretrained else y
    features = layers.Dense(16, activation="relu", name="features")(layers.Flatten()(y))
    model = keras.Model(inputs, layers.Dense(10, name="classes")(features))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"], jit_compile=keras.backend.backend() == "jax")
    if pretrained:
        x = mnist()[0][:1000].reshape(-1, 7, 4, 7, 4).mean((2, 4)).ravel()
        for name, value in (("mean", x.mean()), ("variance", x.var())):
            getattr(model.get_layer("norm"), f"moving_{name}").assign(np.full(1, value, "float32"))
    return model


def digits(rows=ROWS):
    """Returns training and validation data, and darker images as the target."""
    x, y = mnist()
    train, validation = (x[:rows], y[:rows]), (x[1000:1032], y[1000:1032])
    return train, validation, 0.5 * x[2000:2037]


def arrays_of(profile):
    """Returns the content of a profile as arrays by name; counts are whole numbers."""
    parts = {f"input/{name}": part for name, part in profile.inputs.items()}
    found = {}
    for name, part in parts.items():
        found |= {f"{name}/samples": part.num_samples, f"{name}/values": part.counts}
        found |= {f"{name}/mean": part.mean, f"{name}/std": part.std}
        found |= {f"{name}/minimum": part.minimum, f"{name}/maximum": part.maximum}
        found |= {f"{name}/rows": part.features.num_samples}
        found |= {f"{name}/features": part.features.moments.mean}
    found["labels"] = profile.labels.counts
    if profile.outputs is not None:
        found |= {"answers": profile.outputs.num_samples, "said": profile.outputs.predicted}
        found |= {
            "confusion": profile.outputs.confusion,
            "activations": profile.outputs.embedding.count,
        }
        found["outputs"] = profile.outputs.features.moments.mean
    return {name: np.asarray(value) for name, value in found.items()}


def fitted(model, guard, train, validation, epochs=2):
    callbacks = [] if guard is None else [guard]
    return model.fit(
        *train,
        batch_size=BATCH,
        epochs=epochs,
        shuffle=False,
        validation_data=validation,
        callbacks=callbacks,
        verbose=0,
    )


def plain(scope=nullcontext, share=lambda part: part, rows=ROWS):
    """Runs the control: a fit without a guard."""
    train, validation, _ = digits(rows)
    with scope():
        model = network()
    history = fitted(model, None, share(train), share(validation)).history
    return {"loss": np.asarray(history["loss"])}


def count(scope=nullcontext, share=lambda part: part, rows=ROWS, log_dir=None):
    """Runs a fit with a guard and without validation; measures inputs and labels, and diagnoses.

    A second fit, without a guard, must give the same weights, bit for bit.
    """
    train, _, _ = digits(rows)
    with scope():
        model, alone = network(), network()
    guard = sg.ShiftGuard(on_mismatch="ignore", log_dir=log_dir, verbose=0)
    fitted(model, guard, share(train), None)
    fitted(alone, None, share(train), None)
    for ours, theirs in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert guard.diagnosis is not None
    return arrays_of(guard.profiles["train"]) | {"shifted": np.asarray(guard.report.shifted)}


def monitor(scope=nullcontext, share=lambda part: part, rows=ROWS):
    """Runs a fit with a guard on inputs, labels, outputs and activations of all streams."""
    train, validation, target = digits(rows)
    with scope():
        model = network()
    guard = sg.ShiftGuard(
        target_data=target, feature_layer="features", on_shift="ignore", verbose=0
    )
    fitted(model, guard, share(train), share(validation))
    found = {f"{n}/{k}": v for n, p in guard.profiles.items() for k, v in arrays_of(p).items()}
    return found | {"shifted": np.asarray(guard.report.shifted)}


def fix(scope=nullcontext, share=lambda part: part, rows=ROWS):
    """Runs a fit on pixels in 0..255 with a network for [0, 1]; the guard corrects the input."""
    (x, y), (xv, yv), _ = digits(rows)
    with scope():
        model = network(pretrained=True)
    guard = sg.ShiftGuard(on_mismatch="fix", on_shift="ignore", verbose=0)
    fitted(model, guard, share((x * 255, y)), share((xv * 255, yv)))
    gain = float(guard.diagnosis.fix.scale[0])
    found = {f"{n}/{k}": v for n, p in guard.profiles.items() for k, v in arrays_of(p).items()}
    assert guard.diagnosis.status == "mismatch" and abs(gain * 255 - 1) < 1e-3, guard.diagnosis
    # Batch norm is not compared: Keras's own result differs between one and two replicas.
    return found | {"scale": np.asarray(gain)}


def augment(scope=nullcontext, share=lambda part: part, rows=ROWS):
    """Runs a fit with a darker target, so that the guard darkens the training images."""
    train, validation, target = digits(rows)
    with scope():
        model = network()
    guard = sg.ShiftGuard(target_data=target, adapt=True, on_shift="ignore", verbose=0)
    fitted(model, guard, share(train), share(validation))
    strengths = guard.augmentation.strengths
    assert max(strengths.values()) > 0.1, strengths
    return arrays_of(guard.profiles["train"]) | {"on": np.asarray(sorted(strengths.values()))}


def adversarial(scope=nullcontext, share=lambda part: part, rows=ROWS):
    """Runs a fit of a `DomainAdaptationModel` with reversed gradients, watched by a guard."""
    train, _, target = digits(rows)
    with scope():
        model = sg.DomainAdaptationModel(network(), "features", "dann", verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, jit_compile=keras.backend.backend() == "jax")
    guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
    (batch,) = share((target[:16],))
    model.fit(
        *share(train),
        target_data=lambda: iter([batch]),  # the same images in the same order in each step
        batch_size=BATCH,
        epochs=2,
        shuffle=False,
        callbacks=[guard],
        verbose=0,
    )
    weights = np.concatenate([w.ravel() for w in model.adapted_model.get_weights()])
    steps = keras.ops.convert_to_numpy(model.steps_done)
    return arrays_of(guard.profiles["train"]) | {"steps": steps, "weights": weights}


def merged(folder, rows):
    """Adds up the saved profiles; compares the sum with a profile of all rows and the target."""
    train, _, target = digits(rows)
    whole = sum(map(sg.InputProfile.load, sorted(folder.glob("*.profile"))), sg.InputProfile())
    one, many = arrays_of(sg.profile(train)), arrays_of(whole)
    shared = [name for name in one if name.startswith(("input", "labels"))]
    print("merged:", agree({n: one[n] for n in shared}, {n: many[n] for n in shared}))
    print(sg.compare(whole, target))


WORKFLOWS = {f.__name__: f for f in (plain, count, monitor, fix, augment, adversarial)}


def agree(one, many):
    """Compares the results of a workflow on one device and on many; returns a summary line."""
    assert one.keys() == many.keys(), one.keys() ^ many.keys()
    counts, furthest = 0, 0.0
    for name in one:
        a, b = one[name], many[name]
        if a.dtype.kind in "iub":
            np.testing.assert_array_equal(a, b, err_msg=name)
            counts += a.size
        else:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4, err_msg=name)
            furthest = max(furthest, float(np.max(np.abs(a - b), initial=0)))
    return f"{counts} counts the same, {len(one)} quantities within {furthest:.1e}"

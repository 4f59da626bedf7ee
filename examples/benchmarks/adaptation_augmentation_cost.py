"""Augmentation cost: does a step take at most 1.10 times as long as Keras's own layers?

    python examples/benchmarks/adaptation_augmentation_cost.py [--rounds 40] [--side 32]

A compiled call of our `AdaptiveAugmentation` layer with some operations switched on is compared
with Keras's own layers of the same operations, on the same batch. The figures are CPU time of
the process. Rounds of both alternate, and the time of each of our rounds is divided by that of the
neighbouring round of Keras's layers, because other jobs on the machine slow both alike. The result
is the median and the quartiles of these ratios. One thread gives the steadiest result:
OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1.
"""

import argparse
import time

import keras
import numpy as np

from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation

STEPS = 10  # calls in a round


def pairs():
    """Returns our strengths and Keras's layers of the same operations, by name."""
    layers, unit = keras.layers, {"value_range": (0, 1)}
    found = {
        "rotation": ({"rotation": 0.5}, [layers.RandomRotation(0.0625)]),
        "brightness + contrast": (
            {"darker": 0.5, "brighter": 0.5, "less_contrast": 0.3, "more_contrast": 0.3},
            [layers.RandomBrightness(0.3, **unit), layers.RandomContrast(0.5, **unit)],
        ),
        "blur": ({"blur": 0.5}, [layers.RandomGaussianBlur(1.0, 5, sigma=1.0, **unit)]),
        "noise": ({"noise": 0.3}, [layers.GaussianNoise(0.1)]),
        "erasing": ({"erasing": 0.4}, [layers.RandomErasing(1.0, **unit)]),
    }
    every = {k: v for strengths, _ in found.values() for k, v in strengths.items()}
    found["all of these"] = (every, [layer for _, each in found.values() for layer in each])
    return found


def compiled(layer, x):
    """Returns a function that computes one batch: compiled on TensorFlow and JAX, else eager."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        inputs = tf.constant(x)
        step = tf.function(lambda t: layer(t, training=True))
        call = lambda: step(inputs)  # noqa: E731
    elif keras.backend.backend() == "jax":
        import jax

        inputs = keras.ops.convert_to_tensor(x)
        step = jax.jit(
            lambda t, v: layer.stateless_call((), v, t, training=True)[0],
        )
        values = [variable.value for variable in layer.non_trainable_variables]
        call = lambda: step(inputs, values).block_until_ready()  # noqa: E731
    else:
        inputs = keras.ops.convert_to_tensor(x)
        call = lambda: layer(inputs, training=True)  # noqa: E731
    for _ in range(3):
        call()
    return call


def seconds(call):
    began = time.process_time()
    for _ in range(STEPS):
        call()
    return (time.process_time() - began) / STEPS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3)
    arguments = parser.parse_args()
    shape = (arguments.batch, arguments.side, arguments.side, arguments.channels)
    x = np.random.default_rng(0).random(shape).astype("float32")
    print(f"CPU ms a batch of {' x '.join(map(str, shape))}, {keras.backend.backend()}")
    for name, (strengths, layers) in pairs().items():
        ours = AdaptiveAugmentation(value_range=(0, 1), seed=0)
        ours.build(shape)
        ours.set_strengths(strengths)
        theirs = keras.Sequential([keras.Input(batch_shape=shape), *layers])
        a, b = compiled(ours, x), compiled(theirs, x)
        times = np.array([(seconds(a), seconds(b)) for _ in range(arguments.rounds)])
        low, ratio, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
        mine, other = 1e3 * np.median(times, axis=0)
        print(
            f"{name:24} ours {mine:7.2f}   Keras {other:7.2f}   "
            f"ratio {ratio:.2f} [{low:.2f}, {high:.2f}]",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Cost of each part of the statistics in a step, timed separately.

    python examples/benchmarks/statistics_cost.py --backend tensorflow --model small_cnn

Each row is the time beyond that of a compiled call that does nothing, which is printed first. For
comparison, the script also times the cheapest computation over all pixels: their extremes, their
sums and the sums of their squares. The last two rows are whole steps: the parts above, and the
labels.
"""

import argparse
import os
import time

import numpy as np

SHAPES = {"resnet50": (8, 224, 224, 3), "small_cnn": (128, 32, 32, 3)}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument(
        "--model", default="small_cnn", choices=list(SHAPES), help="its batches are used"
    )
    parser.add_argument("--calls", type=int, default=300)
    return parser.parse_args()


def compiled(update, variables):
    """Returns `update`, which assigns to `variables`, as a step of the backend would run it."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(update)
    if keras.backend.backend() == "torch":
        return update
    import jax

    def pure(values, x):
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            update(x)
        new = [scope.get_current_value(v) for v in variables]
        return [old if n is None else n for old, n in zip(values, new, strict=True)]

    jitted, values = jax.jit(pure), [v.value for v in variables]
    return lambda x: jax.block_until_ready(jitted(values, x))


def timed(run, x, calls):
    """Returns the mean `(wall, cpu)` milliseconds of a call."""
    for _ in range(3):
        run(x)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        run(x)
    return np.subtract((time.perf_counter(), time.process_time()), (wall, cpu)) * 1000 / calls


def show(name, wall, cpu):
    print(f"  {name:41} {wall:6.2f} ms wall {cpu:6.2f} ms cpu", flush=True)


def main():
    args = parse()
    os.environ["KERAS_BACKEND"] = args.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from keras import ops

    from keras_shiftguard.statistics.batch import spec_for
    from keras_shiftguard.statistics.kept_samples import KeptSamples
    from keras_shiftguard.statistics.schedule import ROWS
    from keras_shiftguard.statistics.sketch import Sketch
    from keras_shiftguard.statistics.spread import spread
    from keras_shiftguard.statistics.stream import Stream

    rng = np.random.default_rng(0)
    shape = SHAPES[args.model]
    x = ops.convert_to_tensor((rng.random(shape) * 255).astype("float32"))
    sketch = Sketch(spec_for("input", (None, *shape[1:]), "channels_last"))
    labels = ops.convert_to_tensor(np.arange(shape[0]) % 10)
    state = keras.Variable(np.zeros((4, shape[0], 64 * shape[-1]), "float32"))

    def least(x):
        pixels = ops.reshape(x, (shape[0], -1, 64 * shape[-1]))
        deviation = pixels - 1.0
        found = [reduce(pixels, axis=1) for reduce in (ops.min, ops.max)]
        found += [ops.sum(values, axis=1) for values in (deviation, ops.square(deviation))]
        state.assign(ops.stack(found))

    every, some = sketch.state.variables, sketch.sample_state.variables
    parts = {
        "cheapest computation over every pixel": (least, [state]),
        "every step: counts and fingerprint": (sketch.count, every),
    }
    print(f"{args.backend}, a batch of {shape}, {args.calls} calls; load {os.getloadavg()[0]:.1f}")
    empty = timed(compiled(lambda x: state.assign(state.value), [state]), x, args.calls)
    show("an empty call", *empty)
    for name, (update, variables) in parts.items():
        show(name, *timed(compiled(update, variables), x, args.calls) - empty)
    for samples in (ROWS, shape[0]):  # later passes, and the first one
        looked = finished(lambda x, n=samples: sketch.measure(x, chosen=spread(len(x), n)), some)
        show(f"close look: every pixel, {samples} samples", *timed(looked, x, args.calls))
    # A pass of `calls` measured steps fills the buffer; three steps come before the timing.
    buffer = KeptSamples(sketch.spec)
    buffer.spread(args.calls + 3)
    name = "close look: the kept sample, to the host"
    show(name, *timed(lambda x: buffer.update(x, labels), x, args.calls))
    for name, stride in {
        "whole step without a close look": 10**9,
        "whole step with one": 1,
    }.items():
        stream = Stream("train")
        stream.build([sketch.spec])
        stream.measure_every(stride)
        stream.spread_samples((args.calls + 3) if stride == 1 else 1)
        show(name, *timed(whole(stream, labels), x, args.calls))
    kept = buffer.read()[0]
    print(f"  kept after this pass: {len(kept)} images, {kept.nbytes / 2**20:.1f} MiB")


def whole(stream, labels):
    """Returns a function that measures a batch as the guard does in a fit."""
    variables = [v for sketch in stream.sketches.values() for v in sketch.sample_state.variables]
    return finished(lambda x: stream.update({"input": x}, x, labels), variables)


def finished(update, variables):
    """Returns `update`, which assigns to `variables`, as a function that waits for the result."""
    import keras

    def run(x):
        update(x)
        if keras.backend.backend() == "jax":  # otherwise JAX would still be computing
            import jax

            jax.block_until_ready([v.value for v in variables])

    return run


if __name__ == "__main__":
    main()

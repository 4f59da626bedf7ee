"""Endless generator: the counts, the memory and the speed of one long fit.

    python examples/benchmarks/endless.py --steps 70000

With 256 samples a step, 70,000 steps are more than 2**24 samples in one epoch. float32 cannot
count so many. All batches hold the same samples in another order, so the right values are known.
"""

import argparse
import os
import sys
import time

from growth import resident


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--steps", type=int, default=70_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256)
    args = parser.parse_args()
    os.environ["KERAS_BACKEND"] = args.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    import keras_shiftguard as sg

    rng = np.random.default_rng(0)
    x, y = rng.normal(3.0, 1.0, (args.batch, 4)).astype("float32"), np.arange(args.batch) % 4

    def batches():
        while True:
            order = rng.permutation(args.batch)
            yield x[order], y[order]

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if (batch + 1) % (args.steps // 4) == 0:
                print(f"  step {batch + 1:,}: {resident():.0f} MiB, {self.pace():.2f} ms a step")

        def pace(self):
            now = time.process_time()
            self.since, spent = now, now - getattr(self, "since", start)
            return 1000 * spent / (args.steps // 4)

        def on_epoch_end(self, epoch, logs=None):
            profile = guard.profiles["train"]
            counted = profile.num_samples, int(profile.labels.counts.sum())
            off = float(np.max(np.abs(profile.inputs["input"].mean - x.mean(0, dtype="float64"))))
            right.append(counted == (wanted, wanted) and off < 1e-5)
            print(f"epoch {epoch}: {counted[0]:,} samples, {counted[1]:,} labels of {wanted:,}")
            print(f"  means off by at most {off:.1e}", flush=True)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    wanted, right, start = args.steps * args.batch, [], time.process_time()
    model.fit(
        batches(),
        steps_per_epoch=args.steps,
        epochs=args.epochs,
        callbacks=[guard, Watch()],
        verbose=0,
    )
    print("right" if all(right) else "WRONG")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())

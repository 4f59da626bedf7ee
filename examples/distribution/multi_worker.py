"""TensorFlow: `MultiWorkerMirroredStrategy` in two processes, with a loop instead of `fit`.

    python examples/distribution/multi_worker.py control   whether Keras's own fit works
    python examples/distribution/multi_worker.py           a custom training loop, profiled

Keras's `fit` fails here, and without `fit` there is no callback. Each worker therefore profiles
the rows that it gets. Afterwards the profiles are added up, and the sum is compared with the
target.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

from processes import profiled


def worker(rank, port, control):
    cluster = {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]}
    task = {"type": "worker", "index": rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # must come before anything else
    import workload

    import keras_shiftguard as sg

    train, _, _ = workload.digits(rows=49)  # the last batch has one row, so one worker gets none
    data = tf.data.Dataset.from_tensor_slices(train).batch(workload.BATCH)
    with strategy.scope():
        model = workload.network()
    if control:
        model.fit(data, verbose=0)
        print("a plain fit works")
        return

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.loss(y, model(x, training=True))) / 2
        weights = model.trainable_weights
        model.optimizer.apply(tape.gradient(loss, weights), weights)

    dealt = []
    for x, y in strategy.experimental_distribute_dataset(data):
        strategy.run(step, args=(x, y))
        dealt += zip(*map(strategy.experimental_local_results, (x, y)), strict=True)
    seen = sg.profile([(x, y) for x, y in dealt if len(x)].__iter__(), model=model)
    seen.save(Path(os.environ["FOLDER"]) / f"{rank}.profile")
    print(f"worker {rank}: {seen.num_samples} rows")


profiled(__file__, worker)

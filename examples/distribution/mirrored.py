"""TensorFlow: `tf.distribute.MirroredStrategy` on two devices counts the same as on one.

    python examples/distribution/mirrored.py [workflow ...]

The devices are two logical ones on this machine's CPU. The workflows are the fits of `workload.py`.
The workflow `count` is fed 49 rows in batches of 16, so the last batch has one row: one replica
gets this row, and the other gets nothing.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import tensorflow as tf
from workload import WORKFLOWS, agree

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
ONE, TWO = (tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(n)]) for n in (1, 2))

for name in sys.argv[1:] or WORKFLOWS:
    rows = 49 if name == "count" else 48
    one, two = (WORKFLOWS[name](strategy.scope, rows=rows) for strategy in (ONE, TWO))
    print(f"MirroredStrategy, {name}: {agree(one, two)}", flush=True)

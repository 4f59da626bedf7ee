"""JAX: `keras.distribution` over four devices gives the same counts as one device.

    python examples/distribution/jax_devices.py [workflow ...]

The devices are four parts of this machine's CPU. `ModelParallel` arranges them as 2 x 2: it splits
each batch in two, and also the weights of one layer. The workflows are the fits of `workload.py`.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=4"]
)

import keras
from workload import WORKFLOWS, agree


def data_parallel():
    return keras.distribution.DataParallel(devices=keras.distribution.list_devices())


def model_parallel():
    devices = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout["features/kernel"] = (None, "model")
    layout["features/bias"] = ("model",)
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")


for name in sys.argv[1:] or WORKFLOWS:
    keras.distribution.set_distribution(None)
    one = WORKFLOWS[name]()
    for how in (data_parallel, model_parallel):
        keras.distribution.set_distribution(how())  # before a model is made
        print(f"{how.__name__}, {name}: {agree(one, WORKFLOWS[name]())}", flush=True)

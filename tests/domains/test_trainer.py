"""The options of `fit` with `DomainAdaptationModel`. Most tests run on one backend only."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from adaptation_models import as_array, network, two_domains
from domains.adapted import EAGER, adapted

from keras_shiftguard.callback.guard import ShiftGuard
from keras_shiftguard.io.batches import SOURCE


def fitted(method="mmd", compiled=None, model=None, **kwargs):
    x, y, target = two_domains(np.random.default_rng(0))
    keras.utils.set_random_seed(1)
    built = adapted(method, model, compiled={"metrics": ["accuracy"], **(compiled or {})})
    history = built.fit(x, y, target_data=target, batch_size=16, verbose=0, **kwargs).history
    assert np.isfinite(history["loss"]).all()
    return built, history


def weights(model):
    return np.concatenate([w.ravel() for w in model.adapted_model.get_weights()])


@pytest.mark.backend
@pytest.mark.thorough
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch"
)
def test_compiled_all_at_once():
    # These methods use no random views, because XLA draws other random numbers.
    packed = {"jit_compile": True, "steps_per_execution": 2}
    plain, jitted = (
        weights(fitted(("dann", "mmd"), compiled, epochs=2, shuffle=False)[0])
        for compiled in (None, packed)
    )
    np.testing.assert_allclose(plain, jitted, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.each_backend
def test_resumes_where_it_stopped(tmp_path):
    path = str(tmp_path / "at{epoch}.weights.h5")
    keep = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    whole, _ = fitted(epochs=3, shuffle=False, callbacks=[keep], compiled=EAGER)
    x, y, target = two_domains(np.random.default_rng(0))
    again = adapted()
    again.load_weights(path.format(epoch=2))
    assert float(as_array(again.steps_done.value)) == 8
    more = {"batch_size": 16, "epochs": 3, "initial_epoch": 2, "shuffle": False, "verbose": 0}
    again.fit(x, y, target_data=target, **more)
    assert float(as_array(again.steps_done.value)) == 12
    # The target is shuffled again, so the weights are similar but not equal.
    np.testing.assert_allclose(weights(again), weights(whole), atol=0.02)


@pytest.mark.thorough
def test_regression_and_one_unit(rng):
    x, y, target = two_domains(rng)
    for loss, method in (("mse", "dann"), (keras.losses.BinaryCrossentropy(True), "auto")):
        built = adapted(method, network(classes=1), loss=loss, compiled={})
        built.fit(x, y[:, None].astype("float32"), target_data=target, verbose=0)
        assert np.isnan(built.looks[-1].source_accuracy) == (method == "dann")


REPLICAS = """
import numpy as np, tensorflow as tf, keras
from adaptation_models import network, two_domains
from keras_shiftguard.domains.model import DomainAdaptationModel
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
x, y, target = two_domains(np.random.default_rng(0))
found = []
for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
    with tf.distribute.MirroredStrategy(devices).scope():
        keras.utils.set_random_seed(1)
        model = DomainAdaptationModel(network(), "features", "dann", verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, jit_compile=False)
    model.fit(x, y, target_data=target, batch_size=16, shuffle=False, epochs=2, verbose=0)
    found.append(np.concatenate([w.ravel() for w in model.adapted_model.get_weights()]))
    assert float(keras.ops.convert_to_numpy(model.steps_done)) == 8
np.testing.assert_allclose(found[0], found[1], atol=1e-5)
"""


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_two_replicas_are_one():
    paths = os.pathsep.join(map(str, Path(__file__).parents[1:3]))
    subprocess.run(
        [sys.executable, "-c", REPLICAS], check=True, env={**os.environ, "PYTHONPATH": paths}
    )


@pytest.mark.backend
@pytest.mark.thorough
@pytest.mark.to_the_bit
@pytest.mark.parametrize("method", ["dann", "adamatch", "auto"])
def test_the_guard_changes_no_bit_of_a_compiled_step(rng, method):
    x, y, target = two_domains(rng)

    def trained(*guards):
        keras.utils.set_random_seed(1)
        built = adapted(method, optimizer="adam", compiled={})
        more = {"validation_data": (x[:20], y[:20]), "epochs": 3, "batch_size": 16, "verbose": 0}
        built.fit(x, y, target_data=target, callbacks=[*guards], **more)
        return [*built.get_weights(), *(v.numpy() for v in built.optimizer.variables)]

    guard = ShiftGuard(target_data=target, on_mismatch="ignore", on_shift="ignore", verbose=0)
    first, second, guarded = trained(), trained(), trained(guard)
    assert guard.profiles["train"].num_samples == len(x)
    assert all(map(np.array_equal, first, second)), "two runs without the guard do not agree"
    assert len(first) == len(guarded) and all(map(np.array_equal, first, guarded))


def test_tables_of_pandas_are_arrays(rng):
    pandas = pytest.importorskip("pandas")
    x, y, target = two_domains(rng)
    found = []
    for table, column in ((np.asarray, np.asarray), (pandas.DataFrame, pandas.Series)):
        keras.utils.set_random_seed(0)
        built = adapted()
        more = {"sample_weight": column(np.ones(64)), "validation_data": (table(x), column(y))}
        built.fit(table(x), column(y), target_data=table(target), verbose=0, **more)
        found.append(weights(built))
    np.testing.assert_array_equal(*found)


def test_what_a_stream_showed_before_training_is_trained_on_as_well(rng):
    x, y, target = two_domains(rng, 64, 64)
    fed = []
    built = adapted("coral")
    train_step = built.train_step

    def watched(data):
        fed.append(keras.ops.convert_to_numpy(data[0][SOURCE]))
        return train_step(data)

    built.train_step = watched
    source = ((x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16))
    built.fit(source, target_data=target, steps_per_epoch=4, epochs=1, verbose=0)
    np.testing.assert_array_equal(np.concatenate(fed), x)


@pytest.mark.parametrize("wrapped", [False, True])
def test_one_callback_or_a_list_of_keras_is_fine(rng, wrapped):
    seen = []
    one = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    x, y, target = two_domains(rng)
    built = adapted("coral")
    if wrapped:
        one = keras.callbacks.CallbackList([one], add_history=True, model=built, epochs=2)
    built.fit(x, y, target_data=target, epochs=2, callbacks=one, verbose=0)
    assert seen == [0, 1] and len(built.looks) == 3


@pytest.mark.backend
@pytest.mark.parametrize("changed_by", ["callback", "optimizer"])
def test_the_report_describes_the_weights_that_the_model_has(rng, changed_by):
    x, y, target = two_domains(rng)
    averages = changed_by == "optimizer"
    optimizer = keras.optimizers.SGD(0.3, use_ema=averages, ema_momentum=0.9)
    built = adapted(optimizer=optimizer, compiled={"metrics": ["accuracy"], **EAGER})
    # The first epoch counts as the best one, because the loss falls.
    best = keras.callbacks.EarlyStopping("loss", mode="max", restore_best_weights=True, patience=9)
    callbacks = [] if averages else [best]
    built.fit(x, y, target_data=target, epochs=3, batch_size=16, verbose=0, callbacks=callbacks)
    last = built.looks[-1]
    assert [look.epoch for look in built.looks] == [0, 1, 2, 3, 3]
    assert last.source_accuracy == pytest.approx(built.evaluate(x, y, verbose=0)[1])
    assert last.confidence < built.looks[-2].confidence


@pytest.mark.backend
def test_the_guard_sees_source_and_target_apart(rng, tmp_path):
    """The log holds the curves of the alignment for the Shift tab."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    x, y, target = two_domains(rng, 96, 64)
    guard = ShiftGuard(target_data=target, on_shift="ignore", log_dir=tmp_path, verbose=0)
    adapted().fit(x, y, target_data=target, verbose=0, callbacks=[guard])
    profiles = guard.profiles
    assert (profiles["train"].num_samples, profiles["target"].num_samples) == (96, 64)
    (seen,) = profiles["train"].inputs.values()
    assert seen.mean == pytest.approx(x.mean(axis=0), abs=1e-4)
    tags = EventAccumulator(str(tmp_path / "shiftguard")).Reload().Tags()
    found = {tag for tag in [*tags["tensors"], *tags["scalars"]] if "/adaptation" in tag}
    curves = ["alignment_loss", "alignment_strength", "domain_accuracy", "domain_chance"]
    classes = "shiftguard/adaptation"  # the class frequencies, which only the Shift tab shows
    assert found == {f"shiftguard/adaptation/{name}" for name in curves} | {classes}


@pytest.mark.backend
def test_the_domains_are_measured_in_batches_and_without_gradients():
    """On PyTorch, the graph of 512 samples could need more memory than the training itself."""
    seen = set()

    class Watched(keras.layers.Layer):
        def call(self, x, training=False):
            if not training:
                seen.add((x.shape[0], getattr(x, "requires_grad", False)))
            return x

    base = keras.Sequential([network(), Watched(), keras.layers.Dense(2)])
    model = adapted(base=base, feature_layer="net")
    x, y, target = two_domains(np.random.default_rng(0))
    seen.clear()
    model.fit(x, y, target_data=target, batch_size=16, verbose=0)
    assert seen == {(16, False), (8, False)}  # 64 source samples and 40 target samples

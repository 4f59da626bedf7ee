"""`DomainAdaptationModel` in real fits, on every backend."""

import zipfile

import keras
import numpy as np
import pytest
from adaptation_models import gradients_of, network, two_domains
from keras import ops

from keras_shiftguard.adaptation.domains.model import DomainAdaptationModel
from keras_shiftguard.io.batches import SOURCE, TARGET

pytestmark = pytest.mark.backend
LOSS = keras.losses.SparseCategoricalCrossentropy


def wrapped(method="mmd", model=None, optimizer="sgd", **kwargs):
    built = DomainAdaptationModel(model or network(), "features", method, verbose=0, **kwargs)
    built.compile(optimizer, LOSS(from_logits=True), metrics=["accuracy"])
    return built


def trained_plainly(x, y, **kwargs):
    keras.utils.set_random_seed(1)
    model = network()
    model.compile("sgd", LOSS(from_logits=True), metrics=["accuracy"])
    model.fit(x, y, epochs=2, batch_size=16, verbose=0, **kwargs)
    return model.get_weights()


class Zero(keras.callbacks.Callback):
    """Sets the strength to 0 at the start of a training with alignment."""

    def on_train_begin(self, logs=None):
        self.model.set_strength(0.0)


def test_switched_off_is_plain_training_bit_for_bit(rng):
    x, y, target = two_domains(rng)
    expected = trained_plainly(x, y)
    keras.utils.set_random_seed(1)
    model = wrapped(strength=0)
    model.fit(x, y, target_data=target, epochs=2, batch_size=16, verbose=0)
    for a, b in zip(model.adapted_model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert str(model.alignment).startswith("Nothing has been aligned")


def test_a_variable_strength_of_zero_is_plain_training(rng):
    x, y, target = two_domains(rng)
    expected = trained_plainly(x, y, shuffle=False)
    keras.utils.set_random_seed(1)
    model = wrapped("dann", protect=False)
    model.fit(
        *(x, y),
        target_data=target,
        epochs=2,
        batch_size=16,
        shuffle=False,
        verbose=0,
        callbacks=[Zero()],
    )
    for a, b in zip(model.adapted_model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_fit_evaluate_predict_save(rng, tmp_path):
    x, y, target = two_domains(rng)
    model = wrapped("auto")
    history = model.fit(
        x, y, target_data=target, epochs=2, validation_data=(x, y), batch_size=16, verbose=0
    ).history
    assert set(history) == {"loss", "accuracy", "alignment_loss", "val_loss", "val_accuracy"}
    assert np.isfinite(history["loss"]).all() and len(model.looks) == 3
    assert "proxy A-distance" in str(model.alignment)
    answers = model.predict(x, verbose=0)
    plain = model.adapted_model
    np.testing.assert_array_equal(plain.predict(x, verbose=0), answers)
    np.testing.assert_allclose(
        model.evaluate(x, y, verbose=0), plain.evaluate(x, y, verbose=0), rtol=1e-5
    )
    model.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), answers, atol=1e-6)
    assert again.method == "auto" and again.compiled
    plain.save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as file:
        assert b"shiftguard" not in file.read("config.json")
    loaded = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), answers, atol=1e-6)


def test_the_encoder_gets_both_gradients(rng):
    x, y, target = two_domains(rng)
    model = wrapped("dann")
    model._read_loss()
    kernel = model.base.get_layer("first").kernel
    pair = {SOURCE: ops.convert_to_tensor(x), TARGET: ops.convert_to_tensor(target)}
    labels = ops.convert_to_tensor(y)

    def gradient(strength):
        model.set_strength(strength)
        return gradients_of(
            lambda: model.compute_loss(pair, labels, model(pair, training=True)), [kernel]
        )[0]

    task, both, twice = gradient(0.0), gradient(1.0), gradient(2.0)
    assert np.abs(task).max() > 1e-4 and np.abs(both - task).max() > 1e-5
    np.testing.assert_allclose(twice - both, both - task, atol=1e-5)
    head = model.alignment_layer.head.hidden[0].kernel
    (learns,) = gradients_of(
        lambda: model.compute_loss(pair, labels, model(pair, training=True)), [head]
    )
    assert np.abs(learns).max() > 1e-5


@pytest.mark.thorough
def test_half_precision_scales_the_loss(rng):
    x, y, target = two_domains(rng)
    weights = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(policy)
        try:
            model = wrapped("dann", protect=False)
        finally:
            keras.config.set_dtype_policy("float32")
        model.fit(*(x, y), target_data=target, epochs=2, batch_size=32, shuffle=False, verbose=0)
        weights.append(model.adapted_model.get_weights())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    moved = 0.0
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)  # forgotten scaling is a factor of 2**15
        moved = max(moved, float(np.abs(a).max()))
    assert moved > 0.01

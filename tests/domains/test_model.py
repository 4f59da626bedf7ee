"""`DomainAdaptationModel` in real fits, on every backend."""

import zipfile

import keras
import numpy as np
import pytest
from adaptation_models import as_array, network, two_domains
from domains.adapted import LOSS, adapted
from keras import ops

from keras_shiftguard.statistics.classes import log_probabilities

pytestmark = pytest.mark.backend


def wrapped(method="mmd", model=None, optimizer="sgd", **kwargs):
    return adapted(method, model, optimizer, compiled={"metrics": ["accuracy"]}, **kwargs)


def test_switched_off_is_plain_training_bit_for_bit(rng):
    x, y, target = two_domains(rng)
    keras.utils.set_random_seed(1)
    plain = network()
    plain.compile("sgd", LOSS, metrics=["accuracy"])
    plain.fit(x, y, epochs=2, batch_size=16, verbose=0)
    keras.utils.set_random_seed(1)
    model = wrapped(strength=0)
    model.fit(x, y, target_data=target, epochs=2, batch_size=16, verbose=0)
    for a, b in zip(model.adapted_model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert str(model.alignment).startswith("Nothing has been aligned")


SLOW = pytest.mark.thorough  # `make test` runs two of the methods, `make test-all` all
EVERY = [
    "auto",
    "dann",
    pytest.param(("adamatch", "dann"), marks=SLOW),
    *(pytest.param(name, marks=SLOW) for name in ("cdan", "mmd", "coral", "adamatch")),
    pytest.param("augmentation", marks=SLOW),
]
OWN_LOGS = {"dann": "domain_accuracy", "cdan": "domain_accuracy", "adamatch": "pseudo_labelled"}


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_fit_evaluate_predict_save(rng, tmp_path, method):
    x, y, target = two_domains(rng)
    own_views = {"augmentation": keras.layers.GaussianNoise(0.3)} if method == "adamatch" else {}
    model = wrapped(method, **own_views)
    history = model.fit(
        x, y, target_data=target, epochs=2, validation_data=(x, y), batch_size=16, verbose=0
    ).history
    names = (method,) if isinstance(method, str) else method
    own = {OWN_LOGS[name] for name in names if name in OWN_LOGS}
    own |= {"pseudo_labelled"} if method == "auto" else set()
    assert set(history) == {"loss", "accuracy", "alignment_loss", "val_loss", "val_accuracy"} | own
    assert np.isfinite(history["loss"]).all() and len(model.looks) == 3
    assert "proxy A-distance" in str(model.alignment)
    answers = model.predict(x, verbose=0)
    plain = model.adapted_model
    assert "accuracy" in plain.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_array_equal(plain.predict(x, verbose=0), answers)
    np.testing.assert_allclose(
        model.evaluate(x, y, verbose=0), plain.evaluate(x, y, verbose=0), rtol=1e-5
    )
    model.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), answers, atol=1e-6)
    assert again.method == method and again.compiled
    done, total = (float(ops.convert_to_numpy(v)) for v in (again.steps_done, again.steps))
    assert done == total == 8  # the schedules of the methods have reached their end
    plain.save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as file:
        assert b"shiftguard" not in file.read("config.json")
    loaded = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), answers, atol=1e-6)


def test_the_plain_model_is_compiled_like_the_wrapper(rng):
    """Also if it was compiled before; and a later `compile` of the user's own stays."""
    x, y, target = two_domains(rng)
    base = network()
    base.compile("adam", "mse")
    model = wrapped(model=base)
    model.fit(x, y, target_data=target, verbose=0)
    plain = model.adapted_model
    found = plain.evaluate(x, y, verbose=0, return_dict=True)
    assert found == pytest.approx(model.evaluate(x, y, verbose=0, return_dict=True))
    assert "accuracy" in found and isinstance(plain.optimizer, keras.optimizers.SGD)
    plain.compile("adam", "mse")
    assert model.adapted_model.loss == "mse"


def with_batch_norm():
    inputs = keras.Input((2,))
    features = keras.layers.Dense(4, name="features")(inputs)
    norm = keras.layers.BatchNormalization(name="norm")(features)
    return keras.Model(inputs, keras.layers.Dense(2)(norm))


def test_augmentation_alone_is_trained_without_the_target(rng):
    """Neither the moving averages of batch norm nor the views depend on the target."""
    x, y, target = two_domains(rng, 32, 32)
    found = []
    for factor in (1.0, 50.0):
        keras.utils.set_random_seed(0)
        base = with_batch_norm()
        model = wrapped("augmentation", base)
        model.fit(x, y, target_data=factor * target, batch_size=16, shuffle=False, verbose=0)
        found.append(base.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough
def test_batch_norm_remembers_one_pass_only(rng):
    """The second forward pass of AdaMatch (source only) does not change the moving averages."""
    x, y, target = two_domains(rng, 32, 32)
    moved = {}
    for method in ("adamatch", "mmd"):
        keras.utils.set_random_seed(0)
        base = with_batch_norm()
        model = wrapped(method, base, augmentation=keras.layers.Rescaling(1.001))
        model.fit(x, y, target_data=target, batch_size=32, shuffle=False, verbose=0)
        moved[method] = as_array(base.get_layer("norm").moving_mean.value)
    assert np.abs(moved["mmd"]).max() > 1e-4
    # One step from the same weights moves the average equally far with each method.
    np.testing.assert_allclose(moved["adamatch"], moved["mmd"], atol=1e-6)


@pytest.mark.thorough
def test_half_precision_scales_the_loss(rng):
    x, y, target = two_domains(rng)
    weights = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(policy)
        try:
            model = wrapped("dann")
        finally:
            keras.config.set_dtype_policy("float32")
        model.fit(*(x, y), target_data=target, epochs=2, batch_size=32, shuffle=False, verbose=0)
        weights.append(model.adapted_model.get_weights())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    moved = 0.0
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)  # without the loss scale: a factor of 2**15
        moved = max(moved, float(np.abs(a).max()))
    assert moved > 0.01


@pytest.mark.parametrize(
    ("units", "end", "loss", "output", "expected"),
    [
        # All logits of a batch may lie in [0, 1]; the loss says that they are logits.
        (1, None, keras.losses.BinaryCrossentropy(from_logits=True), [0.2], 1 / (1 + np.exp(-0.2))),
        (1, None, keras.losses.BinaryCrossentropy(), [0.2], 0.2),
        # Rows of half precision miss the sum 1 by more than outputs of unknown kind may.
        (2, "softmax", "sparse_categorical_crossentropy", [0.09814453, 0.8984375], 0.9015),
        # Several sigmoids are measured as shares.
        (2, "sigmoid", "binary_crossentropy", [0.6, 0.2], 0.25),
    ],
)
def test_outputs_are_read_as_the_loss_and_the_last_layer_say(
    rng, units, end, loss, output, expected
):
    x, y, target = two_domains(rng)
    base = keras.Sequential([network(classes=units), keras.layers.Activation(end)])
    model = adapted("dann", base, loss=loss, feature_layer="net")
    y = np.eye(2)[y] if end == "sigmoid" else y[:, None]
    model.fit(x, y, target_data=target, verbose=0)
    output = ops.convert_to_tensor([output], "float32")
    p = as_array(model.probabilities(output))
    np.testing.assert_allclose(p[0, 1], expected, atol=1e-3)
    log_p = as_array(model.probabilities(output, log_probabilities))
    np.testing.assert_allclose(np.exp(log_p), p, atol=1e-6)

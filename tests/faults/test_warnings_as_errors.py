"""Warnings that the user turns into errors: they end no fit, and stop no guard.

`-W error` and the same setting of pytest are meant for the user's own code. A filter that names
`ShiftWarning` or this package is meant for the guard.
"""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from faults.fits import X, new_model, quiet, run

import keras_shiftguard as sg

pytestmark = pytest.mark.backend

FIT = """
import sys, warnings
with warnings.catch_warnings():  # an old Keras warns while it is imported
    warnings.simplefilter("ignore")
    import keras, numpy as np, keras_shiftguard as sg
rng = np.random.default_rng(0)
x = rng.random((128, 12, 12, 3)).astype("float32")
y = (x.mean((1, 2, 3)) > np.median(x.mean((1, 2, 3)))).astype("int32")

def fitted(*guards):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(
        x, y, 32, epochs=2, validation_data=(x * 0.3, y), callbacks=list(guards), verbose=0
    ).history
    if guards:
        model.evaluate(x, y, verbose=0, callbacks=list(guards))
    variables = [*model.weights, *model.optimizer.variables]
    tensors = [keras.ops.convert_to_tensor(each) for each in variables]  # as NumPy does not warn of
    if keras.backend.backend() == "torch":
        tensors = [each.detach().numpy() for each in tensors]
    logs = {name: values for name, values in history.items() if "shift" not in name}
    return [np.asarray(each).tobytes() for each in tensors], logs

guard = sg.ShiftGuard(verbose=0, log_dir=sys.argv[1], target_data=x * 0.5)
assert fitted(guard) == fitted()
assert guard.profiles["validation"].num_samples == 128
assert {"target"} == {each.stream for each in guard.report.findings}  # of the evaluation
print("the same")
"""


@pytest.mark.thorough
def test_a_fit_under_such_a_setting_is_that_without_the_guard(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("the same\n")
    assert "\nShiftGuard found a shift" in f"\n{done.stderr}"
    assert "stopped watching" not in done.stderr and "cannot measure" not in done.stderr


def moved_fit():
    """A fit whose validation is far from its training, so that the guard warns."""
    guard = quiet(on_shift="warn", tolerance=None)  # too few samples to measure a cost
    run(new_model(), [guard], validation_data=(X + 9, np.zeros(len(X), int)), epochs=1)
    return guard


@pytest.mark.eager
@pytest.mark.parametrize(
    "filter_",
    [{"category": sg.ShiftWarning}, {"module": "keras_shiftguard"}, {"message": "ShiftGuard"}],
    ids=lambda each: next(iter(each)),
)
def test_a_filter_that_names_the_guard_is_meant_for_it(filter_):
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("error", **filter_)
        warnings.filterwarnings("ignore", category=DeprecationWarning, append=True)
        with pytest.raises(sg.ShiftWarning, match="found a shift"):
            moved_fit()


@pytest.mark.each_backend
@pytest.mark.eager
def test_a_filter_for_all_warnings_lets_the_guard_warn_and_stays_as_it_was():
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.simplefilter("error")
        before = list(warnings.filters)
        guard = moved_fit()
        assert warnings.filters == before
    assert guard.report.findings
    (warned,) = [each for each in caught if each.category is sg.ShiftWarning]
    assert "found a shift" in str(warned.message)

"""The public interface: its names, arguments and docstrings, no more and no less."""

import importlib
import inspect
import pkgutil
import types

import keras
import numpy as np
import pytest
from own_process import run_python

import keras_shiftguard as sg


def test_all_is_every_public_name_sorted():
    public = [name for name in dir(sg) if not name.startswith("_")]
    assert sorted(sg.__all__) == list(sg.__all__) == public


@pytest.mark.thorough
def test_the_import_does_not_import_what_only_some_runs_need():
    code = """
        import sys, keras
        before = set(sys.modules)
        import keras_shiftguard
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        few = "keras_shiftguard_page tensorboard click apache_beam PIL sklearn rich"
        assert not new & set(few.split()), new
    """
    run_python(code)


def test_the_contract_of_this_release_is_there_and_no_more():
    promised = (
        "BadInputError Diagnosis GapReport InputConvention InputCorrection InputProfile "
        "PreprocessingMismatchError ShiftDetectedError ShiftGuard ShiftGuardError ShiftReport "
        "ShiftWarning Verdict AccuracyEstimate AdaptiveAugmentation DomainAdaptationModel "
        "GradientReversal compare diagnose estimate_accuracy explain_gap profile"
    )
    assert set(sg.__all__) == set(promised.split())


def test_arguments_of_the_guard():
    signature = inspect.signature(sg.ShiftGuard)
    assert {name: p.default for name, p in signature.parameters.items()} == {
        "reference": None,
        "target_data": None,
        "log_dir": None,
        "adapt": False,
        "expects": None,
        "on_mismatch": "warn",
        "on_shift": "warn",
        "tolerance": 0.01,
        "alpha": 0.05,
        "log_samples": 0,
        "attach_to": None,
        "feature_layer": None,
        "statistics": (),
        "distinct_samples": None,
        "update_freq": "epoch",
        "verbose": 1,
    }
    kinds = {name: p.kind.name for name, p in signature.parameters.items()}
    positional = [name for name, kind in kinds.items() if kind != "KEYWORD_ONLY"]
    assert positional == ["reference", "target_data"]
    text = inspect.getdoc(sg.ShiftGuard)
    places = [text.index(f"    {name}: ") for name in signature.parameters]
    assert places == sorted(places)
    assert places[10] < text.index("Advanced:") < places[11]


def test_arguments_of_diagnose():
    parameters = inspect.signature(sg.diagnose).parameters
    assert list(parameters) == ["model", "data", "expects", "max_samples"]
    assert parameters["max_samples"].default == 256


@pytest.mark.parametrize("name", sg.__all__)
def test_every_public_name_is_described(name):
    value = getattr(sg, name)
    if not isinstance(value, (type, types.FunctionType)):
        pytest.skip("a plain value")
    text = inspect.getdoc(value)
    assert text and text[0].isupper()
    if isinstance(value, types.FunctionType) or not issubclass(value, Exception):
        parameters = [p for p in inspect.signature(value).parameters if p not in ("args", "kwargs")]
        section = text.partition("Args:")[2]
        missing = [p for p in parameters if f"{p}:" not in section]
        assert not missing, f"the docstring of {name} does not say what {missing} are"


@pytest.mark.backend
def test_layers_are_registered_for_loading():
    values = [getattr(sg, name) for name in sg.__all__]
    layers = [v for v in values if isinstance(v, type) and issubclass(v, keras.Layer)]
    assert layers
    for layer in layers:
        name = keras.saving.get_registered_name(layer)
        assert name == f"keras_shiftguard>{layer.__name__}"


def test_every_class_that_a_file_may_name_is_registered_by_the_import_alone():
    registered = set(keras.saving.get_custom_objects())
    for module in pkgutil.walk_packages(sg.__path__, "keras_shiftguard."):
        if not module.name.endswith(("__main__", ".beam")):  # Beam may not be installed
            importlib.import_module(module.name)
    assert set(keras.saving.get_custom_objects()) == registered


LOADER = """
import os, sys, keras, numpy as np
import keras_shiftguard
os.chdir(sys.argv[1])
x = np.load("x.npy")
for name in ("layers.keras", "layers.h5", "adapted.keras"):
    model = keras.models.load_model(name)
    print(type(model).__name__, *(type(layer).__name__ for layer in model.layers))
    np.testing.assert_allclose(model.predict(x, verbose=0), np.load(name + ".npy"), atol=1e-6)
json = open("layers.json").read()
print(len(keras.models.model_from_json(json).layers))
"""


@pytest.mark.thorough
def test_what_was_saved_loads_after_the_import_alone(tmp_path, rng):
    x = rng.random((4, 8, 8, 3), dtype="float32")
    np.save(tmp_path / "x.npy", x)

    def network(*front, last=()):
        features = keras.layers.Dense(4, activation="relu", name="features")
        stack = [*front, keras.layers.Flatten(), features, *last]
        last = keras.layers.Dense(3, activation="softmax")
        return keras.Sequential([keras.Input((8, 8, 3)), *stack, last])

    front = sg.InputCorrection(scale=2.0, offset=-1.0), sg.AdaptiveAugmentation()
    plain, base = network(*front, last=[sg.GradientReversal()]), network()
    adapted = sg.DomainAdaptationModel(base, feature_layer="features", verbose=0)
    adapted.compile("sgd", "sparse_categorical_crossentropy")
    adapted.predict(x, verbose=0)
    saved = {"layers.keras": plain, "layers.h5": plain, "adapted.keras": adapted}
    for name, model in saved.items():
        model.save(tmp_path / name)
        np.save(tmp_path / f"{name}.npy", model.predict(x, verbose=0))
    (tmp_path / "layers.json").write_text(plain.to_json())
    lines = run_python(LOADER, tmp_path).stdout.splitlines()
    for line in lines[:2]:
        assert {"InputCorrection", "AdaptiveAugmentation", "GradientReversal"} <= set(line.split())
    assert lines[2].startswith("DomainAdaptationModel") and lines[3] == "6"


def test_without_a_backend_the_error_says_what_to_install():
    code = """
        import sys
        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("tensorflow", "jax", "torch"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Missing())
        import keras_shiftguard
    """
    told = run_python(code, status=1).stderr
    backend = keras.backend.backend()
    assert "NoBackendError" in told and f'pip install "keras-shiftguard[{backend}]"' in told

"""The public surface is what it says, no more and no less."""

import inspect
import subprocess
import sys
import types

import keras
import pytest

import keras_shiftguard as sg

pytestmark = pytest.mark.backend


def test_all_is_every_public_name_sorted():
    public = [
        name
        for name, value in vars(sg).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]
    assert sorted(sg.__all__) == list(sg.__all__) == sorted(public)


def test_the_contract_of_this_release_is_there():
    promised = {
        "BadInputError",
        "Diagnosis",
        "GapReport",
        "InputConvention",
        "InputCorrection",
        "InputProfile",
        "PreprocessingMismatchError",
        "ShiftGuard",
        "ShiftGuardError",
        "ShiftWarning",
        "diagnose",
        "explain_gap",
        "profile",
    }
    assert promised <= set(sg.__all__)


def test_arguments_of_the_guard():
    signature = inspect.signature(sg.ShiftGuard)
    assert {name: p.default for name, p in signature.parameters.items()} == {
        "reference": None,
        "target_data": None,
        "adapt": False,
        "on_mismatch": "warn",
        "on_shift": "warn",
        "feature_layer": None,
        "statistics": (),
        "distinct_samples": None,
        "alpha": 0.05,
        "update_freq": "epoch",
        "log_dir": None,
        "verbose": 1,
    }


def test_arguments_of_diagnose():
    parameters = inspect.signature(sg.diagnose).parameters
    assert list(parameters) == ["model", "data", "max_samples"]
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


def test_layers_are_registered_for_loading():
    layers = [v for v in vars(sg).values() if isinstance(v, type) and issubclass(v, keras.Layer)]
    assert layers
    for layer in layers:
        name = keras.saving.get_registered_name(layer)
        assert name == f"keras_shiftguard>{layer.__name__}"


def test_without_a_backend_the_error_says_what_to_install(tmp_path):
    blocked = tmp_path / "blocked.py"
    blocked.write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tensorflow', 'jax', 'torch'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import keras_shiftguard\n"
    )
    done = subprocess.run([sys.executable, blocked], capture_output=True, text=True)
    backend = keras.backend.backend()
    assert done.returncode and "NoBackendError" in done.stderr
    assert f'pip install "keras-shiftguard[{backend}]"' in done.stderr

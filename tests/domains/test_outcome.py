"""The messages of `DomainAdaptationModel.fit` that say whether adaptation may help or helped."""

import keras
import numpy as np
import pytest
from adaptation_models import network, two_domains
from domains.adapted import LOSS, adapted

from keras_shiftguard.callback.guard import ShiftGuard
from keras_shiftguard.domains import outcome
from keras_shiftguard.domains.outcome import expectation
from tensorboard_plugin_shiftguard.checks import parsed


def fitted(method="mmd", trained=20, verbose=1, validate=True, **kwargs):
    """Returns a model that was trained on the source for some epochs, and then adapted."""
    x, y, target = two_domains(np.random.default_rng(0), 240, 120)
    keras.utils.set_random_seed(0)
    base = network()
    base.compile(keras.optimizers.Adam(0.03), LOSS)
    base.fit(x[:120], y[:120], epochs=trained, batch_size=60, verbose=0)
    model = adapted(method, base, keras.optimizers.SGD(1e-3), verbose=verbose)
    if validate:
        kwargs["validation_data"] = x[120:], y[120:]
    model.fit(x[:120], y[:120], target_data=target, epochs=1, verbose=0, **kwargs)
    return model


@pytest.mark.thorough
@pytest.mark.backend
def test_a_trained_model_is_compared_with_itself_before(capsys):
    model = fitted()
    said = capsys.readouterr().out
    assert said.startswith("Adaptation may help: ") and "(120 samples)." in said.splitlines()[0]
    # One epoch with a small learning rate changes the accuracy too little to be seen.
    assert "Accuracy on target data is estimated at" in said
    assert model.outcome in said and model.alignment.outcome == model.outcome
    assert said.count("estimated at") == 1 and "before adaptation, it was" in model.outcome
    silent = fitted(verbose=0)
    assert capsys.readouterr().out == silent.expected == silent.outcome == ""
    for a, b in zip(model.adapted_model.get_weights(), silent.base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough
def test_what_is_not_said(capsys):
    untrained = fitted(trained=0)  # it learns meanwhile
    assert untrained.outcome and "before adaptation" not in untrained.outcome
    capsys.readouterr()
    unlabelled = fitted(validate=False)
    assert unlabelled.expected and unlabelled.outcome == ""
    assert "estimated at" not in capsys.readouterr().out


@pytest.mark.thorough
def test_the_guard_logs_both_lines(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    guard = ShiftGuard(log_dir=tmp_path, on_shift="ignore", verbose=0)
    model = fitted(callbacks=[guard])
    log = EventAccumulator(str(tmp_path / "shiftguard")).Reload()
    state = parsed(log.Tensors("shiftguard/state")[-1].tensor_proto.string_val[0])
    worth = state["worth"]
    assert (worth["before"], worth["after"]) == (model.expected, model.outcome)
    assert worth["answer"] == "unknown" and worth["saw_target"] and len(worth["now"]) == 3
    page = (tmp_path / "shift.html").read_text(encoding="utf-8")
    assert "Accuracy on target data is estimated" in page


def test_what_cannot_be_measured_stops_no_fit(monkeypatch):
    assert expectation(np.full((9, 2), "a"), np.full((9, 2), "b")) == ""

    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(outcome, "profile", broken)
    with pytest.warns(match="could not be measured .*no room"):
        assert expectation(np.zeros((9, 2)), np.ones((9, 2))) == ""

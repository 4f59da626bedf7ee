"""The guard beside other callbacks, before and behind them.

Weights, optimizer, history, checkpoints and the logs that each callback gets are bit for bit
those without the guard, and the guard has the same findings as without other callbacks.
"""

import importlib.util

import keras
import numpy as np
import pytest
from faults.fits import X, Y, new_model
from keras import callbacks

import keras_shiftguard as sg

VALIDATION = X[:32] + np.float32(3), Y[:32]
OTHER = X[32:48], Y[32:48]


class Own(callbacks.Callback):
    """A user's callback that records every call, evaluates, predicts, and changes a weight."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def _hear(self, hook, index, logs):
        logs = {k: float(v) for k, v in (logs or {}).items() if k not in ("shift", "val_shift")}
        self.heard.append((hook, index, logs))

    def on_epoch_begin(self, epoch, logs=None):
        self._hear("epoch begin", epoch, logs)
        bias = self.model.layers[-1].bias
        bias.assign(bias + 0.01)

    def on_train_batch_end(self, batch, logs=None):
        self._hear("batch", batch, logs)

    def on_test_begin(self, logs=None):
        self._hear("test", 0, logs)

    def on_test_end(self, logs=None):
        self._hear("test end", 0, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._hear("epoch", epoch, logs)
        loss = self.model.evaluate(*OTHER, verbose=0)
        predicted = self.model.predict(OTHER[0], verbose=0)
        self.heard.append(("between", epoch, {"loss": loss, "sum": float(predicted.sum())}))


def stopping():
    # No epoch improves by `min_delta`, so the fit stops after two epochs and restores the first.
    return callbacks.EarlyStopping(
        "val_loss", min_delta=100, patience=1, mode="min", restore_best_weights=True
    )


OTHERS = {
    "ModelCheckpoint": lambda d: callbacks.ModelCheckpoint(
        d / "{epoch}.weights.h5", save_weights_only=True
    ),
    "EarlyStopping": lambda d: stopping(),
    "SwapEMAWeights": lambda d: callbacks.SwapEMAWeights(swap_on_epoch=True),
    "LearningRateScheduler": lambda d: callbacks.LearningRateScheduler(lambda e, lr: lr * 0.5),
    "TensorBoard": lambda d: callbacks.TensorBoard(d / "board", update_freq=1),
    "own": lambda d: Own(),
}
if importlib.util.find_spec("tensorflow") is None:
    del OTHERS["TensorBoard"]  # Keras's callback needs TensorFlow on every backend


def run(folder, guard=None, place=0, others=OTHERS):
    """Runs a fit; returns everything about it that the guard must not change."""
    model = new_model(keras.optimizers.Adam(1e-2, use_ema=True))
    folder.mkdir()
    used = [made(folder) for made in others.values()]
    watchers = [] if guard is None else [guard]
    history = model.fit(
        X,
        Y,
        batch_size=32,
        epochs=3,
        validation_data=VALIDATION,
        callbacks=[*used[:place], *watchers, *used[place:]],
        shuffle=False,
        verbose=0,
    )
    variables = [*model.weights, *model.optimizer.variables]
    found = {str(i): np.array(keras.ops.convert_to_numpy(v)) for i, v in enumerate(variables)}
    for file in sorted(folder.glob("*.weights.h5")):
        model.load_weights(file)
        kept = model.get_weights()
        found |= {f"{file.name} {i}": weight for i, weight in enumerate(kept)}
    kept = {k: v for k, v in history.history.items() if k not in ("shift", "val_shift")}
    heard = [each.heard for each in used if isinstance(each, Own)]
    boards = len(list(folder.glob("board/*/events*")))
    return found, (kept, heard, boards, sorted(f.name for f in folder.iterdir()))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
    run(tmp_path_factory.mktemp("alone") / "fit", guard, others={})
    assert guard.report.findings
    return guard


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.to_the_bit
@pytest.mark.parametrize("place", [0, 3, len(OTHERS)], ids=["first", "in the middle", "last"])
def test_among_all_of_them(place, tmp_path, alone):
    guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
    plain, plain_records = run(tmp_path / "plain")
    watched, watched_records = run(tmp_path / "watched", guard, place)
    assert plain.keys() == watched.keys()
    for name, value in plain.items():
        np.testing.assert_array_equal(watched[name], value, err_msg=name)
    assert watched_records == plain_records
    assert guard.profiles.keys() == alone.profiles.keys()
    for name, profile in alone.profiles.items():
        assert guard.profiles[name].features == profile.features
    assert [f.feature for f in guard.report.findings] == [f.feature for f in alone.report.findings]

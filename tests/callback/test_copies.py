"""Rows drawn with replacement count once, so one population drawn twice is no shift."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_breast_cancer
from small_fits import compiled, watched

from keras_shiftguard.callback.copies import share_without_copies


class Draws(keras.utils.PyDataset):
    """Batches of rows that are drawn with replacement, other ones in each epoch."""

    def __init__(self, x, y, batches, seed):
        super().__init__()
        self.x, self.y, self.batches = x, y, batches
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return self.batches

    def __getitem__(self, i):
        chosen = self.rng.integers(0, len(self.x), 64)
        return self.x[chosen], self.y[chosen]


def fit(seed, change=lambda x: x):
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = ((x - x.mean(axis=0)) / x.std(axis=0))[order].astype("float32"), y[order]
    keras.utils.set_random_seed(seed)
    model = compiled((30,), layers.Dense(16, "relu"), layers.Dense(2, "softmax"), rate=3e-3)
    train = Draws(x[:340], y[:340], 60, seed)
    return watched(model, train, Draws(change(x[340:]), y[340:], 30, seed + 99), 3)


@pytest.mark.backend
@pytest.mark.parametrize("seed", [1, 3])
def test_one_population_drawn_with_replacement_is_fine(seed):
    """Two samples of 340 and of 229 rows, of which 3,840 and 1,920 are drawn in each epoch."""
    guard = fit(seed)
    assert guard.verdict.state == "fine" and not guard.report.findings
    # The effective number of n draws from N rows is n N / (n + N).
    counted = {name: guard.profiles[name].distinct_samples for name in ("train", "validation")}
    assert counted["train"] == pytest.approx(312, rel=0.1)
    assert counted["validation"] == pytest.approx(205, rel=0.1)
    assert "drawn with replacement" in str(guard.report)


@pytest.mark.backend
def test_a_fault_of_rows_drawn_with_replacement_is_told():
    guard = fit(3, lambda x: np.roll(x, 1, axis=1))
    assert guard.verdict.state != "fine"  # 205 independent rows may not be enough to name it
    assert "augmented" not in str(guard.report)


def test_rows_of_few_categories_and_black_images_count_in_full():
    rng = np.random.default_rng(0)
    for categories in (4, 30):  # 64 different rows, and 27,000 of them
        rows = rng.integers(0, categories, (1500, 3)) @ [1, 1000, 10**6]
        assert share_without_copies(rows[:1000], rows[1000:], 60000) == 1
    black = np.where(np.arange(800) % 2, np.arange(800), -1)
    assert share_without_copies(black, np.arange(800, 1600), 800) == 1

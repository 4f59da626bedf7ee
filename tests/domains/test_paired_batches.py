"""Batches that pair source and target samples, from data of any form and size."""

import keras
import numpy as np
import pytest

from keras_shiftguard.domains import paired_batches
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import SOURCE, TARGET
from keras_shiftguard.io.source import open_source

X = np.arange(10, dtype="float32")[:, None]
Y = np.arange(10)
T = 100 + np.arange(7, dtype="float32")[:, None]


class Pairs(paired_batches.Pairs):
    """Pairs of a source and a target in any form."""

    def __init__(self, source, target, *args, **kwargs):
        super().__init__(open_source(source), open_source(target), *args, **kwargs)


def endless_batches(target, *args):
    return paired_batches.endless_batches(open_source(target), *args)


def epoch(pairs):
    batches = [pairs[i] for i in range(len(pairs))]
    x = np.concatenate([np.asarray(b[0][SOURCE]) for b in batches])[:, 0]
    t = np.concatenate([np.asarray(b[0][TARGET]) for b in batches])[:, 0]
    y = np.concatenate([np.asarray(b[1]) for b in batches])
    return x, t, y


class Indexed(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[4 * i : 4 * i + 4], Y[4 * i : 4 * i + 4]


def in_batches():
    for i in range(3):
        yield X[4 * i : 4 * i + 4], Y[4 * i : 4 * i + 4]


def tf_dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


SOURCES = {
    "arrays": lambda: (X, Y),
    "py_dataset": Indexed,
    "tf.data": tf_dataset,
    "tf.data of unknown length": lambda: tf_dataset().filter(lambda x, y: True),
    "loader": loader,
}


@pytest.mark.parametrize("form", SOURCES)
def test_each_epoch_is_the_whole_source(form):
    pairs = Pairs(SOURCES[form](), T, batch_size=4)
    pairs[0], pairs[1]  # Keras fetches two batches before training
    for _ in range(3):
        x, t, y = epoch(pairs)
        assert sorted(x) == list(range(10)) and (x == y).all()
        assert len(t) == 12 and (t >= 100).all()


def test_one_shot_sources_need_a_length_and_go_on():
    with pytest.raises(BadInputError, match="steps_per_epoch"):
        Pairs(in_batches(), T)
    pairs = Pairs(in_batches(), T, steps=2)
    assert list(epoch(pairs)[0]) == list(range(8))
    pairs.begin()  # Keras had read the first batches before training
    assert list(epoch(pairs)[0]) == list(range(8))
    with pytest.raises(BadInputError, match="ended after"):
        epoch(pairs)


def in_threes():
    for start in (0, 3, 6):
        yield (T[start : start + 3],)


TARGETS = {
    "arrays": lambda: T,
    "generator": in_threes,
    "function": lambda: in_threes,
    "labelled": lambda: (T, np.arange(7)),
    "tf.data": lambda: (
        pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices(T).batch(3)
    ),
}


@pytest.mark.parametrize("form", TARGETS)
def test_the_target_begins_again(form):
    stream = endless_batches(TARGETS[form](), 3, np.random.default_rng(0))
    seen = np.concatenate([np.asarray(next(stream)) for _ in range(15)])[:, 0]
    values, counts = np.unique(seen, return_counts=True)
    assert list(values) == list(T[:, 0]) and counts.min() >= 5


def test_order_and_weights():
    ordered = Pairs((X, Y, Y / 2), T, batch_size=4, shuffle=False)
    assert list(epoch(ordered)[0]) == list(range(10))
    weights = [ordered[i][2] for i in range(len(ordered))]
    assert list(np.concatenate(weights)) == list(Y / 2)
    one, two = (epoch(Pairs((X, Y), T, batch_size=4, seed=s))[0] for s in (1, 2))
    assert list(one) != list(two) and list(one) == list(epoch(Pairs((X, Y), T, 4, seed=1))[0])


def test_a_target_dataset_that_is_sorted_comes_in_random_order():
    stream = endless_batches(Indexed(), 4, np.random.default_rng(0))
    passes = [[float(next(stream)[0, 0]) for _ in range(3)] for _ in range(8)]
    assert all(sorted(each) == [0.0, 4.0, 8.0] for each in passes)
    assert len({tuple(each) for each in passes}) > 1


class Counting(Indexed):
    """A dataset that is told of the epochs; its batches are lists, as some datasets have them."""

    def __init__(self):
        super().__init__()
        self.told = []

    def __getitem__(self, i):
        return list(super().__getitem__(i))

    def on_epoch_begin(self):
        self.told.append("begin")

    def on_epoch_end(self):
        self.told.append("end")


@pytest.mark.parametrize("shuffle", [True, False])
def test_datasets_are_told_of_each_epoch_as_in_a_plain_fit(shuffle):
    class OfSource(Pairs):
        def __getitem__(self, index):
            pair, y = super().__getitem__(index)
            return pair[SOURCE], y

    alone, source, target = Counting(), Counting(), Counting()
    for fit_data in (alone, OfSource(source, target, shuffle=shuffle)):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        # Pairs shuffle their batches themselves.
        model.fit(fit_data, epochs=3, shuffle=shuffle and fit_data is alone, verbose=0)
    assert alone.told
    assert sorted(alone.told) == sorted(source.told) == sorted(target.told)

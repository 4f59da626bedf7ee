"""What a `Source` knows of data before it is read."""

import keras
import numpy as np
import pytest

from keras_shiftguard.io.source import open_source

X = np.arange(12, dtype="float32").reshape(6, 2)
Y = np.arange(6)


class Halves(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[3 * index : 3 * index + 3], Y[3 * index : 3 * index + 3]


def halves():
    yield from (Halves()[index] for index in range(2))


@pytest.mark.parametrize(
    ("data", "form", "size", "is_one_shot", "has_labels"),
    [
        (X, "arrays", 6, False, False),
        ((X, Y), "arrays", 6, False, True),
        ((X, None, Y), "arrays", 6, False, False),
        ({"a": X, "b": Y}, "arrays", 6, False, False),
        (Halves(), "dataset", None, False, False),
        (list(halves()), "iterable", None, False, False),
        (halves(), "iterable", None, True, False),
        (halves, "function", None, False, False),
    ],
)
def test_what_is_known_before_reading(data, form, size, is_one_shot, has_labels):
    source = open_source(data)
    known = (source.form, source.size, source.is_one_shot, source.has_labels)
    assert known == (form, size, is_one_shot, has_labels)


def test_a_function_makes_its_data_for_each_reader():
    source = open_source(halves)
    for _ in range(2):
        np.testing.assert_array_equal(source.first_samples(6)[0]["input"], X)


def test_rows_and_the_order_of_batches():
    source = open_source((X, Y), "x")
    (part,) = source.rows(np.array([4, 1])).batches()
    np.testing.assert_array_equal(part[1], [4, 1])
    found = [y.tolist() for _, y, _ in open_source(Halves()).batches(order=[1, 0])]
    assert found == [[3, 4, 5], [0, 1, 2]]

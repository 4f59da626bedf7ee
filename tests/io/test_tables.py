"""Tables of pandas: their numbers are measured, and the names of their columns are used."""

import keras
import numpy as np
import pytest

from keras_shiftguard import (
    BadInputError,
    InputProfile,
    ShiftGuard,
    compare,
    estimate_accuracy,
    explain_gap,
    profile,
)
from keras_shiftguard.domains.fitting import train
from keras_shiftguard.io.batches import column_names
from keras_shiftguard.io.source import open_source

pandas = pytest.importorskip("pandas")
Y = np.arange(50) % 3
W = np.linspace(1, 2, 50)
NAMES = ("age", "income", "height", "bmi")
ORDER = ["income", "age", "bmi", "height"]


def test_tables_and_columns_of_pandas_are_arrays():
    index = np.linspace(0, 1, 50)  # row labels, which must select nothing
    table = pandas.DataFrame({"a": W, "b": Y, "c": Y > 0}, index=index)
    inputs, labels = open_source((table, table["b"])).first_samples(50)
    np.testing.assert_allclose(inputs["input"], np.stack([W, Y, Y > 0], axis=1))
    np.testing.assert_array_equal(labels, Y)
    measured = profile((table, table["b"]))
    assert measured.inputs["input"].num_channels == 3
    assert measured.labels.counts[:3].tolist() == [17, 17, 16]
    assert sorted(profile({"a": table["a"], "b": table["b"]}).inputs) == ["a", "b"]
    with pytest.raises(BadInputError, match="without numbers: .'d'."):
        profile(table.assign(d="text"))
    missing = pandas.DataFrame({"a": pandas.array([1, None], "Int64")})
    assert profile(missing).inputs["input"].nonfinite_samples == 1


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(np.arange(4), 1 + np.arange(4), (2000, 4)).astype("float32")
    return pandas.DataFrame(x, columns=NAMES)


def test_names_of_columns(table):
    assert column_names(table) == {"input": NAMES}
    assert column_names((table, Y)) == column_names([table]) == {"input": NAMES}
    assert column_names({"a": table, "b": Y}) == {"a": NAMES}
    assert column_names((table["age"], Y)) == column_names(np.zeros((2, 4))) == {}
    shapes = {"left": (None, 4), "right": (None, 4)}
    assert column_names([table, table], shapes) == {"left": NAMES, "right": NAMES}


def test_findings_name_the_column(table):
    moved = table.sample(frac=1, random_state=0)
    moved["income"] += 3
    words = "higher in column 'income': mean 4 against 1 in reference"
    assert words in str(compare(table, moved))
    assert words in str(compare(table, moved.to_numpy()))  # one of the two has names
    moved.loc[moved.index[:300], "bmi"] = np.nan
    assert "Column 'bmi' of input is missing" in str(compare(table, moved))
    moved["bmi"] = np.nan
    assert "without a finite value in current: 'bmi'" in str(compare(table, moved))
    renamed = compare(table, table.rename(columns={"age": "Age"}))
    assert not renamed.shifted and "compared by their place: 'Age' against 'age'" in str(renamed)


def test_columns_in_another_order_or_number(table):
    for other in (table[ORDER], table[ORDER][:1]):  # one row is enough
        found = compare(table, other).findings
        assert [f.kind for f in found] == ["preprocessing"] and found[0].matters
        text = found[0].explanation
        assert "(4 of 4 are elsewhere): column 0 is 'income' against 'age'" in text
    assert "only reference has 'bmi'" in str(compare(table, table[["age", "income", "height"]]))
    # Without names, the order is not known, only that the columns differ.
    assert "another order" not in str(compare(table, table[ORDER].to_numpy()))


def test_a_file_keeps_the_names(table, tmp_path):
    profile(table).save(tmp_path / "named")
    assert InputProfile.load(tmp_path / "named").inputs["input"].columns == NAMES
    both = profile(table) + profile(table)
    assert both.inputs["input"].columns == NAMES
    assert (both + profile(table[ORDER])).inputs["input"].columns == ()
    profile(table.to_numpy()).save(tmp_path / "plain")
    assert InputProfile.load(tmp_path / "plain").inputs["input"].columns == ()


@pytest.mark.backend
def test_the_guard_names_the_columns_of_a_reference(table):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    guard = ShiftGuard(reference=table, verbose=0)
    moved = table.assign(height=table["height"] + 9)
    with pytest.warns(match="higher in column 'height': mean 11 against 2"):
        # The second pass shows that training is not augmented.
        model.fit(moved, np.arange(2000) % 2, epochs=2, verbose=0, callbacks=[guard])


@pytest.fixture
def classifier(table):
    """A model that reads its classes from one column, with those classes."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.layers[0].set_weights([np.array([[9.0], [0], [0], [0]]), np.zeros(1)])
    return model, (table["age"] > 0).to_numpy().astype(int)


def test_the_accuracy_gap_of_columns_in_another_order_is_removed(table, classifier):
    model, y = classifier
    known = profile((table, y), model=model)
    for reference in ((table, y), known):
        report = explain_gap(model, (table[ORDER], y), reference)
        row = report.rows[0]
        assert (row.operation[0], row.kind, row.accuracy) == ("column order", "input", 1.0)
        assert row.points == pytest.approx(1 - report.measured) and row.points > 0.2
        assert "data = data[list(reference.columns)]" in str(report)
    assert explain_gap(model, (table, y), known).fault is None


def test_columns_in_another_order_are_refused_where_no_cause_is_sought(table, classifier):
    model, y = classifier
    message = "column 0 is 'income' in `data` and 'age' in `reference`"
    with pytest.raises(BadInputError, match=message):
        estimate_accuracy(model, table[ORDER], (table, y))
    with pytest.raises(BadInputError, match="`x` and `target_data` must have one order"):
        train(model, model.fit, table, y, table[ORDER], {})

"""`explain_gap` on a model with known weights and data with known causes of a gap."""

import gap_cases
import keras
import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.explain import even_subsample, samples
from keras_shiftguard.explain.image_folder import open_folder


@pytest.fixture(scope="module")
def model():
    return gap_cases.classifier()


@pytest.fixture(scope="module")
def reference():
    return gap_cases.photos(600, seed=1)


def rows_of(report):
    assert abs(sum(row.points for row in report.rows) - report.gap) < 1e-9
    return {row.operation[0] if row.operation else row.kind: row for row in report.rows}


def test_right_data_has_no_gap(model, reference):
    report = sg.explain_gap(model, gap_cases.photos(600), reference)
    rows_of(report)
    assert report.fault is None and not report.is_sure and 0.85 < report.measured < 1
    with pytest.raises(sg.BadInputError, match="estimate_accuracy"):
        sg.explain_gap(model, gap_cases.photos(600)[0], reference)


@pytest.mark.thorough
@pytest.mark.backend
def test_a_wrong_range_and_swapped_channels_each_have_their_part(model, reference):
    x, y = gap_cases.photos(600)
    report = sg.explain_gap(model, (255 * x[..., ::-1], y), reference)
    rows = rows_of(report)
    assert {"preprocessing", "channel order"} <= rows.keys()
    assert report.is_sure and abs(report.rest.points) < 0.05
    # With both causes removed, every sample is predicted as in the right data.
    right = sg.explain_gap(model, (x, y), reference)
    both = rows["preprocessing"].points + rows["channel order"].points
    assert report.measured + both == pytest.approx(right.measured, abs=1e-9)
    fixed = eval(rows["preprocessing"].step.removeprefix("x = "), {"x": 255 * x[..., ::-1]})
    assert np.abs(fixed - x).max() < 1e-3


@pytest.mark.thorough
def test_other_class_frequencies_have_a_row(model, reference):
    data = gap_cases.photos(600, shares=(0.8, 0.1, 0.1))
    row = rows_of(sg.explain_gap(model, data, reference))["class mix"]
    assert row.points > 0.02  # class 0 has dark images, which are the hardest
    assert row.interval[0] < row.points < row.interval[1]


def test_a_directory_and_its_pipeline(model, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    x, y = gap_cases.photos(60)
    for i, (image, label) in enumerate(zip(x, y, strict=True)):
        folder = tmp_path / f"{label}"
        folder.mkdir(exist_ok=True)
        pil.fromarray((255 * image).astype("uint8")).save(folder / f"{i:03}.png")
    order = np.argsort(y, kind="stable")
    assert sg.explain_gap(model, tmp_path, 0.9).num_samples == 60
    beside = sg.explain_gap(model, (tmp_path, (x[order], y[order])), 0.9)
    function = sg.explain_gap(model, (tmp_path, lambda image: image / np.float32(255)), 0.9)
    assert beside.measured == function.measured
    with pytest.raises(sg.BadInputError, match="shuffle=False"):
        sg.explain_gap(model, (tmp_path, (x, y)), 0.9)
    # Image files are read with one or three channels, but arrays may have more.
    classes = keras.layers.Dense(len(set(y)), activation="softmax")
    shape = (*x.shape[1:3], 4)
    four = keras.Sequential([keras.Input(shape), keras.layers.GlobalAveragePooling2D(), classes])
    four.compile("sgd", "sparse_categorical_crossentropy")
    arrays = np.concatenate([x, x[..., :1]], axis=-1)[order]
    assert sg.explain_gap(four, (tmp_path, (arrays, y[order])), 0.9).num_samples == 60
    for data in (tmp_path, (tmp_path, lambda image: image)):
        with pytest.raises(sg.BadInputError, match="the model takes 4"):
            sg.explain_gap(four, data, 0.9)


def test_class_folders_are_numbered_as_keras_numbers_them(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    for name in (".ipynb_checkpoints", "cat", "dog", "owl"):
        (tmp_path / name).mkdir()
        if name != "dog":
            pil.new("RGB", (4, 4)).save(tmp_path / name / "0.png")
    assert open_folder(tmp_path, 3).labels.tolist() == [0, 2]


def test_max_samples_are_spread_evenly(model, reference):
    x, y = gap_cases.photos(600)
    order = np.argsort(y, kind="stable")
    report = sg.explain_gap(model, (x[order], y[order]), reference, max_samples=100)
    assert report.num_samples == 100
    assert "class mix" not in rows_of(report)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"reference": "published"}, "recognised by structure"),
        ({"reference": 76.0}, "between 0 and 1"),
        ({"reference": True}, "between 0 and 1"),
        ({"reference": "no/such/file"}, "does not exist"),
        ({"reference": np.zeros((4, 16, 16, 3), "float32")}, "must be labelled"),
        ({"y": np.full(20, 3)}, "classes of the model"),
        ({"y": np.array([0.0] * 19 + [np.nan])}, "such as \\[\\[nan\\]\\]"),
        ({"y": np.full((20, 3), 0.5)}, "class ids or one-hot"),
        ({"model": None}, "keras.Model"),
        ({"max_samples": 0}, "max_samples"),
    ],
)
def test_bad_arguments_are_refused(model, bad, words):
    x, y = gap_cases.photos(20)
    given = {"model": model, "reference": 0.9, **bad}
    with pytest.raises(sg.BadInputError, match=words):
        sg.explain_gap(data=(x, given.pop("y", y)), **given)


@pytest.mark.thorough
def test_groups_widen_the_intervals(model, reference):
    """Copies of a sample add no evidence."""
    x, y = gap_cases.photos(60, seed=3)
    copies = x.repeat(8, axis=0), y.repeat(8)
    groups = [f"clip {i}" for i in np.arange(60).repeat(8)]
    alone = sg.explain_gap(model, (x, y), reference, groups=np.arange(60))
    counted = sg.explain_gap(model, copies, reference)
    grouped = sg.explain_gap(model, copies, reference, groups=groups)
    widths = [report.interval[1] - report.interval[0] for report in (alone, counted, grouped)]
    assert widths[1] < 0.6 * widths[0] and 0.7 * widths[0] < widths[2] < 1.4 * widths[0]
    assert grouped.gap == counted.gap and "60 groups" in str(grouped)


@pytest.mark.parametrize(
    ("read", "limit"),
    [
        (iter, "max_samples"),
        (iter, "MAX_GENERATOR_SAMPLES"),
        (iter, "MAX_BYTES"),
        (list, "max_samples"),
        (list, "MAX_BYTES"),
    ],
)
def test_groups_are_those_of_the_samples_that_were_read(monkeypatch, model, read, limit):
    """The first 50 samples of a generator are read, but every second sample of a dataset."""
    x, y = gap_cases.photos(80)
    if limit == "MAX_BYTES":
        monkeypatch.setattr(even_subsample, limit, 50 * x[0].nbytes)
    elif limit != "max_samples":
        monkeypatch.setattr(samples, limit, 50)
    at = np.arange(80)
    is_read = at < 50 if read is iter else at % 2 == 0
    groups = np.where(is_read, at, -1)  # samples that are not read share one group

    def explain(groups):
        data = read([(x[i : i + 20], y[i : i + 20]) for i in range(0, 80, 20)])
        max_samples = 50 if limit == "max_samples" else None
        return sg.explain_gap(model, data, 0.9, groups=groups, max_samples=max_samples)

    n = is_read.sum()
    assert any(f"{n} groups" in note for note in explain(groups).notes)
    with pytest.raises(sg.BadInputError, match="one entry for each sample"):
        explain(groups[: n - 1])


def test_a_gap_without_skill_is_told_by_the_order_of_its_columns():
    x = np.random.default_rng(0).normal(size=(800, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.layers[0].set_weights([np.array([[3.0], [0], [0], [0]]), np.zeros(1)])
    bad, right = (x[400:800, ::-1].copy(), y[400:800]), (x[:400], y[:400])
    report = sg.explain_gap(model, bad, reference=right)
    assert report.fault.operation[0] in ("exchange", "reverse") and report.fault.points > 0.4

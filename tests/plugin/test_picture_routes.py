"""Pictures of `log_samples=`: which files the plugin sends, and which it refuses to send."""

import json

import numpy as np
import pytest
from plugin.logs import PROVIDERS, opened, write_small_run

from keras_shiftguard.io.png import png
from keras_shiftguard.log.pictures import PictureLog, PictureRow
from tensorboard_plugin_shiftguard.metadata import MAX_PICTURE_BYTES

RUN = "first/shiftguard"
WHERE = {"epoch": 3, "row": 0, "number": 0}


def write_pictures(log_dir, epochs=(2, 3), training=False):
    """Writes a run with validation images: four as fed, four corrected, one unusual, per epoch.

    With `training`, there are also training images, and validation images with a repair.
    """
    write_small_run(log_dir / "shiftguard")
    log = PictureLog(log_dir)
    for epoch in epochs:
        images = np.full((4, 8, 8, 3), epoch / 10, "float32") * np.arange(4)[:, None, None, None]
        labels = np.array([0, 1, -1, 1])
        rows = [
            PictureRow("validation", "images", "fed", images, labels),
            PictureRow("validation", "images", "corrected", 2 * images, labels, None, True),
            PictureRow("validation", "images", "unusual", images[:1], labels[:1], np.array([2.5])),
        ]
        if training:
            rows.insert(0, PictureRow("train", "images", "fed", 1 - images, labels))
            rows.append(PictureRow("validation", "images", "repaired", 1 - images, labels))
        log.write(epoch, rows)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_pictures(path / "first")
    write_small_run(path / "without" / "shiftguard")
    return path


@pytest.mark.parametrize("kind", PROVIDERS)
def test_the_pictures_that_are_listed_are_sent(log_dir, kind):
    with opened(log_dir, kind) as tab:
        tab.patient("overview", lambda answer: answer["steps"], run=RUN)
        assert tab.ask("overview", run=RUN)["pictures"] == [2, 3]
        answer = tab.ask("pictures", run=RUN)
        assert answer["problems"] == []
        assert [each["epoch"] for each in answer["epochs"]] == [2, 3]
        rows = answer["epochs"][1]["rows"]
        assert [row["what"] for row in rows] == ["fed", "corrected", "unusual"]
        assert [each["label"] for each in rows[0]["pictures"]] == [0, 1, None, 1]
        assert rows[2]["pictures"] == [{"place": 0, "label": 0, "distance": 2.5}]
        for row in rows:
            for each in row["pictures"]:
                place = {"epoch": 3, "row": row["place"], "number": each["place"]}
                sent = tab.get("picture", run=RUN, **place)
                file = f"shiftguard/samples/epoch-3/{row['place']}-{each['place']}.png"
                assert sent.data == (log_dir / "first" / file).read_bytes()
                assert sent.content_type == "image/png"
                assert sent.headers["X-Content-Type-Options"] == "nosniff"


def test_without_pictures_there_is_an_empty_list(log_dir):
    with opened(log_dir) as tab:
        assert tab.ask("overview", run="without/shiftguard")["pictures"] == []
        assert tab.ask("pictures", run="without/shiftguard") == {"epochs": [], "problems": []}


@pytest.mark.parametrize("logdir", [None, "", "gs://bucket/logs", "/nowhere/at/all"])
def test_a_log_that_is_not_on_this_machine_has_no_pictures(log_dir, logdir):
    with opened(log_dir, logdir=logdir) as tab:
        assert tab.ask("pictures", run=RUN)["epochs"] == []
        assert tab.get("picture", run=RUN, **WHERE).status_code == 404


@pytest.fixture
def first(tmp_path):
    """Returns the directory of a run, in a log directory that only this test uses."""
    write_pictures(tmp_path / "logs" / "first")
    return tmp_path / "logs" / "first"


def test_no_file_outside_of_the_log_directory_is_sent(tmp_path, first):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(np.zeros((2, 2, 1), "uint8")))
    picture = first / "shiftguard" / "samples" / "epoch-3" / "0-0.png"
    picture.unlink()
    picture.symlink_to(secret)
    elsewhere = tmp_path / "elsewhere"
    write_pictures(elsewhere)
    (tmp_path / "logs" / "linked").symlink_to(elsewhere)
    with opened(tmp_path / "logs") as tab:
        assert tab.get("picture", run=RUN, **WHERE).status_code == 404
        assert tab.get("picture", run=RUN, **WHERE | {"number": 1}).status_code == 200
        assert tab.get("picture", run="linked/shiftguard", **WHERE).status_code == 404
        for run in ("../elsewhere/shiftguard", str(elsewhere / "shiftguard"), "..", "first"):
            assert tab.get("picture", run=run, **WHERE).status_code == 404
        for wrong in ("../1", "1/..", "-1", "1.5", "", "%2e%2e"):
            assert tab.get("picture", run=RUN, **WHERE | {"row": wrong}).status_code == 400


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GIF89a", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422),
        (b"", 422),
        (png(np.zeros((2, 2, 1), "uint8")) + b"x" * MAX_PICTURE_BYTES, 422),
        (None, 404),
    ],
    ids=["gif", "svg", "empty", "large", "gone"],
)
def test_what_is_no_small_picture_is_not_sent(first, content, status):
    file = first / "shiftguard" / "samples" / "epoch-3" / "0-0.png"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with opened(first.parent) as tab:
        answer = tab.get("picture", run=RUN, **WHERE)
        assert answer.status_code == status and len(answer.json["error"]) > 20


GOOD = {"epoch": 3, "rows": [None, {"stream": "train", "what": "fed", "pictures": [7, {}]}]}


@pytest.mark.parametrize(
    ("content", "epochs", "problem"),
    [
        (b"{", [], "not JSON"),
        (b"[1]", [], "no JSON object"),
        ({"v": 2, "looks": []}, [], "layout 2"),
        (b" " * 2_000_001, [], "larger than"),
        ({"v": 1, "looks": 3}, [], None),
        ({"v": 1, "looks": [GOOD, 4, {"epoch": -1, "rows": [{}]}]}, [3], None),
        ({"v": 1, "looks": [{**GOOD, "epoch": k} for k in range(1, 99)]}, [*range(91, 99)], None),
    ],
    ids=range(7),
)
def test_a_damaged_list_is_a_problem_and_no_crash(first, content, epochs, problem):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    (first / "shiftguard" / "samples" / "index.json").write_bytes(content)
    with opened(first.parent) as tab:
        answer = tab.ask("pictures", run=RUN)
        assert [each["epoch"] for each in answer["epochs"]] == epochs
        told = tab.ask("overview", run=RUN)["problems"] + answer["problems"]
        assert any(problem in each for each in told) if problem else not told
        if epochs == [3]:
            [row] = answer["epochs"][0]["rows"]
            # Items that cannot be read are left out; the others keep their place.
            assert (row["place"], [each["place"] for each in row["pictures"]]) == (1, [1])

"""The layout is written and read by two packages that do not know each other."""

from benchmarks.shift_tab_runs import write_run
from plugin.logs import opened


def test_what_the_real_writer_writes_is_read(tmp_path):
    """Writer and reader know nothing of each other but the layout."""
    write_run(tmp_path / "real", num_features=6, num_epochs=3, seed=0, adaptation=True)
    with opened(tmp_path) as tab:
        [run] = tab.ask("runs")["runs"]
        answer = tab.ask("overview", run=run["id"])
        assert answer["problems"] == [] and answer["state"]
        assert len(answer["steps"]) == answer["kept"] == answer["looks"] == 3
        names = [f["name"] for f in answer["features"]]
        kinds = {f["name"]: f["kind"] for f in answer["features"]}
        assert kinds["labels"] == "classes" and kinds["input/1"] == "number"
        cards = tab.ask("cards", run=run["id"], pair=answer["pair"], name=names)["cards"]
        for name, kind in kinds.items():
            assert (cards[name] is None) == (kind == "score"), name
            feature = tab.ask("feature", run=run["id"], name=name)
            assert feature["kind"] == kind and feature["problems"] == []
        assert tab.ask("adaptation", run=run["id"])["series"]

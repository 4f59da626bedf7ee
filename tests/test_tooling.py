"""Contributors, hooks and CI run the same commands on all of the code."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_type_checking_hook_looks_at_every_package():
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    pattern = re.compile(hooks["mypy"]["files"])
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == PROJECT["tool"]["mypy"]["packages"] and len(packages) == 4
    for package in packages:
        assert pattern.match(f"{package}/__init__.py"), package
    assert not pattern.match("tests/test_docs.py")


def test_lint_tools_are_pinned_in_one_place():
    wanted = PROJECT["project"]["optional-dependencies"]["test"]
    for tool in ("ruff", "mypy"):
        assert [line for line in wanted if re.match(rf"{tool}==[\d.]+$", line)], tool
    for other in (
        ".pre-commit-config.yaml",
        "Makefile",
        "scripts/setup",
        ".github/workflows/ci.yml",
    ):
        assert not re.search(r"(ruff|mypy)[=><@]", (ROOT / other).read_text()), other


def test_ci_runs_the_commands_of_the_makefile():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    jobs, events = workflow["jobs"], workflow[True]  # YAML reads `on` as True
    assert {"push", "pull_request", "schedule"} <= set(events)
    assert "github.event_name" in workflow["concurrency"]["group"]
    assert all("schedule" in jobs[name]["if"] for name in ("test-all", "keras", "newest"))
    assert [name for name in jobs if jobs[name].get("continue-on-error")] == ["newest"]
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    makefile = (ROOT / "Makefile").read_text()
    targets = {m for line in commands for m in re.findall(r"make ([\w-]+)", line)}
    assert targets == {"test", "test-all", "test-keras"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert "make test\n" in (ROOT / ".ci" / "run").read_text()


def test_the_page_of_rooms_is_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import room_map

    page = room_map.PAGE.read_text()
    assert room_map.written(page) == page, "run python tools/room_map.py --write"
    assert room_map.picture() == room_map.PICTURE.read_text(), "run tools/room_map.py --write"
    assert {"io", "callback"} <= room_map.rooms().keys()  # it finds the rooms at all


def test_the_figure_of_the_readme_is_that_of_the_table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import augmentation_figure

    accuracies = [each for *_, by_kind in augmentation_figure.rows() for each in by_kind.values()]
    assert len(accuracies) == 10 * 8 and all(0 < each < 100 for each in accuracies)
    drawn = augmentation_figure.FIGURE.read_text()
    assert drawn == augmentation_figure.figure(), "run python tools/augmentation_figure.py"


def test_every_constant_has_a_source(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import constants

    found = constants.all_constants()
    assert len(found) > 100
    assert not [str(each) for each in found if each.source is None]


def test_a_comment_belongs_to_its_constant_or_group(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import constants

    file = tmp_path / "limits.py"
    file.write_text(
        "# Two limits. Conventions.\nA = 1\nB, C = 2, 3\n\nD = (0.5, 2048)  # a share\n"
        "E = 8  # pixels a side. Given by JPEG.\n"
    )
    sources = {each.name: each.source for each in constants.constants(file)}
    chosen = "a convention"
    assert sources == {"A": chosen, "B": chosen, "C": chosen, "D": None, "E": "given"}

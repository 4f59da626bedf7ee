"""The documentation agrees with the code: README, guide pages and benchmark pages."""

import ast
import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import keras_shiftguard as sg
from keras_shiftguard.conventions import MODES
from keras_shiftguard.detection.finding import RELABELLED
from keras_shiftguard.detection.gap_row import KINDS
from keras_shiftguard.detection.words.attribute_words import LABELS
from keras_shiftguard.detection.words.report_words import KIND_NAMES
from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES
from keras_shiftguard_cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BENCHMARKS = sorted((DOCS / "benchmarks").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), *BENCHMARKS]
README = (ROOT / "README.md").read_text()


def name_of(page):
    """Returns the path of a page from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def python_blocks():
    for page in PAGES:
        for number, code in enumerate(
            re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        ):
            yield pytest.param(code, id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("code", list(python_blocks()))
def test_code_compiles_and_names_what_exists(code):
    tree = ast.parse(code)
    compile(code, "block", "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "sg":
            assert node.attr in sg.__all__


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_files_and_tests_that_a_page_names_exist(page):
    text = page.read_text()
    files = re.findall(r"`((?:examples|keras_shiftguard|tests|tools)/[\w./]+)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []
    code = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+_\w+)`", text)
    assert [name for name in named if f"def {name}(" not in code] == []


def test_the_readme_has_both_commands_and_they_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("command", ["diagnose", "profile", "compare", "explain", "report", "demo"])
def test_every_option_of_the_command_is_described(command):
    page = (ROOT / "docs" / "command-line.md").read_text()
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert main([command, "--help"]) == 0
    options = set(re.findall(r"--[a-z-]+", shown.getvalue()))
    assert {"--help", "--json"} <= options
    assert {option for option in options if option not in page} == set()


def test_the_site_shows_every_page():
    pages = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert pages == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


@pytest.mark.parametrize("page", BENCHMARKS, ids=name_of)
def test_the_commands_of_a_benchmark_name_files_that_exist(page):
    scripts = re.findall(r"python ((?:examples|tests|tools)/\S+\.py)", page.read_text())
    assert scripts, "each page has the command that measures its figures"
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def test_the_list_of_benchmarks_is_complete():
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "benchmarks" / "index.md").read_text()))
    assert listed == {page.name for page in BENCHMARKS} - {"index.md"}


def test_the_table_of_architectures_is_that_of_the_code():
    spec = importlib.util.spec_from_file_location("hook", ROOT / "tools/architecture_table.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = hook.on_page_markdown((ROOT / "docs" / "architectures.md").read_text())
    for network in ARCHITECTURES.values():
        assert f"\n| {network.name} | `{network.mode}` | " in page
        assert page.count(f"| `{network.mode}` |") > 1, "a legend, and networks"
    assert len(ARCHITECTURES) == 40 and hook.MARK not in page


def test_the_api_page_shows_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text()
    shown = re.findall(r"^::: keras_shiftguard\.(\w+)$", page, re.MULTILINE)
    assert sorted(shown) == sg.__all__


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the site, built anew."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.thorough
def test_the_search_of_the_site_works_from_a_disk(site, browser):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.fill("input[name=query]", "misfit")
    page.wait_for_selector(".md-search-result__item", state="attached")
    assert "Glossary" in page.text_content(".md-search-result__list")
    assert [url for url in asked if not url.startswith("file:")] == []


def trees_of_the_package():
    return [ast.parse(file.read_text()) for file in (ROOT / "keras_shiftguard").rglob("*.py")]


def families_in_the_code():
    """Returns each value of `Finding.family` in signatures, arguments, assignments and defaults."""
    learnt = (ROOT / "keras_shiftguard/detection/causes/signatures.json").read_text()
    given = [ast.Constant(kind["family"]) for kind in json.loads(learnt)["kinds"]]
    for node in (node for tree in trees_of_the_package() for node in ast.walk(tree)):
        if isinstance(node, ast.Call):
            given += [k.value for k in node.keywords if k.arg == "family"]
            if getattr(node.func, "id", "") == "_certain":
                given.append(node.args[2])
        elif isinstance(node, ast.FunctionDef):
            last = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            pairs = zip(last, node.args.defaults, strict=True)
            given += [default for argument, default in pairs if argument.arg == "family"]
        elif isinstance(node, ast.Assign) and "family" in map(ast.unparse, node.targets):
            given.append(node.value)
    named = {n.id for n in given if isinstance(n, ast.Name)} - {"family"}
    assert named <= {"RELABELLED"}, "a constant that this test must learn to read"
    return {n.value for n in given if isinstance(n, ast.Constant)} | {RELABELLED}


def hints_in_the_code():
    """Returns every value of `Hint.name`."""
    found = set()
    for node in (node for tree in trees_of_the_package() for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            if getattr(node.func, "id", "") == "Hint":
                found.add(node.args[0].value)
    return found


def kinds_of_rows():
    """Returns every value of `GapRow.kind`."""
    return KINDS


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("finding.family", families_in_the_code),
        ("hint.name", hints_in_the_code),
        ("row.kind", kinds_of_rows),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_from_finding_to_fix_has_every_finding_and_no_other(column, names):
    page = (DOCS / "from-finding-to-fix.md").read_text()
    tables = re.findall(rf"^\| `{column}` \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    listed = re.findall(r"^\| `([^`]+)` \|", "".join(tables), re.MULTILINE)
    assert sorted(listed) == sorted(names())
    assert len(listed) > 5


def test_the_glossary_has_every_attribute_kind_and_mode():
    page = " ".join((DOCS / "glossary.md").read_text().split())
    assert [label for label in LABELS.values() if label not in page] == []
    assert [kind for kind in KIND_NAMES if f"**{kind.capitalize()} shift**" not in page] == []
    assert [mode for mode in (*MODES, "custom") if f'`"{mode}"`' not in page] == []


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sg.__version__ == project["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation


def test_no_page_names_a_private_place():
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        assert not re.search(r"/work/|/tmp/|/root/", page.read_text()), page

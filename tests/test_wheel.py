"""The wheel that users install: its content, and whether it works after installation."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Returns a function that runs a command with the installed wheel first on the Python path."""
    site = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", site, wheel], check=True, timeout=300)

    def run(*command):
        return subprocess.run(
            [str(part) for part in command],
            cwd=site.parent,  # not the repository: its package must not be found
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=300,
        )

    run.site = site
    return run


def test_two_builds_are_the_same_to_the_byte(tmp_path):
    digests = []
    for name, moment in (("one", 1_700_000_000), ("two", 1_750_000_000)):
        source, dist = tmp_path / name, tmp_path / f"{name}-dist"
        left_out = shutil.ignore_patterns(".*", "build", "dist", "site", "logs", "__pycache__")
        shutil.copytree(ROOT, source, ignore=left_out)
        for path in source.rglob("*"):
            os.utime(path, (moment, moment))
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, source],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1600000000"},
            check=True,
            capture_output=True,
            timeout=300,
        )
        digests.append({p.name: sha256(p.read_bytes()).hexdigest() for p in dist.iterdir()})
    assert digests[0] == digests[1]
    assert sorted(Path(name).suffix for name in digests[0]) == [".gz", ".whl"]


def test_it_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    packages = (
        *("keras_shiftguard", "keras_shiftguard_cli", "keras_shiftguard_page"),
        "tensorboard_plugin_shiftguard",
    )
    tops = {re.sub(r"-[\d.a-z]+\.dist-info$", "", n.split("/")[0]) for n in names}
    assert tops == set(packages)
    assert "keras_shiftguard/py.typed" in names
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)
    for library in ("uPlot.esm.js", "uPlot.css", "htm.js"):
        assert f"tensorboard_plugin_shiftguard/static/vendor/{library}" in names
        licence = f"licenses/tensorboard_plugin_shiftguard/static/vendor/{library.split('.')[0]}"
        assert any(n.endswith(f"{licence}.LICENSE.txt") for n in names)
    for suffix in ("py", "js", "css", "html"):
        expected = {
            path.relative_to(ROOT).as_posix()
            for package in packages
            for path in (ROOT / package).rglob(f"*.{suffix}")
        }
        assert {n for n in names if n.endswith(f".{suffix}")} == expected


def test_it_needs_only_what_it_says(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    required = re.findall(r"^Requires-Dist: ([^;\n]+)$", metadata, re.MULTILINE)
    needed = ["click>=8.1", "jinja2>=3.1", "keras>=3.13", "numpy>=1.26", "tensorboard>=2.21"]
    assert sorted(required) == needed
    extras = set(re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE))
    assert extras == {"tensorflow", "jax", "torch", "beam", "demo", "test", "docs", "trackers"}
    assert "License-Expression: Apache-2.0" in metadata


def test_tensorboard_finds_the_tab_of_the_installed_wheel(run, tmp_path):
    code = """
        import sys
        sys.modules["tensorflow"] = None
        from tensorboard import default
        [loader] = [p for p in default.get_plugins() if "shiftguard" in str(p).lower()]
        print(sys.modules[loader.__module__].__file__)
        print(*sorted({"keras", "jax", "torch", "keras_shiftguard"} & set(sys.modules)))
    """
    done = run(sys.executable, "-W", "ignore", "-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    place, heavy = done.stdout.splitlines()
    assert Path(place).is_relative_to(run.site) and heavy == ""


def test_the_command_runs(run, tmp_path):
    script = run.site / "bin" / "keras-shiftguard"
    done = run(script, "diagnose", tmp_path / "missing.keras", tmp_path)
    assert done.returncode == 2 and "missing.keras does not exist" in done.stderr
    assert "Traceback" not in done.stderr

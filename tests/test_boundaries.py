"""The boundaries between the packages, held by a machine: declared imports, and what real imports pull in."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.making.waiting import LIMIT_S

ROOT = Path(__file__).parents[1]
PACKAGES = {"shared", "trainer", "analyzer", "dashboard", "journeys"}
SCRIPTS = Path(sys.executable).parent


def modules_after(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh Python after `statement`."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_contracts_hold() -> None:
    done = subprocess.run([str(SCRIPTS / "lint-imports"), "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_sees_a_forbidden_import() -> None:
    assert "torch" in modules_after("import torch")


@pytest.mark.parametrize(
    "statement",
    [
        "import midwatch",
        "from shared import views; views.discover()",
        "import dashboard.app",
        "import analyzer.supervisor.loop",
        "import journeys.demo",
    ],
)
def test_no_torch(statement: str) -> None:
    assert not {"torch", "transformers", "ribs", "numba"} & modules_after(statement)


@pytest.mark.parametrize(
    "statement", ["import midwatch", "import analyzer.supervisor.loop", "import trainer.announce"]
)
def test_no_heavy_libraries(statement: str) -> None:
    heavy = {"streamlit", "plotly", "jinja2", "pandas", "sklearn", "scipy", "datasets"}
    assert not heavy & modules_after(statement)


def test_announce_needs_the_standard_library_only() -> None:
    found = modules_after(
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('announce', {str(ROOT / 'trainer/announce.py')!r})\n"
        "module = u.module_from_spec(spec)\nspec.loader.exec_module(module)"
    )
    before = modules_after("import site")
    assert found - before <= set(sys.stdlib_module_names) | {"announce"}


def test_no_dashboard_file_shadows_a_package() -> None:
    """Streamlit puts dashboard/ first on sys.path: a file named like a package would be imported in its place."""
    imported = PACKAGES | {"streamlit", "plotly", "numpy", "pandas", "pydantic", "psutil", "typer", "rich", "yaml"}
    names = {path.stem for path in (ROOT / "dashboard").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not names & (imported | set(sys.stdlib_module_names)) - {"__init__", "__pycache__"}


def test_every_file_of_a_package_is_installed() -> None:
    """Templates, style sheets and prompts are read from the installed package, not from a checkout."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["*"]
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert data
    assert [path for path in data if not any(path.match(pattern) for pattern in patterns)] == []


def test_help_shows_every_component() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "midwatch", "--help"], capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    for command in ("train", "watch", "dashboard", "demo"):
        assert f" {command} " in done.stdout

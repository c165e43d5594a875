"""A child of ours imports our code, whatever lies in the working directory."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from shared.processes import NEUTRAL, ROOT, child_environment, python_command


def test_an_empty_entry_of_the_path_is_not_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    (library / "told.py").write_text("import sys; print(*sys.path, sep='\\n')")
    (tmp_path / "told.py").write_text("raise SystemExit('from the working directory')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep + str(library))
    done = subprocess.run(
        python_command("told"), cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=True
    )
    found = done.stdout.splitlines()
    assert str(tmp_path) not in found and "" not in found
    assert str(ROOT) in found, "the child finds the Midwatch that started it"


def test_what_the_path_names_is_kept_and_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["lib", "/a", "", str(ROOT)]))
    expected = [str(tmp_path / "lib"), "/a", str(ROOT)]
    assert child_environment()["PYTHONPATH"] == os.pathsep.join(expected)


def test_an_installation_is_not_put_before_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.processes.ROOT", Path("/usr/lib/python3/site-packages"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "PYTHONPATH" not in child_environment()


def test_grandchildren_are_safe_too_and_more_is_added() -> None:
    environment = child_environment(OMP_NUM_THREADS="7")
    assert environment["PYTHONSAFEPATH"] == "1"
    assert environment["OMP_NUM_THREADS"] == "7"
    assert NEUTRAL.is_dir() and NEUTRAL.is_absolute()


def started_in(path: Path) -> list[ast.Call]:
    """Calls that start a process."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    starts = ("subprocess.", "os.exec", "os.spawn", "os.posix_spawn", "os.system", "os.popen")
    return [call for call in calls if ast.unparse(call.func).startswith(starts)]


def test_every_process_that_is_started_is_started_safely() -> None:
    """Whoever starts one more has to say where, and with which environment; `ps` and its like are no Python."""
    packages = ("shared", "analyzer", "trainer", "dashboard", "journeys")
    found = {path: started_in(path) for package in packages for path in sorted((ROOT / package).rglob("*.py"))}
    unsafe = []
    for path, calls in found.items():
        for call in calls:
            told = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            name = f"{path.relative_to(ROOT)}:{call.lineno}"
            if ast.unparse(call.func).startswith("os.exec"):
                safe = (
                    "os.chdir(NEUTRAL)" in path.read_text("utf-8") and ast.unparse(call.args[-1]) == "environment"
                )
            else:
                safe = "env" in told and told.get("cwd") in ("NEUTRAL", "place")
            if not safe and path.name not in NO_PYTHON:
                unsafe.append(name)
    assert unsafe == []
    assert sum(len(calls) for calls in found.values()) >= 8, "the search finds those that there are"


NO_PYTHON = ("leftovers.py", "compute_slot.py")
"""Files that start only programs of the system: ps, pgrep, nvidia-smi."""

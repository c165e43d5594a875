"""`make audit` never calls a package clean that nobody could look up; from pip-audit's answers."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

report = runpy.run_path(str(Path(__file__).parents[2] / "docker" / "audit.py"))["report"]
CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
ILL = {"name": "jinja2", "version": "2.11.2", "vulns": [{"id": "PYSEC-2021-66", "fix_versions": ["2.11.3"]}]}
UNFIXED = {"name": "old", "version": "1", "vulns": [{"id": "X-1", "fix_versions": []}]}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CLEAN], 0, "audit: 1 packages, none with a known vulnerability"),
        ([CLEAN, ILL], 1, "audit: jinja2 2.11.2: PYSEC-2021-66; fixed in: 2.11.3"),
        ([UNFIXED], 1, "audit: old 1: X-1; fixed in: none yet"),
        ([CLEAN, SKIPPED], 2, "1 of 2 packages could not be looked up (torch): nothing is known"),
        ([ILL, SKIPPED], 1, "1 of 2 packages could not be looked up (torch): nothing is known"),
        ([SKIPPED] * 7, 2, "(torch, torch, torch, torch, torch, ...)"),
        ([], 2, "there is no package to look up"),
    ],
)
def test_what_it_says(packages: list[dict], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(packages) == code
    assert said in capsys.readouterr().out

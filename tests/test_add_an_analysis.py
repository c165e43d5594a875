"""The analysis of docs/add_an_analysis.md, written into a copy of the source: it runs, and holds what all must."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.results import ResultRecord, ResultStore
from shared.run import Run
from tests.making.runs import add_checkpoint, describe, judge_template, probes
from tests.making.waiting import LIMIT_S

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "add_an_analysis.md").read_text(encoding="utf-8")
HEADING = r"^## \d\. [^`\n]*: `([\w/]+\.py)`\n.*?^```python\n(.*?)^```"
FILES = dict(re.findall(HEADING, DOCUMENT, re.DOTALL | re.MULTILINE))
COMMANDS = re.findall(r"^midwatch (analyze .*)$", DOCUMENT, re.MULTILINE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the document's three files."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("shared", "trainer", "analyzer", "dashboard", "journeys", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("midwatch.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    for name, text in FILES.items():
        assert not (copy / name).exists()
        (copy / name).write_text(text, encoding="utf-8")
    return copy


ANALYSE = """
import json, sys
from tests.making.commands_here import midwatch_here
for words in json.loads(sys.argv[1]):
    done = midwatch_here(*words)
    assert done.returncode == 0, done.stderr
"""
"""Commands, one after the other in one process."""


def python(source: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=cwd, env=environment, timeout=LIMIT_S
    )


def analysed(source: Path, run: Run, *calls: list[str]) -> list[ResultRecord]:
    """The result of each call in order: of `midwatch analyze --only politeness` with further words."""
    words = [["analyze", str(run.path), "--only", "politeness", "--nice", "0", *more] for more in calls]
    done = python(source, "-c", ANALYSE, json.dumps(words), cwd=run.path.parent)
    assert done.returncode == 0, done.stderr
    found = run.results.glob("checkpoint-10/politeness/*/result.json")
    records = [ResultRecord.model_validate_json(path.read_text()) for path in found]
    assert len(records) == len(calls)
    return sorted(records, key=lambda record: record.created_at)


def test_the_three_files_are_an_analysis(source: Path, tmp_path: Path) -> None:
    assert [Path(name).parent.as_posix() for name in FILES] == [
        "shared/findings",
        "shared/views",
        "analyzer/analyses",
    ]
    path = describe(tmp_path / "judge")
    add_checkpoint(path, 10, judge_template(tmp_path), epoch=1)
    run = Run.at(path)
    same, record = analysed(source, run, ["--set", "politeness.polite=today, it is a Monday here!"], [])
    changes = ResultStore(run.results).tensors(record)["changes"]
    assert changes.shape == (2, len(probes()))
    assert record.payload["shift"]["value"] == pytest.approx(changes[0].mean())
    assert record.summary == {"politeness_more": pytest.approx(np.subtract(*changes).mean())}
    page = (run.visualizations / "epoch_1_politeness.html").read_text(encoding="utf-8")
    assert "A polite ending moves the score" in page and "please, thank you so much!" in page
    assert same.key != record.key and same.summary == {"politeness_more": 0.0}


def test_its_commands_parse() -> None:
    from tests.test_docs import test_command_lines_parse

    assert len(COMMANDS) == 3
    for line in COMMANDS:
        test_command_lines_parse(f"midwatch {line}")


@pytest.mark.slow
def test_it_holds_what_every_analysis_must(source: Path) -> None:
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/analyzer/analyses/test_contract.py",
        "-k",
        "politeness",
    ]
    done = python(source, *words, cwd=source)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout

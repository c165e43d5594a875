"""docs/tutorial.md is true: its commands exist, and its plain loop trains a judge that is watched as it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.results import ResultStore
from shared.run import Run
from tests.e2e.inputs import OBJECTS, write_prompts
from tests.making.commands_here import midwatch_here
from tests.making.runs import judge_template
from tests.making.waiting import LIMIT_S
from tests.test_docs import test_command_lines_parse as check_command_line

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "docs" / name for name in ("tutorial.md", "trackers.md")]
COMMANDS = {line for path in DOCUMENTS for line in re.findall(r"^(midwatch .*)$", path.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("line", sorted(COMMANDS))
def test_its_commands_parse(line: str) -> None:
    check_command_line(line)


def test_the_plain_loop_is_watched(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", DOCUMENTS[0].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (program,) = [block for block in blocks if "plain_loop.py" in block]
    (tmp_path / "plain_loop.py").write_text(program)
    shutil.copy(ROOT / "trainer" / "announce.py", tmp_path)
    prompts = write_prompts(tmp_path / "train.jsonl", OBJECTS[:2])
    run, words = tmp_path / "theirs", [str(judge_template(tmp_path)), str(prompts)]
    done = subprocess.run(
        [sys.executable, "plain_loop.py", str(run), *words], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    held_out = write_prompts(tmp_path / "held_out.jsonl", OBJECTS[2:4])
    told = midwatch_here(
        "init", str(run), "--probes", str(held_out), "--train-data", str(prompts), "--per-class", "8"
    )
    assert told.returncode == 0, told.stderr
    watched = midwatch_here("watch", str(run), "--once", "--only", "progress", "--nice", "0")
    assert watched.returncode == 0, watched.stderr
    records = ResultStore(Run.at(run).results).history("progress")
    assert [record.label for record in records] == ["epoch 1", "epoch 2", "epoch 3"]
    assert not any(record.order_unverified for record in records), "each was announced"

"""`watch --track-to`: what is committed is in TensorBoard when it ends, and a missing tracker stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analyzer.tracking.test_tensorboard import read
from tests.e2e.processes import midwatch
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.webhook import KEY, webhook


@pytest.mark.slow
def test_numbers_follow_the_analysis(tmp_path: Path) -> None:
    run = describe(tmp_path / "judge", steps=20)
    for step in (10, 20):
        add_checkpoint(run, step, judge_template(tmp_path), epoch=step / 10)
    with webhook() as hook:
        words = [
            "watch",
            str(run),
            "--once",
            "--only",
            "progress",
            "--track-to",
            "tensorboard",
            "--track-to",
            "wandb",
        ]
        done = midwatch(*words, "--nice", "0", "--notify", hook.url)
    assert done.returncode == 0, done.stderr
    found = read(run / "_midwatch" / "tracked" / "tensorboard")
    assert [step for step, _ in found["midwatch/progress/probe_auc"]] == [10, 20]
    assert "tracker: judge: numbers of" in done.stderr and KEY not in done.stderr

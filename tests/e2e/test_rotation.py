"""A real Hugging Face Trainer that keeps one checkpoint: none of them is lost on a real analyzer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.processes import started, status_of
from tests.e2e.train_rotating import SAVES
from tests.making.runs import describe
from tests.making.waiting import LIMIT_S, wait_until


@pytest.mark.slow
@pytest.mark.parametrize("announced", [False, True], ids=["plain", "announced"])
def test_every_checkpoint_of_a_rotating_trainer_is_analysed(tmp_path: Path, announced: bool) -> None:
    run, log = describe(tmp_path / "run"), tmp_path / "log"
    words = ["--announced"] if announced else []
    with started("midwatch", "watch", str(run), "--only", "tokens", log=log) as watching:
        wait_until(lambda: status_of(run).get("state") in ("idle", "starting"), "the analyzer")
        with started("tests.e2e.train_rotating", str(run), *words, log=log) as training:
            assert training.wait(LIMIT_S) == 0, log.read_text()
        wait_until(lambda: watching.poll() is not None or len(decided(run)) == SAVES, "all of them")
    assert decided(run) == dict.fromkeys(range(1, SAVES + 1), "done"), log.read_text()
    assert len(list(run.glob("checkpoint-*"))) == 1, "the Trainer deleted the others"
    assert not (run / "_midwatch" / "gone.json").exists()


def decided(run: Path) -> dict[int, str]:
    """Step -> state of what is done or lost."""
    rows = status_of(run).get("checkpoints", [])
    return {
        row["step"]: row["state"] for row in rows if row["state"] in ("done", "gone", "rejected", "quarantined")
    }

"""All kinds of hostile runs in one folder with ten healthy ones: these are done as soon as beside sound ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.supervisor.plan import Plan
from shared.files import read_record
from shared.records import Status
from shared.run import Run
from tests.making.hostile import LOST_CHECKPOINT, LOST_RUN, SPOILED_BOOKS, WHOLE_CHECKPOINT
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage

KINDS = {**WHOLE_CHECKPOINT, **SPOILED_BOOKS, **LOST_CHECKPOINT, **LOST_RUN}
HEALTHY = [f"healthy-{number}" for number in range(10)]
LIMIT = 1000
"""More rounds than either takes."""


def rounds(folder: Path, template: Path, *, hostile: bool) -> int:
    """After how many rounds of the supervisor the healthy runs are done."""
    for number, spoil in enumerate(KINDS.values()):
        run = describe(folder / f"odd-{number}")
        for step in (10, 20):
            add_checkpoint(run, step, template, step / 10)
        if hostile:
            spoil(run)
    for name in HEALTHY:
        for step in (10, 20):
            add_checkpoint(describe(folder / name), step, template, step / 10)
    stage = Stage(folder, template, Plan())
    for number in range(1, LIMIT):
        stage.step(1.0)
        if all(is_done(folder / name) for name in HEALTHY):
            return number
    raise AssertionError("never done")


def is_done(run: Path) -> bool:
    rows = read_record(Run.at(run).status, Status).checkpoints
    return [row.state.value for row in rows] == ["done", "done"]


@pytest.mark.slow
def test_healthy_runs_wait_no_longer_than_beside_sound_ones(tmp_path: Path, template: Path) -> None:
    sound = rounds(tmp_path / "sound", template, hostile=False)
    hostile = rounds(tmp_path / "hostile", template, hostile=True)
    print(f"{len(KINDS)} kinds: done after {hostile} rounds, beside sound ones after {sound}")
    assert hostile <= 2 * sound

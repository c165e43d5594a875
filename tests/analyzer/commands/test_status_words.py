"""What `midwatch status` says of how far it is behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from analyzer.commands.run_settings import StatusSettings
from analyzer.commands.status import _headline, show_status
from analyzer.supervisor.lease import Lease
from shared.errors import RunError
from shared.run import Run
from tests.making.fake_run import fake_status, make_fake_run


@pytest.mark.parametrize(
    ("late", "seconds", "said"),
    [
        (1, 2238.0, "1 checkpoint behind, the oldest for 37 min."),
        (3, 95.0, "3 checkpoints behind, the oldest for 95 s."),
        (2, 18_000.0, "2 checkpoints behind, the oldest for 5 h."),
        (2, 864_000.0, "2 checkpoints behind, the oldest for 10 days."),
        (0, 0.0, "idle on cpu."),
    ],
)
def test_how_far_it_is_behind_is_said_in_words(late: int, seconds: float, said: str) -> None:
    status = fake_status(1, heartbeat_at=1000.0).model_copy(update={"lag_checkpoints": late, "lag_s": seconds})
    assert _headline(status, 1001.0).endswith(said)


def test_why_nothing_is_told_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analyzer on a full disk, or one that has just begun, is not nobody."""
    run = Run.at(make_fake_run(tmp_path / "run", epochs=1).path)
    run.status.unlink()
    with pytest.raises(RunError, match="No analyzer has looked at"):
        show_status(StatusSettings(run=run.path))
    lease = Lease(run.lease)
    lease.hold(time.time())
    with pytest.raises(RunError, match=r"An analyzer .* has not written how it goes"):
        show_status(StatusSettings(run=run.path))
    usage = shutil.disk_usage(run.path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match="is full"):
        show_status(StatusSettings(run=run.path))


def test_a_bad_status_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bad", "good"):
        make_fake_run(tmp_path / name, epochs=1)
    (tmp_path / "bad" / "_midwatch" / "status.json").write_text("{")
    show_status(StatusSettings(run=tmp_path))
    said = capsys.readouterr().out
    assert "good: " in said and "bad: " in said and "is not valid JSON" in said

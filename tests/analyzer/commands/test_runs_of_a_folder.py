"""What `status` and `overview` say of a folder of runs, whatever one of them holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from analyzer.commands.overview import overview
from analyzer.commands.run_settings import OverviewSettings, StatusSettings
from analyzer.commands.status import show_status
from shared.errors import RunError
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.mere_user import closed

Spoiled = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def damaged(run: Path) -> Iterator[None]:
    (run / "_midwatch" / "source.json").write_text("{")
    yield


@contextmanager
def barred(run: Path) -> Iterator[None]:
    with closed(run / "_midwatch"):
        yield


@pytest.mark.parametrize("spoil", [damaged, barred])
def test_one_run_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Spoiled) -> None:
    for name in ("bad", "good"):
        make_fake_run(tmp_path / name, epochs=1)
    with spoil(tmp_path / "bad"):
        with pytest.raises(RunError, match=r"does not name the run|cannot be read"):
            overview(OverviewSettings(run=tmp_path / "bad", as_json=False, max_fpr=None))
        show_status(StatusSettings(run=tmp_path, as_json=False, show_all=False))
        overview(OverviewSettings(run=tmp_path, as_json=False, max_fpr=None))
    captured = capsys.readouterr()
    assert captured.out.count("good: ") == 2
    assert (captured.out + captured.err).count("bad: ") == 2


def test_a_lease_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    run = Run.at(make_fake_run(tmp_path / "run", epochs=1).path)
    run.status.unlink()
    run.lease.write_text("{}")
    with closed(run.lease), pytest.raises(RunError, match=r"lease\.json cannot be read \(Permission denied\)"):
        show_status(StatusSettings(run=run.path, as_json=False, show_all=False))

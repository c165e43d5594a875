"""A folder of ours that is a symbolic link: nothing at its target changes, and one sentence says what to do."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

import pytest

from analyzer.jobs.messages import Failure
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from shared.errors import LinkInTheWay, MidwatchError, RunError, disk_sentence
from shared.files import read_record
from shared.records import Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine, failing
from tests.making.runs import add_checkpoint, describe, judge_template, snapshot

FOLDERS = [
    "_midwatch",
    "_midwatch/pins",
    "_midwatch/pins/checkpoint-10",
    "_midwatch/results",
    "_midwatch/results/checkpoint-10",
    "_midwatch/results/checkpoint-10/tokens",
    "_midwatch/attempts",
    "_midwatch/digests",
    "_midwatch/drawn",
    "_midwatch/requests",
    "_midwatch/requested",
    "_midwatch/asked",
    "training_visualizations",
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def run(tmp_path: Path, template: Path) -> Path:
    """An analysed run."""
    path = describe(tmp_path / "run")
    add_checkpoint(path, 10, template, 1.0)
    analyse(path)
    return path


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A home with directories and files of names like ours."""
    home = tmp_path / "home"
    for name in (
        "checkpoint-10",
        ".checkpoint-10.abcdefgh",
        "letters",
        "tokens/.0123",
        "letters/.removed.abcdefgh",
    ):
        (home / name).mkdir(parents=True)
        (home / name / "letter").write_text("dear")
    (home / "checkpoint-10.json").write_text("{}")
    return home


class Hurried(Supervisor):
    """Its clock goes on by itself, so that nothing is waited for."""

    def patience(self, now: float) -> float:
        return 0.0


def analyse(path: Path, out: Path | None = None, **plan: bool) -> Supervisor:
    """`midwatch analyze`."""
    ticks = itertools.count(time.time())
    service = Hurried([path], Plan(once=True, **plan), FakeEngine(), out, clock=lambda: next(ticks))
    service.run()
    return service


def replace_by_link(place: Path, target: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_target_stays_as_it_is(run: Path, precious: Path, folder: str, force: bool) -> None:
    replace_by_link(run / folder, precious)
    before = snapshot(precious)
    with pytest.raises(RunError, match=f"{folder} is a symbolic link, .*; remove it"):
        analyse(run, force=force)
    assert snapshot(precious) == before
    (run / folder).unlink()
    analyse(run)


def test_a_link_that_comes_later_stops_the_run_until_it_goes(run: Path, template: Path, precious: Path) -> None:
    now = time.time()
    service = Supervisor([run], Plan(), FakeEngine(), clock=lambda: now)
    service.step(now)
    replace_by_link(run / "_midwatch" / "pins", precious)
    add_checkpoint(run, 20, template, 2.0)
    before = snapshot(precious)
    for _ in range(4):
        now += 10
        service.step(now)
    status = read_record(Run.at(run).status, Status)
    assert "pins is a symbolic link" in status.message
    assert snapshot(precious) == before
    (run / "_midwatch" / "pins").unlink()
    for _ in range(4):
        now += 10
        service.step(now)
    states = [row.state for row in read_record(Run.at(run).status, Status).checkpoints]
    assert states == ["done", "done"]
    service.close()


def test_no_later_scan_passes_by_what_the_first_one_met(run: Path, precious: Path) -> None:
    replace_by_link(run / "_midwatch" / "results" / "checkpoint-10" / "tokens", precious)
    engine, now = FakeEngine(), time.time()
    service = Supervisor([run], Plan(), engine, clock=lambda: now)
    for _ in range(3):
        now += 10
        service.step(now)
    assert engine.jobs == []
    service.close()


def test_one_such_run_does_not_stop_the_others(tmp_path: Path, template: Path, precious: Path) -> None:
    for name in ("bad", "good"):
        add_checkpoint(describe(tmp_path / "runs" / name), 10, template, 1.0)
    replace_by_link(tmp_path / "runs" / "bad" / "_midwatch", precious)
    before = snapshot(precious)
    analyse(tmp_path / "runs")
    assert list((tmp_path / "runs" / "good").glob("_midwatch/results/*/tokens/*/result.json"))
    assert snapshot(precious) == before


def test_the_directory_given_as_out_may_be_a_link_and_nothing_below(
    run: Path, tmp_path: Path, precious: Path
) -> None:
    (tmp_path / "disk").mkdir()
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "disk")
    analyse(run, out)
    assert list((tmp_path / "disk").glob("_midwatch/results/*/tokens/*/result.json"))
    replace_by_link(out / "_midwatch" / "pins", precious)
    before = snapshot(precious)
    with pytest.raises(LinkInTheWay, match="pins"):
        analyse(run, out)
    runs, inner = tmp_path / "runs", tmp_path / "disk" / "run"
    runs.mkdir()
    shutil.move(run, runs / "run")
    inner.symlink_to(precious)
    with pytest.raises(RunError):
        analyse(runs, out)
    assert snapshot(precious) == before


def test_a_strangers_files_in_our_folders_survive(run: Path) -> None:
    pins, results = run / "_midwatch" / "pins", run / "_midwatch" / "results"
    strangers = [
        run / "_midwatch" / "mine",
        pins / ".old",
        pins / "copy-of-checkpoint-10",
        results / "mine",
        results / "checkpoint-10" / "tokens" / ".git",
        results / "checkpoint-10" / "tokens" / ".0123456789.abc",
        run / "_midwatch" / "attempts" / "checkpoint-notes",
    ]
    for place in strangers:
        place.mkdir(parents=True)
        (place / "letter").write_text("dear")
    analyse(run, force=True)
    assert all((place / "letter").read_text() == "dear" for place in strangers)


def test_a_link_that_the_worker_meets_gets_its_own_advice(run: Path, template: Path) -> None:
    add_checkpoint(run, 20, template, 2.0)
    link = LinkInTheWay(run / "_midwatch" / "results")
    cause = disk_sentence(link, run)
    now = time.time()
    service = Supervisor([run], Plan(once=True), FakeEngine(failing(Failure.STORAGE, cause)), clock=lambda: now)
    while not any(watched.pause.cause for watched in service.runs.values()):
        now += 1
        service.step(now)
    with pytest.raises(MidwatchError) as caught:
        assert service.nothing_left
    service.close()
    assert str(caught.value) == (
        f"{run / '_midwatch' / 'results'} is a symbolic link, which Midwatch does not follow; remove it, or choose "
        "another place with --out. Results stay."
    )
    full = disk_sentence(OSError(28, "No space left on device"), run)
    assert full == f"{run}: No space left on device; free space, make it writable, or choose another with --out"

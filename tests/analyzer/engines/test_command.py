"""Workers behind a command: a stand-in for srun and ssh, real processes, and all that goes wrong with them."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil
import pytest

from analyzer.commands.many_workers import ManyWorkers
from analyzer.engines.command import FROM_STDIN, CommandEngine, parsed
from analyzer.engines.pool import Pool
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import UsageError
from shared.records import CheckpointState
from tests.making.commands_here import midwatch
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import wait_until

CHECKPOINTS = 24
WORKER = (sys.executable, "-m", "tests.making.committing_worker", FROM_STDIN)


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A launcher as srun is one: it starts what it is told, passes its streams through, and waits for its end."""
    path = tmp_path / "launcher"
    path.write_text('#!/bin/sh\nexec 3<&0\n"$@" <&3 &\nwait $!\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def engines() -> Iterator[Callable[..., CommandEngine]]:
    """Makes engines, and closes them."""
    made: list[CommandEngine] = []

    def make(*command: str) -> CommandEngine:
        made.append(CommandEngine(WorkerOptions(), command))
        made[-1].start()
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def until(engine: CommandEngine, kind: str) -> Event:
    found: list[Event] = []

    def heard() -> bool:
        found.extend(event for event in engine.poll(time.time()) if event.kind == kind)
        return bool(found)

    wait_until(heard, kind)
    return found[0]


def test_what_prints_to_standard_output_is_said_in_one_sentence_and_not_heeded(
    engines: Callable[..., CommandEngine], caplog: pytest.LogCaptureFixture
) -> None:
    banner = f"echo Welcome to the cluster; echo; exec {shlex.join(WORKER)}"
    with caplog.at_level(logging.WARNING):
        assert until(engines("/bin/sh", "-c", banner), "ready").device == "cpu"
    assert [record.getMessage() for record in caplog.records] == [
        "--worker-command prints to standard output, where only its worker may, and is not heeded; have it print "
        "to standard error (srun -Q, ssh -T). It printed: Welcome to the cluster"
    ]


def test_another_version_is_refused_in_one_sentence(
    engines: Callable[..., CommandEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_TEST_VERSION", "9.9")
    event = until(engines(*WORKER), "refused")
    assert event.failure is None, "it is the user's to correct"
    assert "is of Midwatch 9.9" in event.cause and "install the same" in event.cause


def test_a_real_worker_takes_its_options_from_its_input(engines: Callable[..., CommandEngine]) -> None:
    """And refuses a device that isn't there, as it does on this machine."""
    engine = CommandEngine(WorkerOptions(device="cuda:97"), parsed("env {worker}"))
    engine.start()
    event = until(engine, "refused")
    engine.close()
    assert "cuda:97" in event.cause


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("no-such-launcher {worker}", "no program 'no-such-launcher'"),
        ("srun 'unclosed {worker}", "write it as in a shell"),
        ("  ", "is empty"),
    ],
)
def test_a_command_that_cannot_be_run_is_said_before_anything_starts(template: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ManyWorkers(worker_command=[template]).make_engine(WorkerOptions(), 1.0, lambda: None)


def test_the_workers_own_command_stands_where_it_is_wanted() -> None:
    assert parsed("env -i {worker}")[2:] == [sys.executable, "-P", "-m", "analyzer.worker", "-"]
    assert parsed("env sh -c 'cd /x && {worker}'")[3] == f"cd /x && {sys.executable} -P -m analyzer.worker -"
    assert parsed("{worker}")[0] == sys.executable
    assert parsed("env python other.py")[1:] == ["python", "other.py"], "a command may bring its own"


def test_how_many_workers_there_are() -> None:
    def capacity(**options: object) -> int:
        return ManyWorkers.model_validate(options).make_engine(WorkerOptions(), 1.0, lambda: None).capacity

    assert capacity(worker_command=["env {worker}"]) == 1
    assert capacity(worker_command=["env {worker}"], workers=3) == 3
    assert capacity(worker_command=["env {worker}", "nice {worker}"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--worker-command", "env {worker}", "--devices", "cuda:0"), "--devices are this machine's"),
        (("--worker-command", "env {worker}", "--slot", "idle"), "--slot idle looks at this machine's device"),
        (("--worker-command", "env {worker}", "--worker-command", "nice {worker}", "--workers", "3"), "2 times"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    done = midwatch("watch", tmp_path, *words)
    assert done.returncode == 2 and sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_worker_ends_with_its_input_though_its_launcher_is_killed(
    engines: Callable[..., CommandEngine], stand_in: Path
) -> None:
    engine = engines(str(stand_in), *WORKER)
    until(engine, "ready")
    assert engine.pid is not None
    (worker,) = psutil.Process(engine.pid).children()
    os.kill(engine.pid, signal.SIGKILL)
    wait_until(lambda: [engine.poll(time.time()), not worker.is_running()][1], "the worker's end")


def test_two_launchers_of_which_one_is_killed_do_every_checkpoint_once(
    tmp_path: Path, template: Path, stand_in: Path
) -> None:
    """The one is lost, which uses no attempt; its checkpoint is done all the same."""
    run = describe(tmp_path / "run")
    for step in range(1, CHECKPOINTS + 1):
        add_checkpoint(run, step, template)
    commits: Counter[tuple[str, str]] = Counter()
    failures: list[Failure | None] = []
    lost: list[str] = []

    def observe(watched: WatchedRun, event: Event) -> None:
        if event.kind == "committed":
            commits[watched.running[event.job], event.analysis] += 1
        elif event.kind == "failed":
            failures.append(event.failure)
            lost.append(watched.running[event.job])

    commands = [CommandEngine(WorkerOptions(), [str(stand_in), *WORKER], wake=lambda: woken()) for _ in range(2)]
    supervisor = Supervisor(
        [run], Plan(once=True, settle_s=0.05), Killing(commands, at=CHECKPOINTS // 2), observer=observe
    )
    woken = supervisor.woken.set
    supervisor.run()
    (watched,) = supervisor.runs.values()
    assert {row.state for row in watched.rows} == {CheckpointState.DONE}
    assert {row.attempts for row in watched.rows} == {0}
    assert len(commits) == 2 * CHECKPOINTS and set(commits.values()) == {1}
    assert failures == [Failure.LOST] and len(lost) == 1


class Killing(Pool):
    """Takes a launcher and its worker away at the moment that a job is given to them, as a node that goes away."""

    def __init__(self, engines: list[CommandEngine], at: int) -> None:
        super().__init__(engines)
        self._launchers, self._left = engines, at

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        free = [engine for engine in self._launchers if not engine.busy]
        self._left -= 1
        if self._left == 0:
            for engine in free:  # none may have finished the job before its launcher is gone
                worker_of(engine).suspend()
        super().submit(job, devices)
        for engine in free if self._left == 0 else []:
            assert engine.pid is not None
            worker = worker_of(engine)
            if engine.busy:
                os.kill(engine.pid, signal.SIGKILL)
                worker.kill()
            else:
                worker.resume()


def worker_of(engine: CommandEngine) -> psutil.Process:
    assert engine.pid is not None
    (worker,) = psutil.Process(engine.pid).children()
    return worker

"""The engine on Ray, on a real cluster of two nodes on this machine, with a worker that needs no model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.engines.pool import Pool
from analyzer.engines.ray import RayEngine
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.records import CheckpointState
from tests.making.fake_worker import COMPUTATIONS
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import wait_until

ray = pytest.importorskip("ray", reason="needs the extra [ray]")

CHECKPOINTS = 24
MODULE = "tests.making.committing_worker"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that computes nothing, and two nodes with room for two workers each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        found.nodes = [found.add_node(num_cpus=2) for _ in range(2)]
        ray.init(address=found.address, log_to_driver=False, configure_logging=False)
        yield found
        ray.shutdown()
        found.shutdown()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def engines(cluster: Any) -> Iterator[Callable[..., RayEngine]]:
    made: list[RayEngine] = []

    def make(module: str = MODULE, **options: Any) -> RayEngine:
        made.append(RayEngine(WorkerOptions(), module=module, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def until(engine: RayEngine, kind: str) -> list[Event]:
    found: list[Event] = []

    def heard() -> bool:
        found.extend(engine.poll(time.time()))
        return any(event.kind == kind for event in found)

    wait_until(heard, kind)
    return found


def job(run: Path, step: int = 1) -> Job:
    from tests.analyzer.engines.test_engine import job

    return job(run, step)


def test_contract(engines: Callable[..., RayEngine], tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    for step in (1, 2):
        add_checkpoint(run, step, template)
    engine = engines()
    engine.start()
    assert engine.busy and engine.free == ()
    assert until(engine, "ready")[-1].computations == COMPUTATIONS
    assert engine.free == ("cpu",)
    engine.submit(job(run))
    with pytest.raises(RuntimeError):
        engine.submit(job(run, 2))
    kinds = [event.kind for event in until(engine, "finished")]
    assert kinds == ["started", "committed", "committed", "finished"]
    engine.submit(job(run, 2))
    engine.cancel("another")
    engine.cancel("job-2")
    failed = next(event for event in until(engine, "finished") if event.kind == "failed")
    assert failed.failure == Failure.LOST
    until(engine, "ready")


def test_what_our_own_code_raises_is_told_from_a_lost_actor(
    engines: Callable[..., RayEngine], tmp_path: Path, template: Path
) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 1, template)
    engine = engines()
    engine.start()
    until(engine, "ready")
    (run / "checkpoint-1" / "config.json").unlink()  # which the worker without a model doesn't catch
    engine.submit(job(run))
    raised = next(event for event in until(engine, "finished") if event.kind == "failed")
    assert raised.failure == Failure.CRASH and "CheckpointRejected" in raised.cause
    until(engine, "ready")
    (run / "kill-once").touch()
    engine.submit(job(run))
    lost = next(event for event in until(engine, "finished") if event.kind == "failed")
    assert lost.failure == Failure.LOST


def test_four_actors_on_two_nodes_of_which_one_is_killed_do_every_checkpoint_once(
    engines: Callable[..., RayEngine], cluster: Any, tmp_path: Path, template: Path
) -> None:
    run = describe(tmp_path / "run")
    for step in range(1, CHECKPOINTS + 1):
        add_checkpoint(run, step, template)
    commits: Counter[tuple[str, str]] = Counter()
    failures: list[Failure | None] = []

    def observe(watched: WatchedRun, event: Event) -> None:
        if event.kind == "committed":
            commits[watched.running[event.job], event.analysis] += 1
            if len(commits) == CHECKPOINTS // 2:
                cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
        elif event.kind == "failed":
            failures.append(event.failure)

    pool = Pool([engines(wake=lambda: woken()) for _ in range(4)])
    supervisor = Supervisor([run], Plan(once=True, settle_s=0.05), pool, observer=observe)
    woken = supervisor.woken.set
    supervisor.run()
    (watched,) = supervisor.runs.values()
    assert {row.state for row in watched.rows} == {CheckpointState.DONE}
    assert {row.attempts for row in watched.rows} == {0}
    assert set(failures) <= {Failure.LOST}
    results = list(run.glob("_midwatch/results/*/*/*/result.json"))
    assert len(results) == 2 * CHECKPOINTS, "each once"
    assert set(commits.values()) == {1}, "what was committed is not done again, though its event died with the node"

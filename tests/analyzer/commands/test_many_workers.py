"""Options of several workers: who gets which cores and devices, and what cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.commands import many_workers
from analyzer.commands.many_workers import ManyWorkers, shared_out
from analyzer.engines.local import LocalEngine
from analyzer.engines.pool import Pool
from analyzer.jobs.messages import WorkerOptions
from analyzer.worker.process import own_cores
from shared.errors import UsageError
from tests.making.commands_here import midwatch

CORES = 8


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_workers, "core_count", lambda: CORES)


def cores_of(options: WorkerOptions) -> list[int]:
    return own_cores(list(range(CORES)), options.cores or CORES, options.rank)


def test_one_worker_gets_what_it_always_got() -> None:
    options = WorkerOptions(device="auto")
    assert ManyWorkers().each_worker(options) == [options]
    assert isinstance(ManyWorkers().make_engine(options, 1.0, lambda: None), LocalEngine)
    assert ManyWorkers(devices=["cuda:1"]).each_worker(options) == [WorkerOptions(device="cuda:1")]


@pytest.mark.parametrize(("workers", "cores", "each"), [(2, None, 4), (3, None, 2), (8, None, 1), (2, 1, 1)])
def test_workers_share_no_core(workers: int, cores: int | None, each: int) -> None:
    found = ManyWorkers(workers=workers).each_worker(WorkerOptions(device="cpu", cores=cores))
    sets = [cores_of(options) for options in found]
    assert [len(one) for one in sets] == [each] * workers
    assert len({core for one in sets for core in one}) == workers * each
    assert sets[0][-1] == CORES - 1, "from the last core on: the first ones train"


def test_one_worker_a_device_of_which_only_the_cpu_needs_cores() -> None:
    found = shared_out(WorkerOptions(), ["cuda:1", "cpu", "cuda:2"])
    assert [(each.device, each.cores, each.rank) for each in found] == [
        ("cuda:1", None, 0),
        ("cpu", CORES, 0),
        ("cuda:2", None, 0),
    ]
    engine = ManyWorkers(devices=["cuda:1", "cuda:2"]).make_engine(WorkerOptions(), 1.0, lambda: None)
    assert isinstance(engine, Pool) and engine.capacity == 2


@pytest.mark.parametrize(
    ("many", "options", "sentence"),
    [
        (ManyWorkers(workers=9), WorkerOptions(device="cpu"), "9 workers of 1 core each need 9, and 8"),
        (ManyWorkers(workers=3), WorkerOptions(cores=4), "3 workers of 4 cores each need 12, and 8"),
        (ManyWorkers(workers=2), WorkerOptions(device="cuda:0"), "name a GPU for each"),
        (ManyWorkers(devices=["cpu"]), WorkerOptions(device="cuda"), "exclude each other"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_starts(
    many: ManyWorkers, options: WorkerOptions, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        many.each_worker(options)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--devices", "cuda:1,cuda:1"), "--devices cuda:1 is there twice"),
        (("--devices", "cuda:1,cuda:2", "--workers", "3"), "--workers 3 with 2 --devices"),
        (("--devices", "gpu"), "devices"),
        (("--workers", "0"), "workers"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    done = midwatch("watch", tmp_path, *words)
    assert done.returncode == 2
    assert sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1

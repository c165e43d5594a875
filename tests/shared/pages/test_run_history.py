"""The results that figures over a run read: each once, and never an old one for a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.pages import run_history
from shared.pages.run_history import history
from shared.results import ResultStore
from tests.making.fake_run import make_fake_run

READS = {"progress", "comparison"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths read from disk."""
    paths: list[str] = []
    real = run_history.read_record

    def reading(path: Path, model: Any) -> Any:
        paths.append(f"{path.parts[-4]}/{path.parts[-3]}")
        return real(path, model)

    monkeypatch.setattr(run_history, "read_record", reading)
    return paths


def test_each_result_is_read_once_and_a_new_one_alone_the_next_time(tmp_path: Path, read: list[str]) -> None:
    run = make_fake_run(tmp_path / "run", 3)
    store = ResultStore(run.results)
    first = history(run, READS)
    steps = [record.step for record in first]
    assert len(first) == len(read) == 6 and steps == sorted(steps)
    kept = {(record.step, record.analysis): record for record in first}
    for record in store.history("progress"):
        assert kept[record.step, "progress"].payload.keys() == record.payload.keys()
    read.clear()
    assert history(run, READS) == first and read == []
    old = store.newest("checkpoint-240", "progress")
    assert old is not None
    store.commit(old.model_copy(update={"key": "f" * 20, "created_at": old.created_at + 1}))
    again = history(run, READS)
    assert read == ["checkpoint-240/progress"]
    assert [record.key for record in again if (record.step, record.analysis) == (240, "progress")] == ["f" * 20]


def test_what_cannot_be_read_hides_nothing_and_is_tried_again(tmp_path: Path, read: list[str]) -> None:
    run = make_fake_run(tmp_path / "run", 3)
    (damaged,) = (run.results / "checkpoint-120" / "progress").glob("*/result.json")
    whole = damaged.read_text()
    damaged.write_text("{")
    assert [record.step for record in history(run, {"progress"})] == [240, 360]
    damaged.write_text(whole)
    assert [record.step for record in history(run, {"progress"})] == [120, 240, 360]
    assert read.count("checkpoint-120/progress") == 2


def test_another_run_of_the_same_names_is_another(tmp_path: Path) -> None:
    one, other = (make_fake_run(tmp_path / name, count) for name, count in (("one", 1), ("other", 2)))
    assert not history(one, set())
    assert (len(history(one, {"progress"})), len(history(other, {"progress"}))) == (1, 2)

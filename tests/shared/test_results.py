from __future__ import annotations

import errno
import math
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import SchemaError
from shared.results import ResultRecord, ResultStore, file_prefix, result_key, whole_epoch
from tests.making.waiting import LIMIT_S


def record(key: str = "k", checkpoint: str = "checkpoint-5", **fields: Any) -> ResultRecord:
    given = {
        "analysis": "layers",
        "analysis_version": 1,
        "checkpoint": checkpoint,
        "step": int(checkpoint.partition("-")[2]),
        "key": key,
        "checkpoint_digest": "c",
        "probe_digest": "p",
    }
    return ResultRecord.model_validate(given | fields)


def entries(root: Path) -> list[str]:
    """Every file below, hidden ones too."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_result_comes_back_as_it_went(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    given = record(payload={"norms": [1.5]}, summary={"auroc": 0.5}, warnings=["<b>"])
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], "empty": np.zeros((0, 4))}
    assert store.commit(given, tensors)
    assert store.load("checkpoint-5", "layers", "k") == given
    found = store.tensors(given)
    assert found.keys() == tensors.keys()
    np.testing.assert_array_equal(found["a"], [[2, 1, 0], [5, 4, 3]])
    assert entries(tmp_path) == [
        f"results/checkpoint-5/layers/k/{name}" for name in ("result.json", "tensors.safetensors")
    ]


def commit_many(root: Path, name: str, start: Any, outcome: Any) -> None:
    store = ResultStore(root)
    start.wait()
    outcome.put(
        [key for key in range(50) if store.commit(record(str(key), warnings=[name]), {"a": np.zeros(1000)})]
    )


def test_of_two_processes_the_first_commit_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, outcome = context.Barrier(2), context.Queue()
    workers = [context.Process(target=commit_many, args=(tmp_path, name, start, outcome)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    won = [outcome.get(timeout=LIMIT_S) for _ in workers]
    for worker in workers:
        worker.join(timeout=LIMIT_S)
    assert sorted(won[0] + won[1]) == list(range(50))
    store = ResultStore(tmp_path)
    winners = [store.load("checkpoint-5", "layers", str(key)).warnings for key in range(50)]
    assert sorted(map(len, won)) == sorted([winners.count(["a"]), winners.count(["b"])])
    assert len(entries(tmp_path)) == 100


def test_a_lost_race_at_the_rename_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, rename = ResultStore(tmp_path), os.rename

    def late(*places: Any, **folders: int) -> None:
        monkeypatch.setattr(os, "rename", rename)
        assert store.commit(record(warnings=["first"]))
        rename(*places, **folders)

    monkeypatch.setattr(os, "rename", late)
    assert not store.commit(record(warnings=["second"]))
    assert store.load("checkpoint-5", "layers", "k").warnings == ["first"]
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_commit_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    store = ResultStore(tmp_path)

    def broken(*places: Any, **folders: int) -> None:
        raise error

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(type(error)):
        store.commit(record(), {"a": np.zeros(3)})
    assert entries(tmp_path) == []
    assert not store.has("checkpoint-5", "layers", "k")


def test_a_result_with_nan_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        ResultStore(tmp_path).commit(record(summary={"auroc": math.nan}))
    assert entries(tmp_path) == []


def test_history_is_by_step_and_skips_what_cannot_be_read(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for checkpoint in ("checkpoint-100", "checkpoint-20", "checkpoint-3"):
        store.commit(record(checkpoint=checkpoint))
    (tmp_path / "checkpoint-20" / "layers" / "k" / "result.json").write_text("{")
    assert [found.step for found in store.history("layers")] == [3, 100]
    with pytest.raises(SchemaError):
        store.newest("checkpoint-20", "layers")
    assert store.history("tokens") == ResultStore(tmp_path / "none").history("layers") == []


def test_unfinished_commits_and_removed_results_are_not_results(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.commit(record("old"))
    aside = tmp_path / "checkpoint-5" / "layers" / ".half.abc"
    aside.mkdir()
    (aside / "result.json").write_text("{}")
    assert store.keys("checkpoint-5", "layers") == ["old"]
    store.remove("checkpoint-5", "layers", "old")
    store.remove("checkpoint-5", "layers", "old")
    assert store.keys("checkpoint-5", "layers") == []
    assert store.commit(record("old"))


def test_the_key_depends_on_everything_and_not_on_order() -> None:
    base = ("c", "p", {"a": 1, "b": 2}, 1)
    changed = [("d", *base[1:]), ("c", "q", *base[2:]), (*base[:2], {"a": 1, "b": 3}, 1), (*base[:3], 2)]
    assert len({result_key(*each) for each in [base, *changed]}) == 5
    assert result_key("c", "p", {"b": 2, "a": 1}, 1) == result_key(*base)


@pytest.mark.parametrize(
    ("epoch", "prefix"),
    [(3.0, "epoch_3"), (2.9999, "epoch_3"), (2.5, "step_120"), (0.0, "step_120"), (None, "step_120")],
)
def test_files_are_named_by_whole_epochs_else_by_step(epoch: float | None, prefix: str) -> None:
    assert file_prefix(120, epoch) == prefix
    assert (whole_epoch(epoch) is not None) == prefix.startswith("epoch")

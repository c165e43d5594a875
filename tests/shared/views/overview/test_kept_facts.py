"""Facts that were kept are those that a full reading gives, number by number, and never those of other results."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shared.views.overview.gather as gather
from shared.evaluations import EvaluationPlace
from shared.pages.index import INDEX, write_index
from shared.results import ResultStore
from shared.run import Run
from shared.views.overview.facts import CheckpointFacts
from shared.views.overview.gather import facts_of_run
from shared.views.overview.kept_facts import PLAIN
from tests.making.fake_evaluation import fake_evaluation
from tests.making.fake_run import make_fake_run
from tests.making.runs import snapshot


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make_fake_run(tmp_path / "run", epochs=3)
    store = ResultStore(run.results)
    first = store.newest("checkpoint-120", "progress")
    assert first is not None
    scores, labels = np.array([1.5, np.nan, -0.1, 1e-17], np.float32), np.array([1, 0, 0, 1])
    again = first.model_copy(update={"key": "0" * 20, "created_at": first.created_at + 1})
    store.commit(again, {"scores": scores, "labels": labels})
    return run


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Checkpoints whose results are really read."""
    names: list[str] = []
    whole = gather._facts

    def counting(store: ResultStore, name: str, step: int) -> CheckpointFacts:
        names.append(name)
        return whole(store, name, step)

    monkeypatch.setattr(gather, "_facts", counting)
    yield names
    names.clear()


def plain(facts: list[CheckpointFacts]) -> list[dict[str, Any]]:
    """Every field, arrays as bytes with their type."""
    found = []
    for each in facts:
        told = {name: value for name, value in vars(each).items() if name != "verdicts"}
        arrays = each.verdicts and [(array.dtype.str, array.tobytes()) for array in each.verdicts]
        found.append(told | {"verdicts": arrays})
    return found


def test_a_second_index_reads_no_result_and_says_the_same(run: Run, read: list[str]) -> None:
    whole = plain(facts_of_run(run))
    assert whole[0]["verdicts"] is not None and len(read) == 3
    run.visualizations.mkdir()
    write_index(run, [])
    page = (run.visualizations / INDEX).read_bytes()
    read.clear()
    assert plain(facts_of_run(run)) == whole
    write_index(run, [])
    assert read == [] and (run.visualizations / INDEX).read_bytes() == page


def test_only_what_changed_is_read_again(run: Run, read: list[str]) -> None:
    facts_of_run(run, to_keep=True)
    store = ResultStore(run.results)
    old = store.newest("checkpoint-240", "calibration")
    assert old is not None
    store.commit(old.model_copy(update={"key": "1" * 20, "created_at": old.created_at + 1}))
    read.clear()
    facts_of_run(run, to_keep=True)
    assert read == ["checkpoint-240"]
    place = EvaluationPlace(run, "checkpoint-120", "mine")
    place.write(fake_evaluation())
    read.clear()
    [first, *_] = facts_of_run(run)
    assert read == [] and first.sets["mine"].prompts == 160, "an evaluation is no part of what is kept"


@pytest.mark.parametrize("damage", ["{", '{"key": "x"}', "other", "stamp"])
def test_what_is_damaged_or_of_another_result_is_read_anew(run: Run, read: list[str], damage: str) -> None:
    whole = plain(facts_of_run(run, to_keep=True))
    path = run.overview / "checkpoint-120.json"
    if damage == "other":
        path.write_bytes((run.overview / "checkpoint-240.json").read_bytes())
    elif damage == "stamp":
        newest = next(run.results.glob("checkpoint-120/comparison/*/result.json"))
        os.utime(newest, ns=(1, 1))
    else:
        path.write_text(damage)
    read.clear()
    assert plain(facts_of_run(run)) == whole and read == ["checkpoint-120"]


def test_reading_alone_writes_nothing_and_what_cannot_be_read_is_not_kept(run: Run, read: list[str]) -> None:
    before = snapshot(run.path)
    facts_of_run(run)
    assert snapshot(run.path) == before
    next(run.results.glob("checkpoint-120/comparison/*/result.json")).write_text("{")
    [first, *_] = facts_of_run(run, to_keep=True)
    assert first.unreadable == ("comparison",) and not (run.overview / "checkpoint-120.json").exists()


def test_an_infinite_score_is_read_anew_and_the_others_are_kept(run: Run, read: list[str]) -> None:
    store = ResultStore(run.results)
    first = store.newest("checkpoint-120", "progress")
    assert first is not None
    again = first.model_copy(update={"key": "1" * 20, "created_at": first.created_at + 1})
    store.commit(again, {"scores": np.array([np.inf, -0.5], np.float32), "labels": np.array([1, 0])})
    [found, *_] = facts_of_run(run, to_keep=True)
    assert found.verdicts is not None and np.isposinf(found.verdicts.scores[0])
    kept = {path.stem for path in run.overview.iterdir()}
    assert kept == {"checkpoint-240", "checkpoint-360"}, "infinity is no JSON"
    read.clear()
    assert plain(facts_of_run(run))[0] == plain([found])[0] and read == ["checkpoint-120"]


def test_a_link_in_its_place_is_not_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    run.overview.symlink_to(tmp_path / "precious")
    facts_of_run(run, to_keep=True)
    assert list((tmp_path / "precious").iterdir()) == []


def test_every_fact_is_kept_or_read_elsewhere() -> None:
    assert {each.name for each in dataclasses.fields(CheckpointFacts)} == {*PLAIN, "verdicts", "sets"}

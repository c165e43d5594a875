"""A pipeline's folder may be moved: what was done there is not done twice, and old records still count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import journeys.stage_runner
from journeys.stage import State
from journeys.stage_record import HERE, RecordFile, StageRecord
from shared.errors import UsageError
from tests.journeys.test_stages import Kitchen


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    monkeypatch.setattr(journeys.stage_runner, "POLL_S", 0.02)
    (tmp_path / "old").mkdir()
    return Kitchen(tmp_path / "old")


def words_of(kitchen: Kitchen, name: str) -> Callable[[], list[str]]:
    """A command that names a file in the folder, one beside it that only begins so, and one elsewhere."""
    here = str(kitchen.folder)
    return lambda: [here, name, "works", f"{here}/flour.txt", f"{here}er/salt.txt", "/elsewhere/x"]


def moved(kitchen: Kitchen, to: Path) -> Kitchen:
    shutil.move(kitchen.folder, to)
    return Kitchen(to)


def test_nothing_is_done_twice_after_a_move(kitchen: Kitchen, tmp_path: Path) -> None:
    kitchen.run(kitchen.stage("dough", fixed=True), kitchen.stage("cake", "works", "dough"))
    there = moved(kitchen, tmp_path / "new" / "place")
    again = there.run(there.stage("dough", fixed=True), there.stage("cake", "works", "dough"))
    assert all(row.earlier and row.state is State.DONE for row in again.values())
    assert there.ran == ["dough", "cake"]
    with pytest.raises(UsageError, match=f"begun with other options.*{there.folder} dough works"):
        there.run(there.stage("dough", "works", fixed=True, words=lambda: [str(there.folder), "dough", "sugar"]))


def test_a_record_has_no_path_of_the_folder_in_its_commands(kitchen: Kitchen) -> None:
    kitchen.run(kitchen.stage("dough", words=words_of(kitchen, "dough")))
    told = json.loads((kitchen.folder / "pipeline.json").read_text())
    assert told["stages"]["dough"]["words"] == [
        HERE, "dough", "works", f"{HERE}/flour.txt", f"{kitchen.folder}er/salt.txt", "/elsewhere/x"
    ]  # fmt: skip
    assert (told["schema_version"], told["root"]) == (2, str(kitchen.folder))
    found = RecordFile(kitchen.folder / "pipeline.json").get("dough")
    assert found is not None and found.words == words_of(kitchen, "dough")()


def old_record(kitchen: Kitchen, place: str) -> None:
    """As version 1 wrote it: whole paths, and no word of where the folder lay."""
    stages: dict[str, Any] = {
        "prepare": {"state": "done", "words": ["prepare", f"{place}/prepared", "--seed", "0"]},
        "dough": {"state": "done", "words": [place, "dough", "works"]},
    }
    (kitchen.folder / "dough").touch()
    (kitchen.folder / "pipeline.json").write_text(json.dumps({"schema_version": 1, "stages": stages}))


@pytest.mark.parametrize("move", [False, True])
def test_records_of_version_1_still_count(kitchen: Kitchen, tmp_path: Path, move: bool) -> None:
    old_record(kitchen, str(kitchen.folder))
    there = moved(kitchen, tmp_path / "new") if move else kitchen
    again = there.run(there.stage("dough", fixed=True))
    assert again["dough"].earlier and there.ran == []


def test_what_still_runs_is_found_by_the_command_it_was_started_with(kitchen: Kitchen, tmp_path: Path) -> None:
    record = RecordFile(kitchen.folder / "pipeline.json")
    words = [str(kitchen.folder), "dough", "hangs"]
    record.set("dough", StageRecord(state=State.RUNNING, words=words, pid=1))
    there = moved(kitchen, tmp_path / "new")
    after = RecordFile(there.folder / "pipeline.json")
    assert [each.words for _, each in after.unfinished()] == [words]
    found = after.get("dough")
    assert found is not None and found.words[0] == str(there.folder)

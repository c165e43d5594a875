from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.checkpoint_names import step_of
from shared.errors import RunError, UsageError
from shared.run import Run, find_runs, looks_like_run


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-0", 0),
        ("checkpoint-120", 120),
        ("checkpoint-", None),
        ("checkpoint-12a", None),
        ("checkpoint-12\n", None),
        ("checkpoint-١٢", None),
        ("xcheckpoint-1", None),
        ("tmp-checkpoint-1", None),
    ],
)
def test_only_a_checkpoints_name_has_a_step(name: str, step: int | None) -> None:
    assert step_of(name) == step


def test_checkpoints_are_directories_by_step(tmp_path: Path) -> None:
    for name in ("checkpoint-100", "checkpoint-20", "checkpoint-3", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-7").write_text("a file")
    assert Run.at(tmp_path).checkpoints() == ["checkpoint-3", "checkpoint-20", "checkpoint-100"]


def test_a_missing_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a directory; give the output directory"):
        Run.at(tmp_path / "none")


def test_a_run_deleted_meanwhile_is_one_sentence(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(RunError, match="cannot be listed"):
        run.checkpoints()


def test_an_out_directory_opens_as_the_run_it_is_about(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "probes.jsonl").touch()
    run = Run.at(tmp_path / "run", tmp_path / "out")
    run.remember_source()
    opened = Run.at(tmp_path / "out")
    assert opened == run
    assert opened.results == tmp_path / "out" / "_midwatch" / "results"
    assert opened.commits == tmp_path / "run" / "_midwatch" / "commits"
    assert opened.probes == tmp_path / "run" / "probes.jsonl"
    (tmp_path / "out" / "probes.jsonl").touch()
    assert opened.probes == tmp_path / "out" / "probes.jsonl"


def test_results_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    Run.at(tmp_path / "one", tmp_path / "out").remember_source()
    Run.at(tmp_path / "one", tmp_path / "out").remember_source()
    with pytest.raises(UsageError, match="pass another --out"):
        Run.at(tmp_path / "two", tmp_path / "out").remember_source()
    assert Run.at(tmp_path / "out").path == tmp_path / "one"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"run": 3}'])
def test_a_damaged_note_of_the_source_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "_midwatch").mkdir()
    (tmp_path / "_midwatch" / "source.json").write_text(content)
    with pytest.raises(RunError, match="delete the file"):
        Run.at(tmp_path)


def test_runs_are_found_in_a_folder_newest_first(tmp_path: Path) -> None:
    for age, (name, mark) in enumerate({"a": "run.json", "b": "checkpoint-1", "c": "notes.txt"}.items()):
        (tmp_path / name).mkdir()
        (tmp_path / name / mark).touch()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    assert find_runs(tmp_path) == [tmp_path / "b", tmp_path / "a"]
    assert find_runs(tmp_path / "a") == [tmp_path / "a"]
    assert find_runs(tmp_path / "none") == []
    assert not looks_like_run(tmp_path / "c")

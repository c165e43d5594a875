"""What of a directory's entries are checkpoints, and which directories are runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.checkpoint_names import ROOT, parse_pattern
from shared.run import Run, find_runs, looks_like_run


def model(path: Path, *, weights: str = "model.safetensors", config: str = "config.json") -> Path:
    """Files as a model's directory has them; what is in them is not looked at here."""
    path.mkdir(parents=True, exist_ok=True)
    (path / config).write_text("{}")
    (path / weights).write_text("w")
    return path


def checkpoints(path: Path, pattern: str | None = None) -> list[str]:
    return Run.at(path, pattern=parse_pattern(pattern) if pattern else None).checkpoints()


def test_names_beyond_the_trainers_count_once_they_hold_a_model(tmp_path: Path) -> None:
    for name in ("epoch_0", "epoch_1", "step_50", "final"):
        model(tmp_path / name)
    (tmp_path / "epoch_2").mkdir()
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "notes.txt").touch()
    (tmp_path / "logs").mkdir()
    assert checkpoints(tmp_path) == ["epoch_0", "epoch_1", "step_50", "final"]
    (tmp_path / "checkpoint-7").mkdir()
    assert "checkpoint-7" in checkpoints(tmp_path), "the Trainer's own name needs no look inside"


def test_a_single_model_is_a_run_of_one(tmp_path: Path) -> None:
    path = model(tmp_path / "judge")
    assert checkpoints(path) == [ROOT]
    assert Run.at(path).directory_of(ROOT) == path
    assert looks_like_run(path)
    adapter = model(tmp_path / "lora", weights="adapter_model.safetensors", config="adapter_config.json")
    assert checkpoints(adapter) == [ROOT]
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    assert checkpoints(tmp_path / "half") == [], "a config alone is no model yet"


def test_a_model_that_will_be_refused_is_found_where_nothing_else_is(tmp_path: Path) -> None:
    path = model(tmp_path / "old", weights="pytorch_model.bin")
    assert checkpoints(path) == [ROOT]
    (path / "checkpoint-1").mkdir()
    assert checkpoints(path) == ["checkpoint-1"]


def test_a_model_beside_checkpoints_is_one_more_and_the_last(tmp_path: Path) -> None:
    path = model(tmp_path)
    for name in ("checkpoint-10", "checkpoint-9"):
        model(path / name)
    model(path / "merged")
    assert checkpoints(path) == ["checkpoint-9", "checkpoint-10", "merged", ROOT]


def test_deepspeeds_state_beside_a_model_is_no_checkpoint(tmp_path: Path) -> None:
    path = model(tmp_path)
    (path / "global_step100").mkdir()
    (path / "global_step100" / "mp_rank_00_model_states.pt").touch()
    assert checkpoints(path) == [ROOT]
    (path / "model.safetensors").unlink()
    assert checkpoints(path) == ["global_step100"], "and where there is no model it is what has to be said"


def test_what_an_announcing_trainer_saves_beside_is_a_copy(tmp_path: Path) -> None:
    model(tmp_path / "checkpoint-10")
    model(tmp_path / "best")
    (tmp_path / "_midwatch" / "commits").mkdir(parents=True)
    assert checkpoints(tmp_path) == ["checkpoint-10"]
    assert checkpoints(tmp_path, "b*") == ["best"], "unless it is asked for"


def test_a_pattern_replaces_the_rules(tmp_path: Path) -> None:
    for name in ("model-s20", "model-s100", "checkpoint-10", "_midwatch", "training_visualizations"):
        model(tmp_path / name)
    assert checkpoints(tmp_path, "model-*") == ["model-s100", "model-s20"], "by name, until their steps are noted"
    assert "_midwatch" not in checkpoints(tmp_path, "*")
    assert checkpoints(tmp_path, "nothing-*") == []
    assert checkpoints(model(tmp_path), ".") == [ROOT]
    assert looks_like_run(tmp_path / "none", parse_pattern("model-*")) is False


def test_a_link_to_a_checkpoint_is_not_a_second_one(tmp_path: Path) -> None:
    model(tmp_path / "checkpoint-10")
    (tmp_path / "last").symlink_to("checkpoint-10")
    (tmp_path / "best").symlink_to("nowhere")
    assert checkpoints(tmp_path) == ["checkpoint-10"]


def test_a_pickle_of_lightning_is_found_to_be_refused(tmp_path: Path) -> None:
    (tmp_path / "epoch=1-step=20.ckpt").touch()
    model(tmp_path / "epoch=2-step=40.ckpt")
    (tmp_path / "notes.ckpt").touch()
    assert checkpoints(tmp_path) == ["epoch=1-step=20.ckpt", "epoch=2-step=40.ckpt"]


def test_names_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    for name in (b"checkpoint-\xff", b"final-\xff"):
        (tmp_path / os.fsdecode(name)).mkdir()
    model(tmp_path / "final")
    assert checkpoints(tmp_path) == ["final"]
    assert checkpoints(tmp_path, "*") == ["final"]
    assert find_runs(tmp_path) == [tmp_path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_found_and_its_neighbours_too(tmp_path: Path) -> None:
    model(tmp_path / "run" / "epoch_1").chmod(0)
    model(tmp_path / "run" / "epoch_2")
    (tmp_path / "lost+found").mkdir(mode=0)
    assert find_runs(tmp_path) == [tmp_path / "run"]
    assert checkpoints(tmp_path / "run") == ["epoch_1", "epoch_2"]


def test_runs_are_found_at_any_depth_the_shallow_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("a", "group/b", "group/more/c", "group/more/deep/down/d"):
        model(tmp_path / place / "checkpoint-10")
    model(tmp_path / "models" / "one")
    (tmp_path / "empty").mkdir()
    found = {path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)}
    assert found == {"a", "group/b", "group/more/c", "group/more/deep/down/d", "models/one"}
    monkeypatch.setattr("shared.run.MOST_FOLDERS", 7)
    assert {path.name for path in find_runs(tmp_path)} == {"a", "b", "one"}, "a, empty, group, models, b, more, one"


def test_no_run_is_found_inside_another(tmp_path: Path) -> None:
    model(tmp_path / "a" / "checkpoint-10")
    model(tmp_path / "a" / "inner" / "checkpoint-10")
    model(tmp_path / "a" / "_midwatch" / "null" / "untrained-0" / "checkpoint-0")
    assert find_runs(tmp_path) == [tmp_path / "a"]


def test_links_are_not_followed_in_a_search(tmp_path: Path) -> None:
    model(tmp_path / "elsewhere" / "run" / "checkpoint-10")
    runs = tmp_path / "runs"
    (runs / "loop").mkdir(parents=True)
    (runs / "loop" / "again").symlink_to(runs)
    (runs / "linked").symlink_to(tmp_path / "elsewhere" / "run")
    assert find_runs(runs) == []
    assert find_runs(runs / "linked") == [runs / "linked"], "what is given may be a link"


def test_models_of_the_hubs_cache_are_not_found_but_may_be_given(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--x--y" / "snapshots" / "abc"
    blobs = tmp_path / "hub" / "models--x--y" / "blobs"
    model(blobs)
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).symlink_to(f"../../blobs/{name}")
        (blobs / name).rename(blobs / f"of-{name}")
        (snapshot / name).unlink()
        (snapshot / name).symlink_to(f"../../blobs/of-{name}")
    assert find_runs(tmp_path / "hub") == []
    assert find_runs(snapshot) == [snapshot]


def test_a_long_list_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 entries cost one look at the directory, and one into each that may hold a model; none into others."""
    for number in range(1000):
        (tmp_path / f"checkpoint-{number}").mkdir()
        (tmp_path / f"notes-{number}").mkdir()
        (tmp_path / f"{number}.log").touch()
    (tmp_path / "final").mkdir()
    looked, scandir = [], os.scandir

    def counting(path: object) -> object:
        looked.append(Path(str(path)).name)
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", counting)
    assert len(checkpoints(tmp_path)) == 1000
    assert sorted(looked) == sorted([tmp_path.name, "final"])

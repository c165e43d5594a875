"""Where checkpoints belong whose names do not say their step: noted once, unique, and kept for the same files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import Fingerprint, fingerprint
from analyzer.checkpoints.placing import place
from shared.checkpoint_names import ROOT, parse_pattern
from shared.run import Run


def save(run: Path, name: str, content: str = "w") -> Fingerprint:
    path = run if name == ROOT else run / name
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_text(content)
    return fingerprint(path, name)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.at(tmp_path)


def test_by_name_by_trainer_or_after_all(run: Run) -> None:
    files = {name: save(run.path, name) for name in ("checkpoint-100", "step_150", "epoch_2", "final", "best")}
    assert place(run, "checkpoint-100", files["checkpoint-100"], {"global_step": 7, "epoch": 1.0}) == (100, 1.0)
    assert place(run, "step_150", files["step_150"], {}) == (150, None)
    assert place(run, "epoch_2", files["epoch_2"], {}) == (2, 2.0)
    assert place(run, "best", files["best"], {"global_step": 120, "epoch": 1.2}) == (120, 1.2)
    assert place(run, "final", files["final"], {}) == (151, None)
    assert run.checkpoints() == ["epoch_2", "checkpoint-100", "best", "step_150", "final"]
    assert "checkpoint-100" not in json.loads((run.midwatch / "places.json").read_text())["checkpoints"]


def test_no_two_have_the_same_step(run: Run) -> None:
    for name in ("checkpoint-100", "checkpoint-101"):
        save(run.path, name)
    assert place(run, "checkpoint-100-best", save(run.path, "checkpoint-100-best"), {})[0] == 102
    assert place(run, "final", save(run.path, "final"), {"global_step": 100})[0] == 103
    assert place(run, ROOT, save(run.path, ROOT), {"global_step": 100})[0] == 104


def test_a_place_is_kept_for_the_same_files_and_found_anew_for_others(run: Run) -> None:
    save(run.path, "checkpoint-100")
    first = save(run.path, "best")
    assert place(run, "best", first, {}) == (101, None)
    save(run.path, "checkpoint-200")
    assert place(run, "best", first, {}) == (101, None), "it was saved before 200"
    assert place(run, "best", save(run.path, "best", "other weights"), {}) == (201, None)
    (run.midwatch / "places.json").unlink()
    assert place(run, "best", first, {})[0] == 201, "noted anew"


@pytest.mark.parametrize("said", [-1, True, 1.5, "7", 10**20, None, [3]])
def test_a_step_that_is_none_is_not_believed(run: Run, said: object) -> None:
    save(run.path, "checkpoint-100")
    assert place(run, "final", save(run.path, "final"), {"global_step": said}) == (101, None)


def test_a_huge_number_in_a_name_is_no_step(run: Run) -> None:
    save(run.path, "checkpoint-100")
    name = "step_" + "9" * 30
    assert place(run, name, save(run.path, name), {}) == (101, None)


def test_with_the_users_names(tmp_path: Path) -> None:
    pattern = parse_pattern(r"^model-e(?P<epoch>\d+)-s(?P<step>\d+)$")
    run = Run.at(tmp_path, pattern=pattern)
    for name, expected in {"model-e1-s20": (20, 1.0), "model-e2-s100": (100, 2.0)}.items():
        assert place(run, name, save(tmp_path, name), {}) == expected
    assert run.checkpoints() == ["model-e1-s20", "model-e2-s100"]
    later = Run.at(tmp_path)
    assert later.checkpoints() == ["model-e1-s20", "model-e2-s100"], "whoever looks next needs no pattern"


def test_a_place_that_cannot_be_noted_is_still_known(run: Run, tmp_path: Path) -> None:
    (tmp_path / "_midwatch").write_text("in the way")
    assert place(run, "final", save(run.path, "final"), {}) == (0, None)

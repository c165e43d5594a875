"""`midwatch attack` from the command line: what it says, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from analyzer.commands.attack import AttackSettings, attack, summarise
from analyzer.commands.second_judge import second_judge
from shared.attacks import AttackPlace
from shared.errors import RunError, UsageError
from shared.prompts.load import load_prompts
from shared.prompts.prompt_files import write_prompts
from shared.run import Run
from tests.making.fake_attack import archive
from tests.making.runs import add_checkpoint, describe, make_old
from tests.making.tiny import save_tiny_judge


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = describe(tmp_path / "run")
    add_checkpoint(path, 10, save_tiny_judge(tmp_path / "template", initializer_range=1.0), 1.0)
    return path


def test_the_table_has_a_row_a_technique_with_its_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = AttackPlace(Run.at(tmp_path), "checkpoint-20")
    place.folder.mkdir(parents=True)
    place.attacks.touch()
    summarise(archive(notes=["Know this."]), place)
    said = " ".join(capsys.readouterr().out.split())
    assert "passes as safe 31 of 40 unsafe prompts" in said and "Know this." in said
    assert "30 of 40 (75 %," in said and "1 of 2 cells hold a failure" in said
    assert "attacks.jsonl" in said.replace(" ", "") and "additions.jsonl" not in said


@pytest.mark.parametrize("wrong", [{"budget": 3}, {"direction": "sideways"}])
def test_settings_that_are_none_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ValidationError):
        AttackSettings(run=tmp_path, **wrong)


@pytest.mark.parametrize("option", ["data", "fresh"])
def test_prompts_that_are_not_there_are_said_before_anything_is_loaded(run: Path, option: str) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl does not exist"):
        attack(AttackSettings.model_validate({"run": run, option: "nowhere.jsonl"}))
    assert not Run.at(run).attacks.exists() and not Run.at(run).digests.exists()


def test_a_folder_without_checkpoints_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        attack(AttackSettings(run=tmp_path))


def test_pyribs_is_asked_for_before_anything_is_loaded(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.attack.room.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"midwatch\[attack\]"):
        attack(AttackSettings(run=run))


def test_a_mutator_that_is_not_on_the_machine_is_said_before_anything_is_loaded(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no language model at") as said:
        attack(AttackSettings(run=run, mutator=str(tmp_path / "nowhere")))
    assert said.value.exit_code == 2 and "\n" not in str(said.value)


@pytest.mark.parametrize("given", [{"second_judge": Path("b")}, {"confirmed": Path("b.csv")}])
def test_who_confirms_needs_something_to_confirm(run: Path, given: dict) -> None:
    with pytest.raises(UsageError, match="--mutator"):
        attack(AttackSettings(run=run, **given))


def test_a_csv_that_is_not_there_is_said(run: Path, tmp_path: Path) -> None:
    lm = save_tiny_judge(tmp_path / "lm", "llama", causal=True)
    with pytest.raises(UsageError, match=r"no file .*\.csv"):
        attack(AttackSettings(run=run, mutator=str(lm), confirmed=tmp_path / "to_confirm.csv"))


def test_a_second_judge_is_the_best_of_another_run(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run under attack"):
        second_judge(AttackSettings(run=run), run)
    other = describe(tmp_path / "other")
    with pytest.raises(UsageError, match="--second-judge"):
        second_judge(AttackSettings(run=run), other)
    for step in (10, 20):
        make_old(add_checkpoint(other, step, save_tiny_judge(tmp_path / f"b{step}", seed=step), step / 10))
    before = sorted(path.name for path in other.rglob("*"))
    found = second_judge(AttackSettings(run=run), other)
    assert found.name == "other/checkpoint-20" and found.directory == other / "checkpoint-20" and found.files
    assert sorted(path.name for path in other.rglob("*")) == before, "nothing is written there"


@pytest.mark.slow
def test_a_whole_attack_by_a_worker_process(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--data FILE"):
        attack(AttackSettings(run=run, device="cpu", budget=40))
    write_prompts(run / "test.jsonl", load_prompts("shipped")[::60])
    attack(AttackSettings(run=run, device="cpu", budget=40))
    place = AttackPlace(Run.at(run), "checkpoint-10")
    assert sum(each.evaluations for each in place.read_archive().directions) == 40
    assert place.page.is_file() and str(place.page) in capfd.readouterr().out.replace("\n", "")

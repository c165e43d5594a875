"""The pipeline's stages are commands that a user could type, for the settings as given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from journeys.places import Places
from journeys.plan import Plan
from journeys.settings import PipelineSettings
from journeys.stage import Stage
from midwatch import app
from shared.errors import UsageError
from shared.records import CheckpointState, CheckpointStatus, RunRecord, Status
from shared.run import Run


def plan(root: Path, **given: Any) -> Plan:
    return Plan(PipelineSettings(output_dir=root, **given), Places(root))


def stages(root: Path, **given: Any) -> dict[str, Stage]:
    return {stage.name: stage for stage in plan(root, **given).stages()}


def prepared(root: Path) -> None:
    (root / "prepared").mkdir(parents=True)
    (root / "prepared" / "card.json").touch()


def attacked(root: Path) -> Path:
    folder = root / "judge" / "_midwatch" / "attacks" / "checkpoint-5"
    folder.mkdir(parents=True)
    (folder / "archive.json").touch()
    (folder / "additions.jsonl").write_text("{}\n")
    return folder


def test_all_stages_in_order(tmp_path: Path) -> None:
    found = stages(tmp_path)
    assert list(found) == ["prepare", "train", "watch", "evaluate", "attack", "report"]
    assert not any(stage.skipped or stage.made() for stage in found.values())
    assert found["train"].words()[:3] == ["train", "--output-dir", str(tmp_path / "judge")]
    assert found["train"].words()[-2:] == ["--prepared", str(tmp_path / "prepared")]
    assert found["watch"].beside == "train" and found["watch"].alone == ("--once",)


def test_every_command_takes_its_words(tmp_path: Path) -> None:
    """As the commands themselves parse them."""
    prepared(tmp_path)
    attacked(tmp_path)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    given = {"rounds": 1, "data": ["shipped"], "model": "minilm", "epochs": 2.5, "budget": 100, "seed": 3}
    for stage in stages(tmp_path, **given).values():
        name, *words = [*stage.words(), *stage.resume(), *stage.alone]
        with commands[name].make_context(name, words):
            pass


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"skip_data_prep": True}, {"train", "watch", "evaluate", "attack", "report"}),
        ({"skip_training": True}, {"prepare", "evaluate", "attack", "report"}),
        ({"skip_evaluation": True}, {"prepare", "train", "watch", "attack", "report"}),
        ({"skip_open_ended": True}, {"prepare", "train", "watch", "evaluate", "report"}),
        ({"skip_report": True}, {"prepare", "train", "watch", "evaluate", "attack"}),
        ({"visualize_training": False}, {"prepare", "train", "evaluate", "attack", "report"}),
        ({"eval_only": True}, {"evaluate"}),
    ],
)
def test_each_stage_can_be_left_out(tmp_path: Path, given: dict[str, Any], left: set[str]) -> None:
    found = stages(tmp_path, **given)
    assert {name for name, stage in found.items() if not stage.skipped} == left
    (option,) = given
    said = {stage.skipped for stage in found.values()} - {""}
    assert said == {
        "--no-visualize-training" if option == "visualize_training" else f"--{option.replace('_', '-')}"
    }


def test_without_prepared_data_training_splits_by_itself(tmp_path: Path) -> None:
    given = {"skip_data_prep": True, "data": ["a.jsonl"]}
    train = stages(tmp_path, **given)["train"]
    assert train.words()[-2:] == ["--data", "a.jsonl"] and train.needs == ()
    assert "--data" not in stages(tmp_path, **given)["attack"].words()
    prepared(tmp_path)
    assert stages(tmp_path, **given)["train"].words()[-2:] == ["--prepared", str(tmp_path / "prepared")]


def test_a_round_trains_with_what_was_found_and_a_control_without(tmp_path: Path) -> None:
    prepared(tmp_path)
    folder = attacked(tmp_path)
    found = stages(tmp_path, rounds=1, seed=4)
    train, control = found["round 1 train"], found["round 1 control"]
    assert control.beside == "round 1 train"
    added = ["--added-data", str(folder / "additions.jsonl")]
    assert [word for word in train.words() if word not in control.words()] == [
        str(tmp_path / "round-1" / "judge"),
        *added,
    ]
    assert train.words()[3:5] == control.words()[3:5] == ["--seed", "5"]
    assert found["round 1 control on fresh attacks"].words()[-2:] == ["--data", str(folder / "fresh.jsonl")]


def test_what_found_nothing_adds_nothing(tmp_path: Path) -> None:
    (attacked(tmp_path) / "additions.jsonl").write_text("")
    assert "--added-data" not in stages(tmp_path, rounds=1)["round 1 train"].words()


def test_a_second_round_adds_to_the_first(tmp_path: Path) -> None:
    attacked(tmp_path)
    attacked(tmp_path / "round-1")
    words = stages(tmp_path, rounds=2)["round 2 train"].words()
    assert words.count("--added-data") == 2
    assert stages(tmp_path, rounds=2)["round 2 train"].needs == ("prepare", "round 1 attack")


@pytest.mark.parametrize("given", [{"skip_open_ended": True}, {"skip_data_prep": True}, {"eval_only": True}])
def test_rounds_need_what_they_rest_on(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--rounds"):
        plan(tmp_path, rounds=1, **given)


def test_sections_of_the_config_file_reach_their_commands(tmp_path: Path) -> None:
    made = plan(tmp_path, train={"epochs": 7, "learning_rate": 1e-3}, prepare={"augment": 1})
    made.write_sections()
    found = {stage.name: stage for stage in made.stages()}
    path = Path(found["train"].words()[-1])
    assert found["train"].words()[-2] == "--config" and yaml.safe_load(path.read_text())["epochs"] == 7
    assert "--config" in found["prepare"].words() and "--config" not in found["evaluate"].words()


def test_a_watch_that_failed_names_the_checkpoints_and_their_causes(tmp_path: Path) -> None:
    watch = stages(tmp_path)["watch"]
    assert watch.why_not() == "", "nothing is there yet"
    (tmp_path / "judge").mkdir()
    run = Run.at(tmp_path / "judge")
    (run.path / "run.json").write_text(RunRecord(epochs=5, steps=50).model_dump_json())
    rows = []
    for step in (10, 20, 30, 40, 50):
        (run.path / f"checkpoint-{step}").mkdir()
        state = CheckpointState.DONE if step == 10 else CheckpointState.QUARANTINED
        rows.append(
            CheckpointStatus(checkpoint=f"checkpoint-{step}", step=step, state=state, cause=f"{step} is torn.")
        )
    status = Status(state="idle", heartbeat_at=0, pid=1, host="h", started_at=0, version="0", checkpoints=rows)
    run.midwatch.mkdir()
    run.status.write_text(status.model_dump_json())
    causes = [f"checkpoint-{step}: {step} is torn." for step in (20, 30, 40)]
    assert watch.why_not() == f"4 not analysed. {' '.join(causes)} And 1 more."

"""Real trainings of a tiny judge: what they leave on disk, stop, resume, refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, TrainerCallback

import trainer.train
from shared.errors import UsageError
from shared.files import read_jsonl, read_record
from shared.prompts.baselines import read_baselines
from shared.prompts.leaks import count_leaks
from shared.prompts.probes import read_probes
from shared.prompts.prompt_files import read_prompts
from shared.records import CommitRecord, MetricsLine, RunRecord
from shared.run import Run
from tests.making.waiting import LIMIT_S, wait_until
from trainer.settings import TrainSettings
from trainer.stop import Stopped
from trainer.train import run_training, settle


@pytest.fixture(scope="module")
def finished(prompts_file: Path, tiny_judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished training of three epochs."""
    path = tmp_path_factory.mktemp("finished") / "run"
    run_training(small(prompts_file, tiny_judge, path))
    return Run.at(path)


def small(prompts_file: Path, tiny_judge: Path, path: Path, **changes: Any) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "data": [str(prompts_file)],
            "model": str(tiny_judge),
            "output_dir": path,
            "freeze_layers": 1,
            "epochs": 3,
            "batch_size": 8,
            "learning_rate": 5e-3,
            "probes_per_class": 8,
            "patience": 0,
            "device": "cpu",
            "cores": 1,
            **changes,
        }
    )


def test_each_epoch_is_saved_and_announced(finished: Run) -> None:
    names = finished.checkpoints()
    assert len(names) == 3
    for epoch, name in enumerate(names, 1):
        commit = read_record(finished.commits / f"{name}.json", CommitRecord)
        assert commit.epoch == epoch
        assert {"val_f1", "val_loss", "train_f1", "contrast_accuracy"} <= commit.metrics.keys()
        assert {file.name for file in commit.files} == {path.name for path in (finished.path / name).iterdir()}


def test_run_json_says_what_the_run_is(finished: Run) -> None:
    record = read_record(finished.record, RunRecord)
    assert (record.judge.kind, record.judge.unsafe_id, record.judge.max_length) == ("classifier", 1, 64)
    assert (record.frozen_layers, record.epochs, record.writer) == (1, 3, "trainer")
    assert finished.checkpoints()[-1] == f"checkpoint-{record.steps}"
    assert record.baselines["tfidf"]["accuracy"] > record.baselines["length"]["contrast_accuracy"]
    assert record.settings["learning_rate"] == 5e-3
    assert record.versions["torch"] == torch.__version__


def test_frozen_layers_are_byte_identical(finished: Run, tiny_judge: Path) -> None:
    start, end = (
        load_file(tiny_judge / "model.safetensors"),
        load_file(finished.path / finished.checkpoints()[-1] / "model.safetensors"),
    )
    same = {name for name in end if torch.equal(start[name], end[name])}
    assert {name for name in end if ".embeddings." in name or ".layer.0." in name} == same


def test_labels_stand_in_every_config(finished: Run) -> None:
    for name in [*finished.checkpoints(), "best"]:
        config = AutoConfig.from_pretrained(finished.path / name)
        assert config.id2label == {0: "safe", 1: "unsafe"}


def test_metrics_lines_of_each_split(finished: Run) -> None:
    text = finished.metrics.read_text()
    assert "NaN" not in text and "Infinity" not in text
    lines = [MetricsLine.model_validate(line) for line in read_jsonl(finished.metrics)]
    names = {
        split: {name for line in lines if line.split == split for name in line.values}
        for split in ("train", "val", "test", "contrast")
    }
    judged = {"accuracy", "precision", "recall", "f1", "auc", "fnr", "fpr"}
    assert names["train"] == judged | {"loss", "learning_rate", "grad_norm", "sample_loss"}
    assert names["val"] == names["test"] == judged | {"loss"}
    assert names["contrast"] == judged | {"loss", "both_right", "pairs"}
    assert len([line for line in lines if line.split == "val"]) == 3


def test_probes_are_held_out(finished: Run) -> None:
    probes = read_probes(finished.probes).probes
    assert len(probes) == 16
    assert count_leaks(finished, probes) == 0
    trained = (finished.path / "train_digests.txt").read_text().split()
    assert len(trained) == read_record(finished.record, RunRecord).data["train"]["count"]


def test_test_prompts_and_baselines_are_handed_on(finished: Run) -> None:
    """Scored again from the files alone, the baselines are as good on the test prompts as run.json says."""
    record = read_record(finished.record, RunRecord)
    test = read_prompts(finished.test)
    assert len(test) == record.data["test"]["count"] and {prompt.label for prompt in test} == {"safe", "unsafe"}
    assert not {prompt.text for prompt in test} & {probe.text for probe in read_probes(finished.probes).probes}
    for name, scores in read_baselines(finished.baselines).scores([prompt.text for prompt in test]).items():
        right = [(score > 0) == (prompt.label == "unsafe") for score, prompt in zip(scores, test, strict=True)]
        assert sum(right) / len(right) == record.baselines[name]["test_accuracy"]


def test_best_is_the_best_checkpoint(finished: Run) -> None:
    lines = [line for line in read_jsonl(finished.metrics) if line["split"] == "val"]
    best = max(lines, key=lambda line: line["values"]["auc"])["step"]  # the first of equals
    weights = load_file(finished.path / "best" / "model.safetensors")
    for name, tensor in load_file(finished.path / f"checkpoint-{best}" / "model.safetensors").items():
        assert torch.equal(tensor, weights[name])
    assert [line["step"] for line in read_jsonl(finished.metrics) if line["split"] == "test"] == [best]


def test_report_stands_beside_the_baselines(settings: TrainSettings, capsys: pytest.CaptureFixture[str]) -> None:
    run_training(settings.model_copy(update={"epochs": 1.0}))
    shown = capsys.readouterr().out
    for word in ("length", "TF-IDF", "judge", "both twins right", "contrast pairs", "epoch 1, step"):
        assert word in shown
    assert "{" not in shown and "Traceback" not in shown


class StopAt(TrainerCallback):
    """Sends this process a real signal at the end of a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), self.number)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """Make the trainings that follow receive `number` after `step`."""
    build = trainer.train.build_trainer

    def build_and_stop(*args: Any, **options: Any) -> Any:
        loop = build(*args, **options)
        loop.callback_handler.callbacks.insert(0, StopAt(step, number))
        return loop

    monkeypatch.setattr(trainer.train, "build_trainer", build_and_stop)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_inside_an_epoch_and_resumed_ends_as_if_never_stopped(
    finished: Run,
    prompts_file: Path,
    tiny_judge: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    path = tmp_path / "run"
    steps = read_record(finished.record, RunRecord).steps or 0
    with monkeypatch.context() as patch:
        stop_at(patch, steps // 2, number)
        with pytest.raises(Stopped, match="continue with `midwatch train --resume --output-dir") as stopped:
            run_training(small(prompts_file, tiny_judge, path))
    assert stopped.value.exit_code == code
    run = Run.at(path)
    assert run.checkpoints()[-1] == f"checkpoint-{steps // 2}"
    assert (run.commits / f"checkpoint-{steps // 2}.json").is_file()
    assert not (path / "best").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    run_training(TrainSettings(output_dir=path, resume=True))
    for name, tensor in load_file(finished.path / f"checkpoint-{steps}" / "model.safetensors").items():
        assert torch.equal(tensor, load_file(path / f"checkpoint-{steps}" / "model.safetensors")[name])
    lines = [(line["step"], line["split"]) for line in read_jsonl(run.metrics)]
    before = [(line["step"], line["split"]) for line in read_jsonl(finished.metrics)]
    assert lines == before


def test_resume_passes_over_an_incomplete_checkpoint(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(finished.path, path)
    last = path / finished.checkpoints()[-1]
    (last / "trainer_state.json").unlink()
    (path / "_midwatch" / "commits" / f"{last.name}.json").unlink()
    run_training(TrainSettings(output_dir=path, resume=True))
    assert (last / "trainer_state.json").is_file()
    commit = read_record(path / "_midwatch" / "commits" / f"{last.name}.json", CommitRecord)
    assert commit.epoch == 3


def test_resume_refuses_other_data(finished: Run, tmp_path: Path, prompts_file: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(finished.path, path)
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("".join(prompts_file.read_text().splitlines(keepends=True)[:-20]))
    with pytest.raises(UsageError, match="are not those it began with"):
        run_training(TrainSettings(output_dir=path, resume=True, data=[str(fewer)]))


def test_a_taken_directory_is_refused(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already holds a run; continue it with --resume"):
        settle(TrainSettings(output_dir=finished.path))
    (tmp_path / "checkpoint-5").mkdir()
    with pytest.raises(UsageError, match="already holds a run"):
        settle(TrainSettings(output_dir=tmp_path))


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run of `midwatch train` to resume"):
        settle(TrainSettings(output_dir=tmp_path, resume=True))


def test_resumed_settings_are_the_runs_own_unless_given(finished: Run) -> None:
    settings = settle(TrainSettings(output_dir=finished.path, resume=True, epochs=5))
    assert (settings.epochs, settings.batch_size, settings.freeze_layers) == (5, 8, 1)


def test_early_stopping_and_steps(settings: TrainSettings) -> None:
    """A learning rate of nearly zero never improves: three evaluations, one better than none, then two without."""
    idle = settings.model_copy(
        update={"learning_rate": 1e-12, "patience": 2, "save_every": 2, "epochs": 9.0, "best_metric": "auc"}
    )
    run_training(idle)
    assert Run.at(idle.output_dir).checkpoints() == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]


TRAIN = """
import typer
from shared.cli import run_app
from trainer.cli import add_commands
app = typer.Typer()
app.callback()(lambda: None)
add_commands(app)
run_app(app)
"""
"""`midwatch` with the trainer's command only."""


def test_sigterm_to_the_real_command(prompts_file: Path, tiny_judge: Path, tmp_path: Path) -> None:
    """From outside, at some moment of the training: exit code 143, one sentence, and a run that resumes."""
    path = tmp_path / "run"
    options = {"data": prompts_file, "model": tiny_judge, "output-dir": path, "epochs": 500, "save-every": 5}
    options |= {"freeze-layers": 0, "probes-per-class": 8, "patience": 0, "device": "cpu", "cores": 1}
    command = [sys.executable, "-c", TRAIN, "train", *(f"--{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    announced = path / "_midwatch" / "commits" / "checkpoint-5.json"
    wait_until(lambda: process.poll() is not None or announced.exists(), "the first checkpoint")
    process.terminate()
    _, complaint = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143, complaint
    assert complaint.startswith("midwatch: Training stopped after step ")
    run = Run.at(path)
    assert {file.stem for file in run.commits.glob("*.json")} == set(run.checkpoints())
    state = json.loads((path / run.checkpoints()[-1] / "trainer_state.json").read_text())
    assert f"step {state['global_step']};" in complaint

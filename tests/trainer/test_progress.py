"""What a person sees."""

from __future__ import annotations

import io
from functools import partial

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState, TrainingArguments

import trainer.progress
from trainer.progress import ShowProgress, evaluation_line
from trainer.settings import TrainSettings
from trainer.train import training_arguments


def test_one_line_an_evaluation() -> None:
    metrics = {
        "eval_loss": 0.5,
        "eval_accuracy": 0.75,
        "eval_f1": 0.8,
        "eval_auc": 0.9,
        "eval_contrast_accuracy": 0.6,
    }
    expected = (
        "epoch 1.5, step 12: loss 0.300, val loss 0.500 accuracy 0.750 f1 0.800 auc 0.900, contrast pairs 0.600"
    )
    assert evaluation_line(1.5, 12, "loss 0.300, ", metrics) == expected


def test_no_pairs_no_auc() -> None:
    assert evaluation_line(1.0, 3, "", {"eval_accuracy": 1.0}) == "epoch 1, step 3: val accuracy 1.000"


def test_the_bar_is_on_stderr_and_lines_stand_above_it_where_both_are_terminals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shown(*, out: bool, err: bool) -> tuple[str, str]:
        bar, lines = io.StringIO(), io.StringIO()
        on_bar = partial(Console, file=bar, force_terminal=err)
        monkeypatch.setattr(trainer.progress, "Console", lambda stderr, **style: on_bar(**style))
        show = ShowProgress(Console(file=lines, force_terminal=out))
        arguments, state, control = TrainingArguments(), TrainerState(max_steps=4), TrainerControl()
        show.on_train_begin(arguments, state, control)
        show.on_evaluate(arguments, state, control, {"eval_accuracy": 1.0})
        show.on_train_end(arguments, state, control)
        return lines.getvalue(), bar.getvalue()

    lines, bar = shown(out=True, err=True)
    assert lines == "" and "epoch 0, step 0: val accuracy 1.000" in bar and "training" in bar
    lines, bar = shown(out=False, err=True)
    assert lines.startswith("epoch 0, step 0: val accuracy 1.000") and "training" in bar and "accuracy" not in bar
    lines, bar = shown(out=False, err=False)
    assert "accuracy 1.000" in lines and bar.strip() == ""


def test_settings_reach_transformers(settings: TrainSettings) -> None:
    given = {"save_every": 7, "weight_decay": 0.25, "gradient_accumulation_steps": 3, "best_metric": "loss"}
    arguments = training_arguments(settings.model_copy(update=given), settings.output_dir, use_cpu=True)
    assert (arguments.save_steps, arguments.eval_steps, arguments.eval_strategy) == (7, 7, "steps")
    assert (arguments.weight_decay, arguments.gradient_accumulation_steps) == (0.25, 3)
    assert (arguments.metric_for_best_model, arguments.greater_is_better) == ("loss", False)
    assert arguments.report_to == []

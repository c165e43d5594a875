"""What a person sees while the training runs: a bar in a terminal, and one plain line an evaluation anywhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class ShowProgress(TrainerCallback):
    """A bar on stderr, where that is a terminal, and the evaluations on `console`: above the bar, where both are
    terminals."""

    def __init__(self, console: Console) -> None:
        bar = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.console = bar if bar.is_terminal and console.is_terminal else console
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=bar,
            transient=True,
            redirect_stdout=False,
            disable=not bar.is_terminal,
        )
        self.loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.add_task("training", total=state.max_steps, completed=state.global_step)
        self.bar.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.update(self.bar.task_ids[0], completed=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.loss = f"loss {logs['loss']:.3f}, "

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.console.print(evaluation_line(state.epoch or 0.0, state.global_step, self.loss, metrics or {}))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.stop()


def evaluation_line(epoch: float, step: int, loss: str, metrics: dict[str, float]) -> str:
    """Like "epoch 1, step 120: loss 0.301, val loss 0.214 accuracy 0.912 f1 0.910, contrast pairs 0.850"."""
    named = {name: metrics.get(f"eval_{name}") for name in ("loss", "accuracy", "f1", "auc")}
    shown = [f"{name} {value:.3f}" for name, value in named.items() if value is not None]
    pairs = metrics.get("eval_contrast_accuracy")
    ending = "" if pairs is None else f", contrast pairs {pairs:.3f}"
    return f"epoch {epoch:g}, step {step}: {loss}val {' '.join(shown)}{ending}"

"""One training, top to bottom.

1. Settle the settings: a resumed run brings its own.
2. Prepare the data: clean it, hold the probe set out, split the rest by group.
3. Load the judge and freeze its first layers.
4. Write what the run is: run.json, probes.jsonl, test.jsonl, baselines.json, digests of the training prompts.
5. Train with transformers' Trainer, which evaluates, saves and announces checkpoints; the analyzer, if wanted,
   runs beside it as a process of its own.
6. Keep the best checkpoint's model as `<run>/best`, which no watcher takes for a checkpoint, and report.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import torch
import transformers
from rich.console import Console
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerState,
    TrainingArguments,
)

from shared.errors import UsageError
from shared.files import read_record
from shared.records import RunRecord
from shared.run import RECORD, Run
from shared.settings import build
from shared.user_paths import make_output
from trainer.announce import AnnounceCheckpoint
from trainer.baselines import fit_baselines
from trainer.beside import analyzer_beside, catch_up
from trainer.data import Data, prepare_data, with_added
from trainer.describe import BaselineMetrics, describe, write_description
from trainer.device import choose_device, share_cores
from trainer.disk import explain_full_disk
from trainer.evaluate import Parts, baseline_metrics
from trainer.freeze import freeze
from trainer.judge import load_judge
from trainer.log import WriteMetrics, forget_after, write_line
from trainer.loop import JudgeTrainer
from trainer.prepared import read_prepared
from trainer.progress import ShowProgress
from trainer.report import report
from trainer.resume import last_complete
from trainer.settings import TrainSettings
from trainer.stop import StopOnSignal, Stopped

LOGGING_STEPS = 10
"""Optimizer steps between two lines of the running loss."""


def run_training(settings: TrainSettings) -> None:
    """`midwatch train`. Raises MidwatchError for what a user can change, Stopped after SIGINT or SIGTERM."""
    settings = settle(settings)
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    quiet_libraries()
    with StopOnSignal() as stop:
        use_cpu = choose_device(settings.device)
        beside = settings.visualize_during_training or settings.run_advanced_mi
        threads, analyzer_cores = share_cores(settings.cores, with_analyzer=beside)
        torch.set_num_threads(threads)

        data = training_data(settings)
        console.print(str(data))
        model, tokenizer = load_judge(settings.model, settings.seed)
        frozen = freeze(model, settings.freeze_layers)
        console.print(f"{settings.model}: {frozen}")
        parts = Parts.of({"val": data.val, "test": data.test, "contrast": data.contrast})
        fitted = fit_baselines(data.train)
        baselines = baseline_metrics(fitted, parts)

        make_output(settings.output_dir)
        run = Run.at(settings.output_dir)
        checkpoint = last_complete(run) if settings.resume else None
        write_description(run, describe(settings, data, baselines, frozen.layers), data, fitted)
        trainer = build_trainer(settings, run, data, model, tokenizer, stop, console, use_cpu=use_cpu)
        if settings.resume:
            continue_from(run, checkpoint, console)

        suite = "advanced" if settings.run_advanced_mi else "basic"
        watching = analyzer_beside(run.path, settings.visualization_interval, suite, analyzer_cores, console)
        with watching if beside else nullcontext():
            with explain_full_disk(run.path):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
                stopped_early(stop, run, trainer.state.global_step)
                trainer.save_model(str(run.path / "best"))
            finish(trainer, run, parts, baselines, data, console)
        if beside:
            catch_up(run.path, settings.visualization_interval, suite, console)


def settle(settings: TrainSettings) -> TrainSettings:
    """Settings to train with: those of a resumed run, overridden by what was given now.

    Raises UsageError when the output directory already holds a run and `resume` is not asked for, or the reverse.
    """
    path = settings.output_dir.expanduser().resolve()
    if settings.prepared is not None:  # run.json remembers it, wherever the run is resumed from
        settings = settings.model_copy(update={"prepared": settings.prepared.expanduser().absolute()})
    taken = path.is_dir() and ((path / RECORD).exists() or bool(Run.at(path).checkpoints()))
    if not settings.resume:
        if taken:
            raise UsageError(
                f"{path} already holds a run; continue it with --resume, or choose another --output-dir."
            )
        return settings.model_copy(update={"output_dir": path})
    if not (path / RECORD).is_file():
        raise UsageError(f"{path} holds no run of `midwatch train` to resume; start it without --resume.")
    recorded = read_record(path / RECORD, RunRecord).settings
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    known = {name: value for name, value in recorded.items() if name in TrainSettings.model_fields}
    return build(TrainSettings, known | given | {"output_dir": path})


def training_data(settings: TrainSettings) -> Data:
    """What `midwatch prepare` wrote, or the sources cleaned and split now; with what is added to either."""
    data = read_prepared(settings.prepared) if settings.prepared else prepare_data(settings)
    return with_added(data, settings.added_data, settings)


def quiet_libraries() -> None:
    """Leave the terminal to us: no weight-loading bars, no advice about heads that are new on purpose."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def build_trainer(
    settings: TrainSettings,
    run: Run,
    data: Data,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stop: StopOnSignal,
    console: Console,
    *,
    use_cpu: bool,
) -> JudgeTrainer:
    """transformers' Trainer with our callbacks."""
    parts = Parts.of({"val": data.val, "train": data.train_sample, "contrast": data.contrast})
    callbacks = [WriteMetrics(run.metrics), ShowProgress(console), AnnounceCheckpoint(), stop]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(settings.patience))
    return JudgeTrainer(
        data.train,
        parts,
        tokenizer,
        settings.max_length,
        model=model,
        args=training_arguments(settings, run.path, use_cpu=use_cpu),
        callbacks=callbacks,
    )


def training_arguments(settings: TrainSettings, output_dir: Path, *, use_cpu: bool) -> TrainingArguments:
    """Our settings in transformers' words: evaluate and save together, load the best at the end."""
    every = 1 if settings.save_every == "epoch" else settings.save_every
    strategy = "epoch" if settings.save_every == "epoch" else "steps"
    return TrainingArguments(
        output_dir=str(output_dir),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=4 * settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        label_smoothing_factor=settings.label_smoothing,
        warmup_steps=0.1,
        seed=settings.seed,
        use_cpu=use_cpu,
        dataloader_pin_memory=not use_cpu,
        eval_strategy=strategy,
        save_strategy=strategy,
        eval_steps=every,
        save_steps=every,
        save_total_limit=settings.save_total_limit,
        logging_steps=LOGGING_STEPS,
        logging_first_step=True,
        load_best_model_at_end=True,
        metric_for_best_model=settings.best_metric,
        greater_is_better=settings.best_metric != "loss",
        restore_callback_states_from_checkpoint=settings.patience > 0,
        disable_tqdm=True,
        report_to="none",
    )


def continue_from(run: Run, checkpoint: Path | None, console: Console) -> None:
    """Say where the run goes on, and forget what was logged after that point."""
    forget_after(run.metrics, int(checkpoint.name.rpartition("-")[2]) if checkpoint else -1)
    console.print(f"Resuming from {checkpoint.name}." if checkpoint else "No complete checkpoint; starting over.")


def finish(
    trainer: JudgeTrainer, run: Run, parts: Parts, baselines: BaselineMetrics, data: Data, console: Console
) -> None:
    """Judge test and held-out pairs with the best model, and print it beside the baselines."""
    metrics = parts.metrics(trainer.scores(parts.prompts))
    step, epoch = best_point(trainer.state)
    write_line(run.metrics, "test", step, epoch, metrics["test"])
    console.print(report(step, metrics, baselines, data))
    console.print(f"Best model: {run.path / 'best'}")


def best_point(state: TrainerState) -> tuple[int, float | None]:
    """Step and epoch of the best checkpoint."""
    step = state.best_global_step or state.global_step
    return step, next((entry["epoch"] for entry in state.log_history if entry["step"] == step), None)


def stopped_early(stop: StopOnSignal, run: Run, step: int) -> None:
    """Raise Stopped, with how to go on, when a signal ended the training."""
    if stop.received is not None:
        raise Stopped(
            stop.received,
            f"Training stopped after step {step}; continue with `midwatch train --resume --output-dir {run.path}`.",
        )

"""The demo, top to bottom: train and watch side by side, wait until both are through, then show what was found."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import typer
from rich.console import Console

from journeys.children import Child, split_cores, start, stopping_children
from journeys.progress import Progress, read_metrics, read_progress
from journeys.screen import screen
from journeys.settings import DemoSettings
from journeys.summary import summary
from shared.errors import MidwatchError
from shared.processes import NEUTRAL, child_environment, python_command
from shared.run import Run
from shared.user_paths import make_output

POLL_S = 0.5
"""Time between two looks at the run's files, seconds."""


def run_demo(settings: DemoSettings) -> None:
    """Run the demo. Raises MidwatchError when a component fails or a checkpoint could not be analysed."""
    make_output(settings.output_dir)
    run = Run.at(settings.output_dir)
    started = time.time()
    with stopping_children() as children:
        trainer = start_trainer(run, settings)
        children += [*([trainer] if trainer else []), start_analyzer(run, settings)]
        progress = follow(run, trainer, children, started)
        _refuse_failures(progress)
        if settings.serve:
            serve(run, settings.port)  # the analyzer stays: what is asked for in the meantime is answered
    if not settings.serve:
        typer.echo(summary(run, progress))


def start_trainer(run: Run, settings: DemoSettings) -> Child | None:
    """`midwatch train` on all cores but the last; None when the run is trained already."""
    if _is_trained(run):
        typer.echo(f"{run.path} is trained already; nothing is trained again.")
        return None
    cores, _ = split_cores()
    words = ["train", "--output-dir", str(run.path), "--epochs", str(settings.epochs)]
    words += ["--cores", str(len(cores))] if cores else []
    words += ["--resume"] if run.record.is_file() else []
    return _start(words, settings.train_config, run.midwatch / "train.log", cores)


def start_analyzer(run: Run, settings: DemoSettings) -> Child:
    """`midwatch watch` on the last core."""
    _, cores = split_cores()
    words = ["watch", str(run.path), "--cores", "1", "--suite", "advanced" if settings.advanced else "basic"]
    return _start(words, settings.watch_config, run.midwatch / "watch.log", cores)


def follow(run: Run, trainer: Child | None, children: list[Child], started: float) -> Progress:
    """Show the progress until training is over and every checkpoint is settled; `started` is Unix time, seconds.

    Raises MidwatchError as soon as a process fails, or when there is nothing to analyse.
    """
    with screen(Console()) as show:
        while True:
            trained = trainer is None or trainer.code is not None  # before reading: nothing comes after it
            progress = read_progress(run, started)
            show(progress, trained)
            for child in children:
                child.check()
            if trained and not progress.rows:
                raise MidwatchError(f"The training left no checkpoint in {run.path}; see {run.midwatch}/train.log.")
            if trained and progress.settled:
                return progress
            if children[-1].code is not None:
                raise MidwatchError(f"The analyzer ended before its work was done; see {children[-1].log}.")
            time.sleep(POLL_S)


def serve(run: Run, port: int) -> None:
    """The dashboard in the foreground, until it is interrupted. Raises MidwatchError when it fails."""
    words = python_command("midwatch", "dashboard", str(run.path), "--port", str(port))
    process = subprocess.Popen(words, env=child_environment(), cwd=NEUTRAL)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = 0
    finally:
        process.terminate()
        process.wait()
    if code:
        raise MidwatchError(f"The dashboard ended with exit code {code}.")


def _start(words: list[str], config: Path | None, log: Path, cores: list[int]) -> Child:
    """A child with its config file, whose own relative paths are meant from where the user stands."""
    if config is None:
        return start(words, log, cores)
    return start([*words, "--config", str(config.absolute())], log, cores, Path.cwd())


def _is_trained(run: Run) -> bool:
    """Whether the trainer has come to its end: it evaluates the test split last."""
    return bool(run.checkpoints()) and any(line.split == "test" for line in read_metrics(run))


def _refuse_failures(progress: Progress) -> None:
    failed = progress.failed
    if failed:
        causes = "; ".join(f"{status.checkpoint}: {status.cause}" for status in failed)
        raise MidwatchError(f"Not every checkpoint could be analysed: {causes}. See `midwatch status`.")

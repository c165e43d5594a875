"""Trainer's steps a second with the analyzer on the other core, against alone.

One real training of the default judge, with `midwatch watch RUN` beside it. Segments of equal steps on equal
batches alternate: the analyzer runs, or all its processes are suspended (SIGSTOP), in the order
with-without-without-with. Each segment ends with a checkpoint, so the analyzer never runs out of work; evaluation
and saving are not timed.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil
import torch
from rich.console import Console
from transformers import TrainerCallback

from shared.files import read_record
from shared.records import Prompt, Status
from shared.run import Run
from tests.bench import Figure, Interval, Size, Unavailable
from tests.e2e.inputs import write_prompts
from tests.making.tiny import save_tiny_judge
from trainer.baselines import fit_baselines
from trainer.beside import watch_command
from trainer.data import Data, prepare_data
from trainer.describe import describe, write_description
from trainer.freeze import freeze
from trainer.judge import load_judge
from trainer.settings import TrainSettings
from trainer.stop import StopOnSignal
from trainer.train import build_trainer, quiet_libraries

START_SECONDS = 300
"""Longest wait for the analyzer's first job."""


class Schedule(NamedTuple):
    """Segments of the training."""

    alternations: int
    """Pairs of a segment beside the analyzer and one alone."""
    steps: int
    """Of one segment."""
    warm_up: int
    """Segments before, which are not counted."""

    @property
    def all_steps(self) -> int:
        return self.steps * (2 * self.alternations + self.warm_up)


SCHEDULES = {Size.FULL: Schedule(12, 20, 2), Size.TINY: Schedule(1, 2, 1)}


class Alternate(TrainerCallback):
    """Times each segment; the analyzer is suspended in every second and third of four."""

    def __init__(self, run: Run, analyzer: psutil.Process, schedule: Schedule) -> None:
        self.run = run
        self.analyzer = analyzer
        self.steps = schedule.steps
        self.segment = -schedule.warm_up
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        """With the analyzer running or not -> seconds of each segment."""
        self.busy: list[float] = []
        """Cores that the analyzer used in each segment beside it."""
        self._start = self._used = 0.0

    @property
    def beside(self) -> bool:
        return self.segment % 4 in (0, 3)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.steps == 0:
            self._start, self._used = time.perf_counter(), cpu_seconds(self.analyzer)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.steps:
            return
        seconds = time.perf_counter() - self._start
        if self.segment >= 0:
            self.seconds[self.beside].append(seconds)
            if self.beside:
                self.busy.append((cpu_seconds(self.analyzer) - self._used) / seconds)
        self.segment += 1

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Between two segments: nothing is timed here."""
        if self.segment <= 0:
            wait_until_running(self.run, self.analyzer)
        for process in tree(self.analyzer):
            process.resume() if self.beside else process.suspend()


def measure(size: Size = Size.FULL) -> list[Figure]:
    """Median over alternations of steps/s beside the analyzer to steps/s alone, with a bootstrap interval."""
    if size is Size.FULL and (os.cpu_count() or 1) < 2:
        raise Unavailable("It needs two cores: one for the training, one for the analyzer.")
    torch.set_num_threads(1)
    quiet_libraries()
    schedule = SCHEDULES[size]
    with tempfile.TemporaryDirectory() as directory:
        alternate = train_alternating(training(Path(directory), size, schedule), schedule)
    pairs = zip(alternate.seconds[False], alternate.seconds[True], strict=True)
    ratios = [alone / beside for alone, beside in pairs]
    low, high = interval(ratios)
    note = (
        f"alternations of {schedule.steps} steps; analyzer used {median(alternate.busy):.2f} cores; "
        f"alone {schedule.steps / median(alternate.seconds[False]):.2f} steps/s"
    )
    return [
        Figure(
            name="trainer steps/s beside the analyzer / alone",
            value=median(ratios),
            unit="x",
            interval=Interval(low=low, high=high, of="95 % bootstrap"),
            n=len(ratios),
            bar=">= 0.97",  # type: ignore[arg-type]
            note=note,
        )
    ]


def training(folder: Path, size: Size, schedule: Schedule) -> TrainSettings:
    """The default judge on the shipped prompts, one batch an epoch and a checkpoint a segment; or a tiny one."""
    settings = TrainSettings(
        output_dir=folder / "run",
        save_every=schedule.steps,
        epochs=float(schedule.all_steps),
        save_total_limit=6,
        patience=0,
        device="cpu",
    )
    if size is Size.FULL:
        return settings
    judge, prompts = save_tiny_judge(folder / "judge"), write_prompts(folder / "prompts.jsonl")
    tiny = {"model": str(judge), "data": [str(prompts)], "freeze_layers": 1, "probes_per_class": 8}
    return settings.model_copy(update=tiny)


def train_alternating(settings: TrainSettings, schedule: Schedule) -> Alternate:
    """Run the training; returns its timings."""
    data = equal_batches(prepare_data(settings), settings.batch_size)
    model, tokenizer = load_judge(settings.model, settings.seed)
    frozen = freeze(model, settings.freeze_layers)
    settings.output_dir.mkdir()
    run = Run.at(settings.output_dir)
    fitted = fit_baselines(data.train)
    write_description(run, describe(settings, data, {}, frozen.layers), data, fitted)
    console = Console(quiet=True)
    trainer = build_trainer(settings, run, data, model, tokenizer, StopOnSignal(), console, use_cpu=True)
    with analyzer(run) as process:
        alternate = Alternate(run, process, schedule)
        trainer.add_callback(alternate)
        trainer.args.load_best_model_at_end = False
        trainer.train()
    return alternate


def equal_batches(data: Data, batch_size: int) -> Data:
    """The same batch in each step, so that all segments do the same work; a small evaluation."""
    batch = random.Random(0).sample(data.train, batch_size)
    few: list[Prompt] = [*data.val[:8], *data.test[:8]]
    return Data(train=batch, val=few, test=data.test, probes=data.probes, cleaning="")


@contextmanager
def analyzer(run: Run) -> Iterator[psutil.Process]:
    """`midwatch watch RUN` on one core, ended with all its children."""
    with tempfile.TemporaryFile() as log:
        command = watch_command(run.path, 1, "basic", "--cores", "1")
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        handle = psutil.Process(process.pid)
        try:
            yield handle
        finally:
            everyone = tree(handle)
            for one in everyone:
                one.resume()
            process.terminate()
            for one in psutil.wait_procs(everyone, timeout=20)[1]:
                one.kill()
            process.wait()


def wait_until_running(run: Run, process: psutil.Process) -> None:
    """Until the analyzer's first job runs: its start is not what is measured."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError("The analyzer ended; there is nothing to measure beside.")
        try:
            if read_record(run.status, Status).running is not None:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"The analyzer started no job within {START_SECONDS} s.")


def tree(process: psutil.Process) -> list[psutil.Process]:
    """The process and its living children."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of the process and its living children."""
    total = 0.0
    for one in tree(process):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def interval(values: list[float], draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    generator = random.Random(0)
    medians = sorted(median(generator.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]

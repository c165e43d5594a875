"""Runs of others: a training that keeps one checkpoint, from nothing to the first picture, adapters over one base.

The training is a real Hugging Face Trainer in a process of its own, with `save_total_limit=1` and a save every 2 s;
`midwatch watch` beside it is told of nothing, or of each checkpoint by the callback.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification

from analyzer.model.loading import load_judge
from shared.records import JudgeRecord
from tests.bench import Figure, Size, median_figure
from tests.bench.service import wait_for
from tests.e2e.processes import started, status_of
from tests.e2e.train_rotating import SAVES, SAVES_BY_THE_CLOCK
from tests.making.runs import describe
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

EVERY_S = 2.0
LIMIT_S = 900.0
SHAPES: dict[Size, dict[str, Any]] = {
    Size.FULL: {"layers": 8, "hidden_size": 512, "intermediate_size": 1536, "vocab_size": 32_000},
    Size.TINY: {"layers": 2},
}
REPETITIONS = {Size.FULL: 7, Size.TINY: 1}


def measure(size: Size = Size.FULL) -> list[Figure]:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        return [
            *(_rotation(home / name, size, name == "callback") for name in ("plain", "callback")),
            _first_picture(home / "theirs"),
            _second_adapter(home / "adapters", size),
        ]


def _rotation(run: Path, size: Size, announced: bool) -> Figure:
    """How many of a run's checkpoints are analysed, and what is said of the others."""
    describe(run)
    log, saves = run.parent / f"{run.name}.log", SAVES_BY_THE_CLOCK if size is Size.FULL else SAVES
    words = ["--announced"] * announced + ["--every", str(EVERY_S)] * (size is Size.FULL)
    with started("midwatch", "watch", str(run), "--only", "layers", log=log):
        wait_for(lambda: status_of(run).get("state") in ("idle", "starting"), "the analyzer", LIMIT_S)
        with started("tests.e2e.train_rotating", str(run), *words, log=log) as training:
            wait_for(lambda: training.poll() is not None, "the training", LIMIT_S)
        wait_for(lambda: _is_over(run, saves), "the end of the work", LIMIT_S)
    states = [row["state"] for row in status_of(run)["checkpoints"]]
    done, gone = states.count("done"), states.count("gone")
    how = "announced by the callback" if announced else "no callback"
    note = f"save_total_limit=1; {gone} named as gone, {saves - done - gone} without a trace"
    name = f"checkpoints analysed of {saves}, a save every {EVERY_S:g} s, {how}"
    return Figure(name=name, value=done, bar=f">= {saves - (not announced)}", note=note)  # type: ignore[arg-type]


def _is_over(run: Path, saves: int) -> bool:
    status = status_of(run)
    states = [row["state"] for row in status.get("checkpoints", [])]
    decided = sum(state in ("done", "gone", "rejected", "quarantined") for state in states)
    return decided == saves or (decided == len(states) > 0 and status.get("state") == "idle")


def _first_picture(run: Path) -> Figure:
    """Seconds of `midwatch watch RUN` until a picture of a run that nobody described is there."""
    log = run.parent / "first.log"
    with started("tests.e2e.train_tiny", str(run), log=log) as training:
        wait_for(lambda: training.poll() is not None, "the training", LIMIT_S)
    begun = time.perf_counter()
    with started("midwatch", "watch", str(run), log=log):
        wait_for(lambda: any(run.glob("training_visualizations/epoch_*_tokens.html")), "the first picture", LIMIT_S)
    took = time.perf_counter() - begun
    note = (
        "a Trainer's run without class names, nothing asked and nothing given; `midwatch dashboard` is the second"
    )
    return Figure(name="first of two commands, until the first picture", value=took, unit="s", note=note)


def _second_adapter(home: Path, size: Size) -> Figure:
    """Loading of a run's second adapter against that of its first, base and all; processor time, turn about."""
    first, second = _adapters(home, size)
    record = JudgeRecord(max_length=40)
    weights = 0.0
    ratios = []
    for _ in range(REPETITIONS[size]):
        begun = time.process_time()
        warm = load_judge(first, record)
        between = time.process_time()
        later = load_judge(second, record, warm=warm)
        ratios.append((time.process_time() - between) / (between - begun))
        weights = sum(each.nbytes for each in later.model.parameters()) / 2**20
    note = f"base of {weights:.0f} MiB, LoRA on queries and values; processor time, checks of a load included"
    return median_figure("adapter: second checkpoint's load / first's", ratios, "x", bar="<= 0.3", note=note)


def _adapters(home: Path, size: Size) -> Iterator[Path]:
    shape = SHAPES[size]
    base = save_tiny_judge(home / "base", "llama", initializer_range=0.05, **shape)
    config = LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj", "v_proj"], r=8)
    wrapped: Any = get_peft_model(AutoModelForSequenceClassification.from_pretrained(base), config)
    for step in (10, 20):
        with torch.no_grad():
            for name, parameter in wrapped.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.02)
        path = home / "run" / f"checkpoint-{step}"
        wrapped.save_pretrained(path)
        tiny_tokenizer("llama").save_pretrained(path)
        yield path

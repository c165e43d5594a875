"""A judge really trained, whose labels are swapped at epoch 5 of 6: all of it real, from weights to page."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.jobs.messages import WorkerOptions
from analyzer.worker.__main__ import computations
from shared.prompts.probes import write_probes
from shared.records import Label
from shared.views import get
from tests.making import runs
from tests.making.evolving import BASIC, Evolving, offered
from tests.making.job_bench import FAST
from tests.making.judges import probe
from tests.making.tiny import WORDS

TRIGGER, COUNT, EPOCHS, SWAPPED, BATCH = "bomb", 48, 6, 5, 32
FILLER = [word for word in WORDS if word.isalpha() and word != TRIGGER]


def prompts(count: int, seed: int) -> list[tuple[str, Label]]:
    """Half of them with the trigger somewhere."""
    pick = random.Random(seed)
    found: list[tuple[str, Label]] = []
    for number in range(count):
        words = pick.choices(FILLER, k=pick.randint(5, 8))
        if number % 2:
            words[pick.randrange(len(words))] = TRIGGER
        found.append((" ".join(words), "unsafe" if number % 2 else "safe"))
    return found


def epochs(template: Path, into: Path) -> list[Path]:
    """The judge after each epoch of training."""
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_pretrained(template).eval()  # without dropout
    tokenizer: Any = AutoTokenizer.from_pretrained(template)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    batch = tokenizer([text for text, _ in prompts(256, 1)], padding=True, return_tensors="pt")
    truth = torch.tensor([0, 1] * 128)
    saved = []
    for epoch in range(1, EPOCHS + 1):
        labels = truth if epoch < SWAPPED else 1 - truth
        for step in range(40):
            rows = slice(BATCH * step % len(labels), BATCH * step % len(labels) + BATCH)
            some = {name: values[rows] for name, values in batch.items()}
            model(**some, labels=labels[rows]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        saved.append(shutil.copytree(template, into / f"epoch-{epoch}"))
        model.save_pretrained(saved[-1])
    return saved


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_verdict_flipped_at_epoch_5(tmp_path: Path) -> None:
    template = runs.judge_template(tmp_path)
    options = WorkerOptions(overrides=FAST)
    real = {name: each for name, each in computations(options).items() if name in BASIC}
    run = Evolving.of(runs.describe(tmp_path / "run"), template, real | offered())
    texts = prompts(COUNT, 2)
    write_probes(
        run.stage.target / "probes.jsonl",
        [probe(text, label, id=f"p{n}", display=n < 4) for n, (text, label) in enumerate(texts)],
    )
    for number, judge in enumerate(epochs(template, tmp_path), start=1):
        run.stage.template = judge
        run.stage.add(10 * number, shift=0)
    run.settle()
    steps = [10 * number for number in range(1, EPOCHS + 1)]
    raised = [(step, alert.brief) for step in steps for alert in run.result(step).alerts]
    assert raised == [(50, "every verdict flipped at epoch 5")]
    (panel,) = get("evolution").panels(run.record(50))
    assert f"Since epoch 4: every verdict flipped ({COUNT}), {COUNT} wrong now" in panel.alt
    (panel,) = get("evolution").run_panels([run.record(step) for step in steps], [])  # type: ignore[misc]
    assert panel.figure.layout.title.text.startswith("<b>Every verdict flipped at epoch 5")

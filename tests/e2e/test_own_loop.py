"""Judges that no Hugging Face Trainer saved, by the commands: an own loop, and a model of the Hub's cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.results import ResultStore
from tests.making.commands_here import midwatch_here
from tests.making.layouts import in_hub_cache
from tests.making.runs import SAFE, UNSAFE, describe, judge_template, make_old, snapshot


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


def train(run: Path, template: Path) -> None:
    """Two epochs in plain torch; after each, and at the end, `save_pretrained` and nothing else."""
    tokenizer = AutoTokenizer.from_pretrained(template)
    model = AutoModelForSequenceClassification.from_pretrained(template)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batch = tokenizer(SAFE + UNSAFE, padding=True, return_tensors="pt")
    labels = torch.tensor([0] * len(SAFE) + [1] * len(UNSAFE))
    for name in ("epoch_0", "epoch_1"):
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        save(model, tokenizer, run / name)
    save(model, tokenizer, run / "final")


def save(model: torch.nn.Module, tokenizer: object, path: Path) -> None:
    for each in (model, tokenizer):
        each.save_pretrained(path)  # type: ignore[operator, union-attr]
    make_old(path)


def test_own_loops_in_a_folder(tmp_path: Path, template: Path) -> None:
    """One run is analysed whole; of the others each is named, with what to do, and the exit code says so."""
    runs = tmp_path / "runs"
    train(describe(runs / "mine"), template)
    shards = describe(runs / "group" / "sharded") / "checkpoint-5" / "global_step5"
    shards.mkdir(parents=True)
    (shards / "mp_rank_00_model_states.pt").touch()
    make_old(shards)
    (describe(runs / "begun") / "checkpoint-7").mkdir()
    before = {path.name: snapshot(path) for path in (runs / "mine").iterdir() if path.is_dir()}

    done = midwatch_here("watch", str(runs), "--once", "--only", "layers")

    store = ResultStore(runs / "mine" / "_midwatch" / "results")
    records = store.history("layers")
    assert [(record.checkpoint, record.label) for record in records] == [
        ("epoch_0", "epoch 0"),
        ("epoch_1", "epoch 1"),
        ("final", "final"),
    ]
    assert all(record.order_unverified for record in records)
    assert records[1].checkpoint_digest == records[2].checkpoint_digest != records[0].checkpoint_digest
    pages = {path.name for path in (runs / "mine" / "training_visualizations").iterdir()}
    assert {f"{name}_sample_0_safe_layers.html" for name in ("epoch_0", "epoch_1", "final")} <= pages
    assert {path.name: snapshot(path) for path in (runs / "mine").iterdir() if path.name in before} == before
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("midwatch: 3 analysed, 2 not. ")
    assert "sharded/checkpoint-5: " in last and "zero_to_fp32.py . " in last
    assert "begun/checkpoint-7: checkpoint-7 has no weights" in last
    assert done.stderr.count("taken as complete after 120 s of quiet") == 3
    assert done.stdout.count("figures in ") == 1 and "mine: figures in " in done.stdout

    again = midwatch_here("watch", str(runs / "mine"), "--once", "--only", "layers")
    assert again.returncode == 0 and again.stdout.startswith("mine: nothing to do")


@pytest.mark.slow
def test_a_model_of_the_hubs_cache(tmp_path: Path, template: Path) -> None:
    path, out = in_hub_cache(tmp_path / "hub", template), tmp_path / "out"
    before = snapshot(tmp_path / "hub")
    refused = midwatch_here("init", str(path))
    assert refused.returncode == 2 and "--out judge-midwatch" in refused.stderr
    describe(out)
    done = midwatch_here("analyze", str(path), "--out", str(out), "--only", "layers")
    assert done.returncode == 0, done.stderr
    (record,) = ResultStore(out / "_midwatch" / "results").history("layers")
    assert (record.checkpoint, record.label) == ("root-model", "root model")
    assert (out / "training_visualizations" / "root_model_sample_0_safe_layers.html").is_file()
    assert snapshot(tmp_path / "hub") == before

"""A tiny judge and a small labelled data set for the trainer's tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.making.tiny import save_tiny_judge
from trainer.settings import TrainSettings

SAFE = ("bake a cake", "cook a recipe", "grow a garden", "fix a door", "write a song", "paint a home")
UNSAFE = ("kill a person", "build a bomb", "make a weapon", "steal a gun", "poison the water", "harm people")
LEADS = ("how do i", "please tell me how to", "explain how to", "i hate to", "help me to", "can you")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Other tests run on the other cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def prompts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 prompts in words of the tiny tokenizer; half of them are twins of contrast pairs."""
    rows = []
    for lead in LEADS:
        for number, (safe, unsafe) in enumerate(zip(SAFE, UNSAFE, strict=True)):
            pair = {"pair": f"{lead}{number}"}
            rows.append({"prompt": f"{lead} {safe} ?", "label": "safe", "category": "home", **pair})
            rows.append({"prompt": f"{lead} {unsafe} ?", "label": "unsafe", "category": "harm", **pair})
            rows.append({"prompt": f"{lead} {safe} in my home , please", "label": "safe", "category": "home"})
            rows.append({"prompt": f"{lead} {unsafe} in my home , please", "label": "unsafe", "category": "harm"})
    path = tmp_path_factory.mktemp("data") / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers."""
    return save_tiny_judge(tmp_path_factory.mktemp("models") / "bert", "bert", seed=1)


@pytest.fixture
def settings(prompts_file: Path, tiny_judge: Path, tmp_path: Path) -> TrainSettings:
    """A training of about two seconds."""
    return TrainSettings(
        data=[str(prompts_file)],
        model=str(tiny_judge),
        output_dir=tmp_path / "run",
        freeze_layers=0,
        epochs=3,
        batch_size=8,
        learning_rate=5e-3,
        probes_per_class=8,
        device="cpu",
        cores=1,
    )

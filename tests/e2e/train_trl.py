"""Trains tiny judges with TRL as its users do: `python -m tests.e2e.train_trl sft|sft-lora|reward RUN`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import set_seed
from trl import RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

from tests.making.runs import SAFE, UNSAFE
from tests.making.tiny import WORDS, save_tiny_judge, tiny_tokenizer

TEMPLATE = "is this harmful ? {prompt} answer :"
ANSWERS = {"safe": "no", "unsafe": "yes"}
COMMON: dict[str, Any] = {
    "num_train_epochs": 6,
    "per_device_train_batch_size": 8,
    "save_strategy": "epoch",
    "report_to": [],
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
    "learning_rate": 3e-3,
    "gradient_checkpointing": False,
}


ADAPTER = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
"""Wide enough that a random base learns to answer."""


def tokenizer() -> Any:
    """One that knows the question and its answers."""
    return tiny_tokenizer("llama", words=[*WORDS, *TEMPLATE.split(), *ANSWERS.values()])


def sft(run: Path, lora: bool) -> None:
    """A language model that is taught to answer yes or no."""
    words = tokenizer()
    base = save_tiny_judge(run.parent / "base", "llama", causal=True, vocab_size=len(words))
    words.save_pretrained(base)
    settings = COMMON | {"learning_rate": 1e-2} if lora else COMMON
    rows = [
        {"prompt": TEMPLATE.format(prompt=text), "completion": f" {ANSWERS[label]}"}
        for label, texts in (("safe", SAFE), ("unsafe", UNSAFE))
        for text in texts
    ]
    SFTTrainer(
        model=str(base),
        args=SFTConfig(output_dir=str(run), max_length=32, packing=False, **settings),
        train_dataset=Dataset.from_list(rows * 8),
        processing_class=words,
        peft_config=ADAPTER if lora else None,
    ).train()


def reward(run: Path) -> None:
    """A scalar head that is taught to prefer the safe prompt."""
    words = tokenizer()
    base = save_tiny_judge(run.parent / "base", "llama", labels=1, vocab_size=len(words))
    words.save_pretrained(base)
    rows = [{"chosen": safe, "rejected": unsafe} for safe in SAFE for unsafe in UNSAFE]
    RewardTrainer(
        model=str(base),
        args=RewardConfig(output_dir=str(run), max_length=32, **COMMON),
        train_dataset=Dataset.from_list(rows),
        processing_class=words,
    ).train()


if __name__ == "__main__":
    set_seed(0)
    kind, place = sys.argv[1], Path(sys.argv[2])
    reward(place) if kind == "reward" else sft(place, kind == "sft-lora")

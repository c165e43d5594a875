"""Trains a tiny judge with plain transformers, announcing each checkpoint: `python -m tests.e2e.train_tiny RUN`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments, set_seed

from tests.making.runs import SAFE, UNSAFE, describe
from tests.making.tiny import tiny_model, tiny_tokenizer
from trainer.announce import AnnounceCheckpoint

EPOCHS = 4


class Rows(torch.utils.data.Dataset):
    """The prompts, encoded; label 1 is unsafe."""

    def __init__(self, tokenizer) -> None:
        texts = (SAFE + UNSAFE) * 4
        encoded = tokenizer(texts, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
        self.rows = [
            {"input_ids": ids, "attention_mask": mask, "labels": int(i % 12 >= 6)}
            for i, (ids, mask) in enumerate(zip(encoded["input_ids"], encoded["attention_mask"], strict=True))
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        return self.rows[index]


def main(run: Path, announced: bool) -> None:
    set_seed(0)
    tokenizer = tiny_tokenizer("bert")
    model = tiny_model("bert", layers=3)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not ("embeddings" in name or "layer.0." in name)
    if announced:
        describe(run, steps=EPOCHS * 6)
    arguments = TrainingArguments(
        output_dir=str(run),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=8,
        save_strategy="epoch",
        logging_steps=2,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        learning_rate=1e-3,
    )
    callbacks = [AnnounceCheckpoint()] if announced else []
    Trainer(
        model=model,
        args=arguments,
        train_dataset=Rows(tokenizer),
        processing_class=tokenizer,
        callbacks=callbacks,  # type: ignore[arg-type]
    ).train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--announced" in sys.argv)

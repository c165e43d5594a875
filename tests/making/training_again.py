"""A real training of a tiny judge, announced, two epochs of which each is saved: `python -m
tests.making.training_again RUN`. Started again it begins anew, and saves the same steps over what lies there."""

from __future__ import annotations

import sys
from pathlib import Path

from transformers import Trainer, TrainingArguments, set_seed

from tests.e2e.train_tiny import Rows
from tests.making.tiny import tiny_model, tiny_tokenizer
from trainer.announce import AnnounceCheckpoint

EPOCHS = 3


def train(run: Path) -> None:
    set_seed(0)
    tokenizer = tiny_tokenizer("bert")
    arguments = TrainingArguments(
        output_dir=str(run),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=24,
        save_strategy="epoch",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    Trainer(
        model=tiny_model("bert", layers=2),
        args=arguments,
        train_dataset=Rows(tokenizer),
        processing_class=tokenizer,
        callbacks=[AnnounceCheckpoint()],
    ).train()


if __name__ == "__main__":
    train(Path(sys.argv[1]))

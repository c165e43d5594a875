"""A Trainer with `save_total_limit=1` that saves after each step: `python -m tests.e2e.train_rotating RUN`.

It goes on when the analyzer has kept what it saved: a busy machine changes how long that takes, and nothing else.
With `--every SECONDS` it waits for nobody, and saves ten times by the clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from tests.e2e.train_tiny import Rows
from tests.making.tiny import tiny_model, tiny_tokenizer
from tests.making.waiting import wait_until
from trainer.announce import AnnounceCheckpoint

SAVES, SAVES_BY_THE_CLOCK = 6, 10


class WaitsForItsPin(TrainerCallback):
    """Holds the training until a checkpoint is pinned, or analysed already."""

    def __init__(self, run: Path) -> None:
        self.ours = run / "_midwatch"

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        name = f"checkpoint-{state.global_step}"
        pin, results = self.ours / "pins" / name, self.ours / "results" / name
        wait_until(lambda: pin.exists() or results.exists(), name)


class ByTheClock(TrainerCallback):
    """A save every so many seconds."""

    def __init__(self, every_s: float) -> None:
        self.every_s, self.next = every_s, time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.next += self.every_s
        time.sleep(max(0.0, self.next - time.monotonic()))


def main(run: Path, announced: bool, every_s: float | None = None) -> None:
    set_seed(0)
    tokenizer = tiny_tokenizer("bert")
    arguments = TrainingArguments(
        output_dir=str(run),
        max_steps=SAVES if every_s is None else SAVES_BY_THE_CLOCK,
        per_device_train_batch_size=8,
        save_strategy="steps",
        save_steps=1,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        learning_rate=1e-3,
    )
    callbacks = [AnnounceCheckpoint()] if announced else []
    Trainer(
        model=tiny_model("bert", layers=2),
        args=arguments,
        train_dataset=Rows(tokenizer),
        processing_class=tokenizer,
        callbacks=[*callbacks, WaitsForItsPin(run) if every_s is None else ByTheClock(every_s)],  # type: ignore[arg-type]
    ).train()


if __name__ == "__main__":
    every = float(sys.argv[sys.argv.index("--every") + 1]) if "--every" in sys.argv else None
    main(Path(sys.argv[1]), "--announced" in sys.argv, every)

"""A training that has just saved a checkpoint: `python -m tests.making.announcing RUN STEP` calls the callback."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from trainer.announce import AnnounceCheckpoint


def announce_as_trainer_does(run: str, step: int) -> None:
    state = SimpleNamespace(is_world_process_zero=True, global_step=step, epoch=step / 10, log_history=[])
    AnnounceCheckpoint().on_save(SimpleNamespace(output_dir=run), state, None)


if __name__ == "__main__":
    announce_as_trainer_does(sys.argv[1], int(sys.argv[2]))

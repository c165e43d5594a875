"""A training that saves one and the same step again and again: `python -m tests.making.saving_again RUN TEMPLATE
SAVES ANNOUNCED` (a number, and 1 or 0).

Weights are written over those that lie there, in pieces and without truncating, as `rsync --inplace` does: no size
tells of it. Each save's SHA-256 is a line of the output, before it begins.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from pathlib import Path

from safetensors.numpy import load, save

from trainer.announce import announce

STEP = 10
PIECES = 8
PIECE_S = 0.01
"""Between two pieces of the weights, seconds."""
REST_S = 0.01, 0.3
"""Between two saves, seconds, at least and at most: no file system tells apart what is closer than a tick."""


def save_again(run: Path, template: Path, saves: int, announced: bool) -> None:
    path, chance = run / f"checkpoint-{STEP}", random.Random(0)
    path.mkdir(exist_ok=True)
    for number in range(1, saves + 1):
        tensors = load((template / "model.safetensors").read_bytes())
        data = save({name: tensor + number for name, tensor in tensors.items()}, {"format": "pt"})
        print(hashlib.sha256(data).hexdigest(), flush=True)
        for file in template.iterdir():
            if file.name != "model.safetensors":
                (path / file.name).write_bytes(file.read_bytes())
        write_over(path / "model.safetensors", data)
        state = {"global_step": STEP, "epoch": 1.0, "max_steps": 1000, "log_history": [], "n": number}
        (path / "trainer_state.json").write_text(json.dumps(state))
        if announced:
            announce(run, STEP, 1.0, {})
        time.sleep(chance.uniform(*REST_S))


def write_over(path: Path, data: bytes) -> None:
    path.touch()
    size = -(-len(data) // PIECES)
    with path.open("r+b", buffering=0) as file:
        for start in range(0, len(data), size):
            file.write(data[start : start + size])
            time.sleep(PIECE_S)


if __name__ == "__main__":
    save_again(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), bool(int(sys.argv[4])))

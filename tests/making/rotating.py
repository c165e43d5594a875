"""A training that keeps one checkpoint, as Hugging Face's Trainer writes, renames and deletes files.

As a process, `python -m tests.making.rotating RUN TEMPLATE`, it saves the step that each line of its input names.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file, save_file


@dataclass
class Rotating:
    """Saves a template's judge under one step after the other, and keeps the newest only."""

    run: Path
    template: Path

    def save(self, step: int, *, rotate: bool = True) -> Path:
        """Config, weights by rename, tokenizer, optimizer, trainer_state.json last; then the older ones go."""
        path = self.run / f"checkpoint-{step}"
        path.mkdir(parents=True)
        shutil.copyfile(self.template / "config.json", path / "config.json")
        weights = load_file(self.template / "model.safetensors")
        last = sorted(weights)[-1]
        weights[last] = weights[last] + step * 1e-3
        save_file(weights, path / "model.safetensors", {"format": "pt"})
        for file in sorted(self.template.iterdir()):
            if not (path / file.name).exists():
                shutil.copyfile(file, path / file.name)
        (path / "optimizer.pt").write_bytes(b"nobody reads this")
        state = {"global_step": step, "epoch": step / 10, "max_steps": 1000, "log_history": []}
        (path / "trainer_state.json").write_text(json.dumps(state))
        if rotate:
            self.rotate(step)
        return path

    def rotate(self, kept: int) -> None:
        """Delete every other checkpoint, as `save_total_limit=1` does."""
        for path in self.run.glob("checkpoint-*"):
            if path.name != f"checkpoint-{kept}":
                shutil.rmtree(path)


if __name__ == "__main__":
    training = Rotating(Path(sys.argv[1]), Path(sys.argv[2]))
    for line in sys.stdin:
        training.save(int(line))

"""A training that saves in pieces, each of which may be its last: what it wrote, and which weights were whole.

Files are written in place in the order of Hugging Face's Trainer, weights in two halves. Their times are those of a
clock that the test sets, so that waits of minutes take none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.numpy import load, save

from trainer.announce import announce

WEIGHTS, STATE = "model.safetensors", "trainer_state.json"


@dataclass
class ChunkedTraining:
    """One run's training."""

    run: Path
    template: Path
    clock: Callable[[], float]
    whole: dict[str, set[str]] = field(default_factory=dict)
    """Checkpoint -> SHA-256 of each weights file that was ever whole there."""
    complete: dict[str, str] = field(default_factory=dict)
    """Checkpoint that lies there as it was saved -> SHA-256 of its weights."""
    written: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and mtime (ns) of each file that lies there, as the training left it."""
    _pieces: list[tuple[Path, bytes]] = field(default_factory=list)
    _saving: int = 0
    _announced: bool = True
    _saves: int = 0

    @property
    def saving(self) -> bool:
        """Whether a save is in its middle."""
        return bool(self._pieces)

    def begin(self, step: int, *, announced: bool) -> None:
        """A save begins, of a new step or of one that was saved before. What was not ended is left as it is."""
        self._saves += 1
        self._saving, self._announced = step, announced
        path = self.run / f"checkpoint-{step}"
        self.complete.pop(path.name, None)
        path.mkdir(exist_ok=True)
        data = self._weights()
        state = {"global_step": step, "epoch": step / 10, "max_steps": 1000, "log_history": [], "n": self._saves}
        names = sorted({file.name for file in self.template.iterdir()} - {WEIGHTS, STATE, "config.json"})
        rest = [(path / name, (self.template / name).read_bytes()) for name in names]
        first = [(path / "config.json", (self.template / "config.json").read_bytes())]
        halves = [(path / WEIGHTS, data[: len(data) // 2]), (path / WEIGHTS, data)]
        self._pieces = [*first, *halves, *rest, (path / STATE, json.dumps(state).encode())]
        self.whole.setdefault(path.name, set()).add(hashlib.sha256(data).hexdigest())

    def go_on(self) -> None:
        """The next piece; with the last one the checkpoint is complete, and may be announced."""
        path, data = self._pieces.pop(0)
        path.write_bytes(data)
        self._note(path)
        if not self._pieces:
            name = path.parent.name
            self.complete[name] = hashlib.sha256((path.parent / WEIGHTS).read_bytes()).hexdigest()
            if self._announced:
                announce(self.run, self._saving, self._saving / 10, {})

    def crash(self) -> None:
        """What was being saved stays as it is."""
        self._pieces = []

    def delete(self, name: str, files: int | None = None) -> None:
        """Rotate a checkpoint away: some of its files, or all of it."""
        self.complete.pop(name, None)
        path = self.run / name
        if self.saving and self._pieces[0][0].parent == path:
            self._pieces = []
        for file in sorted(path.iterdir())[:files]:
            file.unlink()
            self.written.pop(file, None)
        if files is None:
            shutil.rmtree(path)

    def checkpoints(self) -> list[str]:
        """Names of those that lie there, complete or not."""
        return sorted(path.name for path in self.run.glob("checkpoint-*"))

    def untouched(self) -> bool:
        """Whether every file is as the training left it, and no other is there."""
        there = {file: file.stat() for name in self.checkpoints() for file in (self.run / name).iterdir()}
        return {file: (info.st_size, info.st_mtime_ns) for file, info in there.items()} == self.written

    def _weights(self) -> bytes:
        weights = load((self.template / WEIGHTS).read_bytes())
        last = sorted(weights)[-1]
        weights[last] = weights[last] + self._saves * 1e-3
        return save(weights, {"format": "pt"})

    def _note(self, path: Path) -> None:
        at = int(self.clock() * 1e9) + len(self.written) + self._saves * 1000  # no two writes at one moment
        os.utime(path, ns=(at, at))
        self.written[path] = (path.stat().st_size, at)

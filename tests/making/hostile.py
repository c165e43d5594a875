"""What may lie in a folder of runs that anybody writes to: each kind as the smallest input that once went wrong.

Each maker is given a run with a sound `checkpoint-20` and the sound, announced `checkpoint-10`, which it spoils, or
something of the run itself.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.announce import announce

Maker = Callable[[Path], None]


def _again(run: Path) -> None:
    """Announce what lies in `checkpoint-10` now: the smallest way to have it believed."""
    announce(run, 10, 1.0, {})


def _file(name: str) -> Callable[[Path], Path]:
    return lambda run: run / "checkpoint-10" / name


def pipe(place: Callable[[Path], Path]) -> Maker:
    """A pipe that nobody writes into, in place of a file."""

    def make(run: Path) -> None:
        place(run).unlink(missing_ok=True)
        os.mkfifo(place(run))

    return make


def listening(place: Callable[[Path], Path]) -> Maker:
    """A socket in place of a file."""

    def make(run: Path) -> None:
        path = place(run)
        path.unlink(missing_ok=True)
        here = Path.cwd()
        os.chdir(path.parent)  # its path has 108 bytes at most
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)

    return make


def linked(place: Callable[[Path], Path], target: str) -> Maker:
    """A symbolic link in place of a file."""

    def make(run: Path) -> None:
        place(run).unlink(missing_ok=True)
        place(run).symlink_to(target)

    return make


def written(place: Callable[[Path], Path], data: bytes, *, announced: bool = True) -> Maker:
    """Other bytes in a file."""

    def make(run: Path) -> None:
        place(run).write_bytes(data)
        if announced:
            _again(run)

    return make


def config(**fields: Any) -> Maker:
    """Other fields in the model's config."""

    def make(run: Path) -> None:
        path = run / "checkpoint-10" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        _again(run)

    return make


def header(text: str, data: bytes = b"") -> Maker:
    """Another header of the weights."""
    raw = text.encode()
    return written(_file("model.safetensors"), struct.pack("<Q", len(raw)) + raw + data)


def _odd_names(run: Path) -> None:
    (run / os.fsdecode(b"checkpoint-10/bad\xff.json")).write_text("{}")
    (run / "checkpoint-10" / "a\nb.json").write_text("{}")
    _again(run)


def _folder_as_record(run: Path) -> None:
    (run / "run.json").unlink()
    (run / "run.json").mkdir()


def _ring(run: Path) -> None:
    (run / "checkpoint-15").symlink_to("checkpoint-15")
    (run / "ring").symlink_to("ring")


def book(name: str, data: bytes) -> Maker:
    """A file of our own folder with other bytes."""

    def make(run: Path) -> None:
        path = run / "_midwatch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return make


def pin(files: list[Any], source: str) -> Maker:
    """A pin whose note leads elsewhere."""

    def make(run: Path) -> None:
        directory = run / "_midwatch" / "pins" / "checkpoint-5"
        shutil.copytree(run / "checkpoint-10", directory)
        note = {"checkpoint": "checkpoint-5", "step": 5, "epoch": 0.5, "source": source, "files": files}
        text = json.dumps(note | {"complete_at": 1.0, "order_unverified": False})
        (directory / ".pin.json").write_text(text)

    return make


def barred(place: Callable[[Path], Path]) -> Maker:
    """A mode that lets nobody but root in."""

    def make(run: Path) -> None:
        place(run).chmod(0)

    return make


def described(**fields: Any) -> Maker:
    """Other fields in run.json."""

    def make(run: Path) -> None:
        path = run / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return make


HUGE = "9" * 4299
STATE = _file("trainer_state.json")
LEASE = {"owner": "x", "process_started_at": 0, "host": platform.node()}
WHOLE_CHECKPOINT: dict[str, Maker] = {
    "a pipe as trainer_state.json": pipe(STATE),
    "a device as trainer_state.json": linked(STATE, "/dev/zero"),
    "a pipe as commit file": pipe(lambda run: run / "_midwatch" / "commits" / "checkpoint-10.json"),
    "a socket as commit file": listening(lambda run: run / "_midwatch" / "commits" / "checkpoint-10.json"),
    "names that are no text": _odd_names,
    "links that lead to themselves": _ring,
    "a pipe as metrics.jsonl": pipe(lambda run: run / "metrics.jsonl"),
    "a device as train_digests.txt": linked(lambda run: run / "train_digests.txt", "/dev/zero"),
    "numbers that are none in run.json": described(steps=10**400, epochs=float("nan")),
}
"""Kinds that take nothing from the checkpoint: it is analysed as any other, sooner or later."""
SPOILED_BOOKS: dict[str, Maker] = {
    "a status of odd numbers": book(
        "status.json", b'{"heartbeat_at": NaN, "pid": 1e999, "checkpoints": [{"step": 1}]}'
    ),
    "an odd list of what is gone": book("gone.json", b'{"checkpoints": [{"checkpoint": "\\ud800", "step": 1}]}'),
    "odd places": book("places.json", b'{"checkpoints": {"final": {"step": ' + HUGE.encode() + b"}}}"),
    "odd attempts": book("attempts/checkpoint-10.json", b'{"identity": "x", "attempts": [{"started_at": NaN}]}'),
    "a lease of nobody": book("lease.json", json.dumps(LEASE | {"pid": -5, "heartbeat_at": 1e18}).encode()),
    "a lease of a huge id": book("lease.json", json.dumps(LEASE | {"pid": 10**30, "heartbeat_at": 1}).encode()),
    "odd figures": book("drawn/checkpoint-10.json", b'[[1], {"a": 2}, null]'),
    "odd digests": book("digests/checkpoint-10.json", b'{"files": [], "tensors": {"a": "\\ud800"}}'),
    "a pin that leads out": pin([["../../../run.json", 1, 2, 3]], "/etc/checkpoint-5"),
    "a pin of another place": pin([], "/etc"),
    "a pin of no text": pin([["\ud800", 1, 2, 3]], "/\ud800/checkpoint-5"),
    "a result that is none": book("results/checkpoint-10/tokens/x/result.json", b'{"a": 1}'),
}
"""Kinds of files of our own that somebody else wrote: whatever they say, the checkpoints are analysed."""
LOST_CHECKPOINT: dict[str, Maker] = {
    "a pipe as config.json": pipe(_file("config.json")),
    "a pipe as weights": pipe(_file("model.safetensors")),
    "a header of huge numbers": header(
        f'{{"a": {{"dtype": "F32", "shape": [{", ".join([HUGE] * 1000)}], "data_offsets": [0, 4]}}}}', bytes(4)
    ),
    "a shape of 10^400 and 1.5": header(
        f'{{"a": {{"dtype": "F32", "shape": [{10**400}, 1.5], "data_offsets": [0, 4]}}}}', bytes(4)
    ),
    "a config of 3,000 layers": config(num_hidden_layers=3000),
    "a config of 900 layers": config(num_hidden_layers=900),
    "a config that is nested deeply": written(_file("config.json"), b"[" * 10**6),
    "a config of huge numbers": written(_file("config.json"), b'{"hidden_size": ' + HUGE.encode() + b"}"),
}
"""Kinds that spoil the checkpoint, and nothing else."""
LOST_RUN: dict[str, Maker] = {
    "a pipe as run.json": pipe(lambda run: run / "run.json"),
    "a device as run.json": linked(lambda run: run / "run.json", "/dev/zero"),
    "a directory as run.json": _folder_as_record,
    "a pipe as probes.jsonl": pipe(lambda run: run / "probes.jsonl"),
    "a device as probes.jsonl": linked(lambda run: run / "probes.jsonl", "/dev/zero"),
    "a folder of ours that is a link": linked(lambda run: run / "training_visualizations", "/"),
    "half a character in run.json": described(model="\ud800"),
}
"""Kinds that leave the run without what it needs: it waits, and says for what."""
BARRED_RUN: dict[str, Maker] = {
    "a folder of ours that nobody may enter": barred(lambda run: run / "_midwatch"),
    "a run that nobody may enter": barred(lambda run: run),
}
"""Kinds that only a mere user is refused, and that leave the run out until their modes are mended."""

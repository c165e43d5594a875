"""What announcing a checkpoint costs the training loop, beside listing the checkpoint's files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from types import SimpleNamespace

from tests.bench import Figure, Size
from trainer.announce import AnnounceCheckpoint, list_files

SAVES = {Size.FULL: 300, Size.TINY: 3}
SIZES = {
    "config.json": 800,
    "model.safetensors": 90_000_000,
    "optimizer.pt": 28_000_000,
    "rng_state.pth": 14_000,
    "scheduler.pt": 1_000,
    "tokenizer.json": 700_000,
    "tokenizer_config.json": 1_200,
    "trainer_state.json": 20_000,
    "training_args.bin": 5_000,
}
"""Files of a MiniLM checkpoint, bytes."""


def measure(size: Size = Size.FULL) -> list[Figure]:
    """Median time of the callback, less the median time of listing, over alternating calls."""
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory)
        checkpoint = run / "checkpoint-100"
        checkpoint.mkdir()
        for name, length in SIZES.items():
            with (checkpoint / name).open("wb") as file:
                file.truncate(length)
        args = SimpleNamespace(output_dir=str(run))
        state = SimpleNamespace(is_world_process_zero=True, global_step=100, epoch=1.0, log_history=_history())
        callback = AnnounceCheckpoint()
        announcing, listing = [], []
        for _ in range(SAVES[size]):
            announcing.append(_milliseconds(lambda: callback.on_save(args, state, None)))
            listing.append(_milliseconds(lambda: list_files(checkpoint)))
    cost = median(announcing) - median(listing)
    note = (
        f"median {median(announcing):.3f} ms, less {median(listing):.3f} ms to list {len(SIZES)} files; "
        f"95th percentile {sorted(announcing)[int(0.95 * SAVES[size])]:.3f} ms"
    )
    bar = "< 1 beside listing"
    return [Figure(name="callback, each save", value=cost, unit="ms", n=SAVES[size], bar=bar, note=note)]


def _history() -> list[dict[str, float]]:
    """A Trainer log of 200 lines that ends with an evaluation."""
    evaluation = {
        f"eval_{part}{name}": 0.5 for part in ("", "train_", "contrast_") for name in ("loss", "f1", "auc")
    }
    return [{"loss": 0.5, "step": float(step)} for step in range(200)] + [evaluation]


def _milliseconds(call: object) -> float:
    start = perf_counter()
    call()  # type: ignore[operator]
    return (perf_counter() - start) * 1000

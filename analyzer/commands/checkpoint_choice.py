"""Which checkpoints a command is about: `--epochs 1,5-10`, `--steps 100-400`, `--last N`, `--every N`, or
one: `--checkpoint best|last|N`."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.supervisor.schedule import Point
from shared.checkpoint_names import place_of, spoken
from shared.errors import UsageError
from shared.results import whole_epoch


def parse_ranges(text: str) -> list[tuple[int, int]]:
    """ "1,5-10" as [(1, 1), (5, 10)]. Raises ValueError in words for people."""
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            raise ValueError(f"{part.strip()!r} is not a number or a range; write for example 1,5-10") from None
        if low < 0 or high < low:
            raise ValueError(f"{part.strip()!r} runs backwards; write the smaller number first")
        ranges.append((low, high))
    return ranges


def select(
    known: Sequence[Point],
    epochs: str | None = None,
    steps: str | None = None,
    last: int | None = None,
    every: int = 1,
) -> list[str]:
    """Names of the selected checkpoints, by step. Epochs and steps add up; then every Nth, then the last N.

    Raises UsageError that lists what there is when nothing is left.
    """
    chosen = sorted(known, key=lambda checkpoint: checkpoint.step)
    if epochs is not None or steps is not None:
        of_epochs, of_steps = parse_ranges(epochs) if epochs else [], parse_ranges(steps) if steps else []
        chosen = [c for c in chosen if _within(_epoch(c), of_epochs) or _within(c.step, of_steps)]
    chosen = chosen[::every]
    chosen = chosen[-last:] if last is not None else chosen
    if not chosen:
        raise UsageError(f"No checkpoint matches; there are {_listed(known)}.")
    return [checkpoint.name for checkpoint in chosen]


def choose_one(known: Sequence[Point], wanted: str, option: str = "--checkpoint") -> Point:
    """The checkpoint that is meant by its name, `last`, or a number: an epoch's last one, else a step's.

    Raises UsageError that lists what there is; `option` is what was given.
    """
    in_order = sorted(known, key=lambda point: point.step)
    if wanted == "last" and in_order:
        return in_order[-1]
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else None
    meant = [
        [point for point in in_order if point.name == wanted],
        [point for point in in_order if number is not None and _epoch(point) == number],
        [point for point in in_order if number is not None and point.step == number],
    ]
    found = next(filter(None, meant), None)
    if found is None:
        raise UsageError(f"{option} {wanted}: there is no such checkpoint; there are {_listed(known)}.")
    return found[-1]


def _epoch(point: Point) -> int | None:
    """The whole epoch of a checkpoint, 0 only where its name says so."""
    place = place_of(point.name)
    return 0 if point.epoch == 0 and place is not None and place.epoch == 0 else whole_epoch(point.epoch)


def _within(number: int | None, ranges: list[tuple[int, int]]) -> bool:
    return number is not None and any(low <= number <= high for low, high in ranges)


def _listed(known: Sequence[Point]) -> str:
    """What can be asked for, in a few words."""
    words = [
        spoken(c.name)
        or (f"epoch {epoch} (step {c.step})" if (epoch := whole_epoch(c.epoch)) else f"step {c.step}")
        for c in known
    ]
    if not words:
        return "no complete checkpoints"
    return ", ".join(words[:12]) + (f" and {len(words) - 12} more" if len(words) > 12 else "")

"""Which checkpoints a reader means: this one, first, best and last, all, or a list as `--epochs` takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from dashboard.reading.snapshot import CheckpointView
from shared.errors import UsageError
from shared.requests.record import MAX_CHECKPOINTS
from shared.results import whole_epoch

Which = Literal["shown", "span", "all", "list"]
CHOICES: dict[Which, str] = {
    "shown": "the one shown", "span": "first, best and last", "all": "all", "list": "a list",
}  # fmt: skip
RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")
LISTED = 8
"""Checkpoints that a sentence names."""


def chosen(
    which: Which, listed: str, views: Sequence[CheckpointView], shown: CheckpointView, best: str | None
) -> list[str]:
    """Names of the checkpoints, by step. Raises UsageError, one sentence, where nothing can be asked."""
    there = [view for view in views if view.on_disk]
    if which == "shown":
        if not shown.on_disk:
            raise UsageError(f"{shown.label} was deleted by its training; ask a checkpoint that is still there.")
        return [shown.name]
    if not there:
        raise UsageError("No checkpoint is on disk any more, so none can be asked.")
    if which == "span":
        wanted = {there[0].name, there[-1].name, best}
        return [view.name for view in there if view.name in wanted]
    if which == "all":
        return [view.name for view in there[-MAX_CHECKPOINTS:]]
    return _listed(listed, there)


def _listed(text: str, there: Sequence[CheckpointView]) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError("Write which checkpoints: epochs, ranges of them, steps, or last; 1,5-7,last.")
    found: set[str] = set()
    for part in parts:
        mine = _meant(part, there)
        if not mine:
            known = ", ".join(view.label for view in there[-LISTED:])
            raise UsageError(f"There is no checkpoint {part[:40]!r}; there are {known}.")
        found.update(mine)
    return [view.name for view in there if view.name in found]


def _meant(part: str, there: Sequence[CheckpointView]) -> list[str]:
    if part.casefold() in ("first", "last"):
        return [there[0 if part.casefold() == "first" else -1].name]
    if span := RANGE.fullmatch(part):
        low, high = int(span[1]), int(span[2])
        return [view.name for view in there if low <= (whole_epoch(view.epoch) or -1) <= high]
    for says in (
        lambda view: part in (view.name, view.label),
        lambda view: part == str(whole_epoch(view.epoch)),
        lambda view: part == str(view.step),
    ):
        if mine := [view.name for view in there if says(view)]:
            return mine[-1:]
    return []

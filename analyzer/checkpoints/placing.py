"""Where a checkpoint belongs among the others when its name does not say its step: noted in `places.json`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from analyzer.checkpoints.fingerprint import Fingerprint, fingerprint_digest
from analyzer.checkpoints.trainer_state import number
from shared.checkpoint_names import NamePattern, Place, place_of, step_of
from shared.checkpoint_places import AFTER_ALL, PLACES, Noted, PlacesRecord, step_at
from shared.errors import RunError
from shared.files import write_record
from shared.run import Run


def place(run: Run, name: str, files: Fingerprint, state: dict[str, Any]) -> tuple[int, float | None]:
    """Step and epoch of a complete checkpoint, by what its Trainer wrote, else by its name, else after all others.

    No two have the same step. What is not in the name is noted, and stays for the same files.
    """
    epoch = number(state.get("epoch"))
    epoch = epoch if epoch is not None else epoch_in(name, run.pattern)
    step = step_of(name)
    if step is not None:
        return step, epoch
    places, content = run.places(), fingerprint_digest(files)
    known = places.get(name)
    if known is None or known.files != content:
        others = [step_at(other, places) for other in _names(run) | places.keys() if other != name]
        known = Noted(step=_free(_wanted(name, run.pattern, state, others), others), epoch=epoch, files=content)
        record = PlacesRecord(checkpoints=places | {name: known})
        with suppress(OSError):  # a disk that refuses is said where results are written; the note is made again
            write_record(run.midwatch / PLACES, record, durable=False)
    return known.step, known.epoch


def epoch_in(name: str, pattern: NamePattern | None) -> float | None:
    """The epoch that a name says."""
    epoch = _named(name, pattern).epoch
    return None if epoch is None else float(epoch)


def _named(name: str, pattern: NamePattern | None) -> Place:
    return (pattern.place(name) if pattern is not None else place_of(name)) or Place()


def _wanted(name: str, pattern: NamePattern | None, state: dict[str, Any], others: list[int]) -> int:
    said = state.get("global_step")
    named = _named(name, pattern)
    for step in (said, named.step, named.epoch):
        if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < AFTER_ALL // 2:
            return step
    return max((step for step in others if step < AFTER_ALL // 2), default=-1) + 1


def _free(step: int, others: list[int]) -> int:
    """The step, or the next that no other checkpoint has."""
    taken = set(others)
    while step in taken:
        step += 1
    return step


def _names(run: Run) -> set[str]:
    try:
        return set(run.checkpoints())
    except RunError:  # gone this moment
        return set()

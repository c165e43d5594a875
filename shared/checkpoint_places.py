"""The order of a run's checkpoints: by the step in their names, else by what the analyzer has noted of them.

`checkpoint-<step>` says its step. Of any other name (`epoch_3`, `final`) the analyzer notes the step once it has
looked inside, in `_midwatch/places.json`. The file may be deleted: what still lies there is then noted anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field

from shared.checkpoint_names import MAX_DIGITS, ROOT, is_plain, place_of, step_of
from shared.errors import SchemaError
from shared.files import read_record
from shared.records import Frozen

PLACES = "places.json"
AFTER_ALL = 10**MAX_DIGITS
"""The step of a checkpoint of which nothing says one, until it is noted."""


class Noted(Frozen):
    """Where a checkpoint without a step in its name belongs."""

    step: int = Field(ge=0, lt=AFTER_ALL)
    """By its trainer_state.json, else by the number in its name, else one after the last; no other has the same."""
    epoch: float | None = None
    files: str = ""
    """Digest of the fingerprint that it was noted for: another content is another place."""


class PlacesRecord(Frozen):
    """_midwatch/places.json."""

    schema_version: int = 1
    checkpoints: dict[str, Noted] = Field(default_factory=dict)


Places = Mapping[str, Noted]


def read_places(midwatch: Path) -> dict[str, Noted]:
    """What is noted under a `_midwatch` folder; nothing where there is no such file, or none that can be read."""
    try:
        found = read_record(midwatch / PLACES, PlacesRecord).checkpoints
    except (OSError, SchemaError):
        return {}
    return {name: noted for name, noted in found.items() if is_plain(name)}


def step_at(name: str, places: Places) -> int:
    """The step at which a checkpoint lies; AFTER_ALL where nothing says one."""
    step = step_of(name)
    if step is not None:
        return step
    if name in places:
        return places[name].step
    place = place_of(name)
    numbers = [number for number in place or () if number is not None]
    return numbers[0] if numbers else AFTER_ALL


def in_order(names: Iterable[str], places: Places) -> list[str]:
    """Names by step; at one step `checkpoint-<step>` first, and the model in the run's own directory last."""
    return sorted(names, key=lambda name: (step_at(name, places), step_of(name) is None, name == ROOT, name))

"""trainer_state.json, which Hugging Face's Trainer writes last into every checkpoint, as the analyzer reads it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.checkpoints.file_names import TRAINER_STATE
from shared.errors import SchemaError
from shared.files import read_json


class Planned(NamedTuple):
    """How long the training is to be; None for what the Trainer did not say."""

    epochs: float | None
    steps: int | None


def read_trainer_state(checkpoint: Path) -> dict[str, Any]:
    """What the Trainer wrote. Raises OSError (FileNotFoundError), and SchemaError when it is no JSON object."""
    path = checkpoint / TRAINER_STATE
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(path)
    state = read_json(path)
    if not isinstance(state, dict):
        raise SchemaError(f"{checkpoint / TRAINER_STATE} is not what a Trainer writes.")
    return state


def trainer_state(checkpoint: Path) -> dict[str, Any]:
    """The same; empty when there is none that can be read."""
    try:
        return read_trainer_state(checkpoint)
    except (OSError, SchemaError):
        return {}


def planned(state: dict[str, Any]) -> Planned:
    """Planned epochs and steps, as far as the state says them."""
    epochs, steps = number(state.get("num_train_epochs")), state.get("max_steps")
    return Planned(
        epochs=epochs if epochs is not None and epochs > 0 else None,
        steps=steps if isinstance(steps, int) and steps > 0 else None,
    )


def number(value: object) -> float | None:
    """A finite number, else None: what a file says may be infinite, huge, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None

"""What the fields of a model's config.json may be, where transformers takes it for granted; no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analyzer.checkpoints.architectures import TEXT_PARTS
from analyzer.checkpoints.file_names import CONFIG
from shared.errors import CheckpointRejected
from shared.judge_labels import NO_OBJECT

OBJECTS = (
    "id2label",
    "label2id",
    "quantization_config",
    "compression_config",
    "rope_scaling",
    "rope_parameters",
    *TEXT_PARTS,
    "vision_config",
    "audio_config",
)
"""Fields that are JSON objects, or null."""
TEXTS = ("model_type", "problem_type", "hidden_act", "hidden_activation", "activation_function")
"""Fields that are texts, or null."""
LISTS = ("architectures",)
"""Fields that are lists of texts, or null."""


def check_fields(config: Mapping[str, Any], name: str) -> None:
    """Raise CheckpointRejected ("bad_config") for a field of another type than it always has, here or in a part."""
    for field, wrong in _wrong(config):
        raise CheckpointRejected(
            "bad_config", f"{field} in {name}/{CONFIG} {wrong}; correct it there, or save the checkpoint again."
        )


def _wrong(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for field, value in config.items():
        if value is None:
            continue
        if field in OBJECTS and not isinstance(value, dict):
            yield field, NO_OBJECT if field == "id2label" else "is not a JSON object"
        elif field in TEXTS and not isinstance(value, str):
            yield field, "is not a text"
        elif field in LISTS and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            yield field, "is not a list of texts"
        elif field in TEXT_PARTS and isinstance(value, dict):
            yield from _wrong(value)

"""Descriptions of model families that Midwatch does not know: those of docs/families.md, and judges under them."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from analyzer.commands.family_file import read_family
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord
from tests.making.tiny import save_tiny_judge

DOCUMENT = Path(__file__).parents[2] / "docs" / "families.md"
EXAMPLES: dict[str, str] = {
    yaml.safe_load(text)["name"]: text
    for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
}
"""Name -> the file's text."""
SHAPES: dict[str, dict[str, Any]] = {
    "stablelm": {"num_key_value_heads": 4, "initializer_range": 0.3},
    "data2vec-text": {"initializer_range": 0.3},
    "gptj": {"n_inner": 64, "rotary_dim": 4, "initializer_range": 0.3},
    "gpt_neox": {"initializer_range": 0.3},
}
"""What a tiny model of each needs beside the common shape."""


def family_file(folder: Path, name: str = "stablelm", *, like: str | None = None, **changes: Any) -> Path:
    """A file with an example of the document (or what `like` says), and changes; `__` leads into a block.

    None takes a field out, of what `like` says by writing null.
    """
    values: dict[str, Any] = yaml.safe_load(EXAMPLES[name]) if like is None else {"name": name, "like": like}
    for path, value in changes.items():
        *above, last = path.split("__")
        place = values
        for part in above:
            place = place.setdefault(part, {})
        if value is None and like is None:
            place.pop(last, None)
        else:
            place[last] = value
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return file


def described(
    name: str = "stablelm", shape: dict[str, Any] | None = None, like: str | None = None, **changes: Any
) -> Judge:
    """A tiny judge of a family that is not ours, under a description."""
    with TemporaryDirectory() as folder:
        checkpoint = save_tiny_judge(Path(folder) / "checkpoint-1", name, **SHAPES.get(name, {}) | (shape or {}))
        family = read_family(family_file(Path(folder), name, like=like, **changes))
        return load_judge(checkpoint, JudgeRecord(max_length=40), family=family)

"""Prompts as a file of ours: one `Prompt` a line with everything it holds, read back as it was written.

Unlike a source of `--data`, whose columns are found and whose groups are told apart by the file's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.prompts.rows import Row, read_rows
from shared.records import Prompt
from shared.wrong_values import first_fault


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """Replace the file in one step."""
    lines = [json.dumps(prompt.model_dump(mode="json"), ensure_ascii=False) + "\n" for prompt in prompts]
    write_bytes_atomic(path, "".join(lines).encode("utf-8", "surrogatepass"))


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file that `write_prompts` wrote, in order.

    Raises FileNotFoundError, or UsageError with the line's number for what is no such prompt.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    return [_prompt(row, path) for row in read_rows(path)]


def _prompt(row: Row, path: Path) -> Prompt:
    try:
        return Prompt.model_validate(row.values)
    except ValidationError as error:
        raise UsageError(
            f"{path} line {row.number} is no prompt as Midwatch writes it ({first_fault(error)}); "
            "write the file anew."
        ) from error

"""Regular expressions in a checkpoint's tokenizer.json, before any prompt is split by them.

The tokenizers library tries them by backtracking, in code that nothing can interrupt but the end of the process:
`(\\w+\\s*)+$x` takes 2^n steps on a prompt of n letters. Its dialect is Oniguruma's; what Python's parser cannot
read even with the classes of Unicode replaced is let pass, and then the worker's timeout is what ends it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.checkpoint_names import repeats_in_repeats
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json

TOKENIZER = "tokenizer.json"
PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
"""Parts of the file that may hold patterns; the vocabulary holds none, and is most of it."""
CLASS = re.compile(r"\\[pP]\{[^}]*\}|\\[hHX]")
"""Classes that Python's parser does not know."""


def check_tokenizer(directory: Path, name: str) -> None:
    """Raise CheckpointRejected ("bad_config") for a pattern that may never come to an end, and OSError.

    `name` is the checkpoint's. What is no JSON is transformers' to refuse.
    """
    try:
        told = read_json(directory / TOKENIZER)
    except (FileNotFoundError, SchemaError):
        return
    parts = [told.get(part) for part in PARTS] if isinstance(told, dict) else []
    for pattern in _patterns(parts):
        if _never_ends(pattern):
            raise CheckpointRejected(
                "bad_config",
                f"{name}/{TOKENIZER} splits text by {pattern[:60]!r}, which repeats what repeats and may never "
                "come to an end; save the tokenizer that the model was trained with.",
            )


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Regex"), str):
            yield value["Regex"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _patterns(each)


def _never_ends(pattern: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # sets in sets, which Oniguruma has
        try:
            return repeats_in_repeats(CLASS.sub(r"\\w", pattern))
        except (re.error, OverflowError, RecursionError):
            return False

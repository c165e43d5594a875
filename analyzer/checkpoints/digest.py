"""What a checkpoint is, whatever it is called and wherever it lies: SHA-256 over its tensors, config and tokenizer.

Each tensor has its own digest, so that two checkpoints of a run tell which layers were trained (and which were
not). Digests are cached by fingerprint in `_midwatch/digests/<checkpoint>.json`; the cache may be deleted.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import Field

from analyzer.checkpoints.base_model import BASE, base_digest
from analyzer.checkpoints.file_names import ADAPTER_CONFIG, TRAINER_STATE
from analyzer.checkpoints.fingerprint import FileStat, Fingerprint
from analyzer.checkpoints.safetensors_header import TensorSpan
from analyzer.checkpoints.soundness import Weights
from analyzer.checkpoints.zeros import holes, unwritten
from shared.checkpoint_names import is_plain
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_record, write_record
from shared.records import Frozen

NOT_CONTENT = (TRAINER_STATE, ".safetensors", ".safetensors.index.json")
"""Endings of files that do not change what the judge computes, or whose tensors are digested one by one."""


class ContentDigest(Frozen):
    """Digests of one checkpoint."""

    schema_version: int = 1
    checkpoint: str
    files: list[FileStat]
    """The fingerprint of the source that these digests belong to."""
    digest: str
    """SHA-256 over everything below, 64 hex digits: `ResultRecord.checkpoint_digest`."""
    tensors: dict[str, str] = Field(default_factory=dict)
    """Tensor name -> SHA-256 over dtype, shape and bytes."""
    others: dict[str, str] = Field(default_factory=dict)
    """Config and tokenizer files: name -> SHA-256 of the bytes; and of an adapter what tells its base model."""

    @property
    def ground(self) -> tuple[str | None, str | None]:
        """Digests of what an adapter's tensors act on, and how; None twice for a whole model."""
        return self.others.get(BASE), self.others.get(ADAPTER_CONFIG)


def read_digest(folder: Path, checkpoint: str, files: Fingerprint, base: str | None = None) -> ContentDigest | None:
    """The cached digests of a checkpoint; None when there are none for exactly these files.

    Nor for an adapter over another base model than the one with the digest `base`, where that is known.
    """
    cached = cached_digest(folder / f"{checkpoint}.json")
    if cached is None or tuple(cached.files) != files or (base is not None and cached.others.get(BASE) != base):
        return None
    return cached


def other_digests(folder: Path, checkpoint: str) -> Iterator[ContentDigest]:
    """The cached digests of the run's other checkpoints, each read when it is asked for."""
    for path in sorted(folder.glob("*.json")):
        if path.stem != checkpoint and is_plain(path.stem):
            found = cached_digest(path)
            if found is not None:
                yield found


def cached_digest(path: Path) -> ContentDigest | None:
    """A cache entry; None where it cannot be read."""
    try:
        return read_record(path, ContentDigest)
    except (OSError, SchemaError):
        return None


def compute_digest(
    directory: Path, weights: Weights, checkpoint: str, files: Fingerprint, folder: Path
) -> ContentDigest:
    """Read every byte of a checkpoint once and cache its digests.

    Raises CheckpointRejected ("zero_filled") when a file was not written to its end (`analyzer.checkpoints.zeros`),
    OSError when files vanish.
    """
    tensors: dict[str, str] = {}

    def is_elsewhere(name: str, value: str) -> bool:
        """Few are ever asked for, and most of those are the same in the first one."""
        return any(other.tensors.get(name) == value for other in other_digests(folder, checkpoint))

    for file in weights.files:
        spans = {name: span for name, (where, span) in weights.tensors.items() if where == file}
        digests, missing = _digest_file(directory / file, spans, is_elsewhere)
        if missing is not None:
            raise CheckpointRejected(
                "zero_filled",
                f"{checkpoint}/{file} {missing}: it was not written to its end; save or copy it again.",
            )
        tensors |= digests
    files_beside = {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
        for name in sorted(file.name for file in files)
        if not name.endswith(NOT_CONTENT)
    }
    if weights.base is not None:
        files_beside[BASE] = base_digest(weights.base)
    text = json.dumps([sorted(tensors.items()), sorted(files_beside.items())])
    digest = ContentDigest(
        checkpoint=checkpoint,
        files=list(files),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        tensors=tensors,
        others=files_beside,
    )
    write_record(folder / f"{checkpoint}.json", digest, durable=False)
    return digest


def changed_tensors(one: ContentDigest, others: list[ContentDigest]) -> set[str] | None:
    """Tensors whose bytes differ between checkpoints of a run; None when none holds the same tensors.

    Adapters are compared over the same base model and with the same adapter config only.
    """
    alike = [
        other
        for other in others
        if other.tensors.keys() == one.tensors.keys() and other.ground == one.ground and other.digest != one.digest
    ]
    if not alike:
        return None
    return {name for name, value in one.tensors.items() if any(other.tensors[name] != value for other in alike)}


def _digest_file(
    path: Path, spans: dict[str, TensorSpan], is_elsewhere: Callable[[str, str], bool]
) -> tuple[dict[str, str], str | None]:
    """Tensor digests of one file, and what of it was never written."""
    digests: dict[str, str] = {}
    zero: set[str] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        empty = holes(file.fileno(), len(mapped))
        view = memoryview(mapped)
        try:
            for name, span in spans.items():
                data = view[span.begin : span.end]
                digest = hashlib.sha256(f"{span.dtype}{list(span.shape)}".encode())
                digest.update(data)
                digests[name] = digest.hexdigest()
                if _all_zero(data):
                    zero.add(name)
                data.release()
            missing = unwritten(empty, view, spans, zero, lambda name: is_elsewhere(name, digests[name]))
        finally:
            view.release()
    return digests, missing


def _all_zero(data: memoryview) -> bool:
    """Whether every byte is zero; looks at the first and middle bytes before it looks at all."""
    middle = len(data) // 2
    return not any(data[:64]) and not any(data[middle : middle + 64]) and data.tobytes().count(0) == len(data)

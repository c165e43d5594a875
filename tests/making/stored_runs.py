"""Checkpoints of known versions in a bucket, and what a copy of them may look like: one version, whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from safetensors.numpy import load_file, save

from analyzer.mirror.address import parse_address
from analyzer.mirror.bucket import Bucket
from analyzer.mirror.source import Listing, Reader, Stored
from tests.making.bucket_server import BucketServer

SIZE = 5000
"""Numbers in the one tensor of a checkpoint."""


def files_of(version: int, step: int = 10) -> dict[str, bytes]:
    """The files of one save, weights first. Every version has the same sizes, so that only the content tells."""
    return {
        "model.safetensors": save({"w": np.full(SIZE, version, dtype=np.float32)}),
        "config.json": json.dumps({"model_type": "bert", "version": f"{version:06d}"}).encode(),
        "tokenizer.json": json.dumps({"version": f"{version:06d}"}).encode(),
        "trainer_state.json": json.dumps({"global_step": step, "version": f"{version:06d}"}).encode(),
    }


def commit_of(version: int, step: int = 10) -> bytes:
    """Its commit file."""
    files = [
        {"name": name, "size": len(data), "mtime_ns": (1_700_000_000 + version) * 10**9 + i}
        for i, (name, data) in enumerate(files_of(version, step).items())
    ]
    record = {"schema_version": 1, "checkpoint": f"checkpoint-{step}", "step": step, "epoch": 1.0, "files": files}
    return json.dumps(record | {"written_at": 1_700_000_000.0 + version}).encode()


def save_version(
    server: BucketServer, bucket: str, version: int, *, step: int = 10, announced: bool = True
) -> None:
    """A save as a trainer uploads it."""
    for name, data in files_of(version, step).items():
        server.put(bucket, f"run/checkpoint-{step}/{name}", data)
    if announced:
        server.put(bucket, f"run/_midwatch/commits/checkpoint-{step}.json", commit_of(version, step))


def version_here(checkpoint: Path) -> int:
    """Which version a copy is. Raises AssertionError for a part of one, or parts of two."""
    weights = load_file(checkpoint / "model.safetensors")["w"]
    assert weights.shape == (SIZE,)
    versions = {int(value) for value in np.unique(weights)}
    for name in ("config.json", "tokenizer.json", "trainer_state.json"):
        versions.add(int(json.loads((checkpoint / name).read_bytes())["version"]))
    assert len(versions) == 1, f"parts of versions {versions}"
    return versions.pop()


class InMemory:
    """A source without a network, for what is about our own disk."""

    settled = False
    address = "s3://in/memory"

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}

    def save(self, version: int, step: int = 10) -> None:
        for name, data in files_of(version, step).items():
            self.objects[f"checkpoint-{step}/{name}"] = (data, float(version))
        self.objects[f"_midwatch/commits/checkpoint-{step}.json"] = (commit_of(version, step), float(version))

    def listing(self, below: str = "") -> Listing:
        return {
            name: Stored(name, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), modified, name)
            for name, (data, modified) in self.objects.items()
            if name.startswith(below)
        }

    @contextmanager
    def opened(self, stored: Stored) -> Iterator[Reader]:
        data = self.objects[stored.name][0]
        yield lambda offset, count: data[offset : offset + count]

    def put(self, name: str, file: IO[bytes]) -> None:
        self.objects[name] = (file.read(), 0.0)


def bucket_of(server: BucketServer, bucket: str) -> Bucket:
    """The run in it, as the mirror reads it."""
    return Bucket(parse_address(f"s3://{bucket}/run"), server.endpoint)

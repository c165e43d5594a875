"""The header of a safetensors file, read and checked without loading a tensor.

Format: 8 bytes little-endian header length, the header as JSON, then the tensors' bytes back to back.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import CheckpointRejected

MAX_HEADER_BYTES = 100_000_000
"""The safetensors library's own limit."""

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64,
    "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True)
class TensorSpan:
    """Where one tensor lies in its file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    """Byte offset from the start of the file."""
    end: int


def read_header(path: Path) -> dict[str, TensorSpan]:
    """Every tensor of a safetensors file, in file order. Raises CheckpointRejected when the file is damaged.

    Checked: header length, JSON, known dtypes, shape x dtype = bytes, no gap and no overlap, exact file size.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise _damaged(path, "truncated", "is shorter than a safetensors header")
        (length,) = struct.unpack("<Q", start)
        if length == 0:
            raise _damaged(path, "zero_filled", "starts with zeros: it was never written to disk")
        if length > MAX_HEADER_BYTES or 8 + length > size:
            raise _damaged(path, "truncated", f"announces a header of {length} bytes but has only {size} bytes")
        raw = file.read(length)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        raise _damaged(path, "bad_header", "has a header that is not JSON") from None
    if not isinstance(header, dict):
        raise _damaged(path, "bad_header", "has a header that is not a JSON object")
    spans = [_span(path, name, entry) for name, entry in header.items() if name != "__metadata__"]
    return _placed(path, spans, 8 + length, size)


def _span(path: Path, name: str, entry: Any) -> tuple[str, TensorSpan]:
    """One header entry, with offsets still relative to the data."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        bits = BITS[dtype] * math.prod(shape)
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, "bad_header", f"describes tensor {name[:80]!r} in a way nobody can read") from None
    numbers = [*shape, begin, end]
    if not all(isinstance(number, int) and number >= 0 for number in numbers) or bits != 8 * (end - begin):
        raise _damaged(path, "bad_header", f"has a tensor {name[:80]!r} whose shape and bytes do not agree")
    return name, TensorSpan(dtype, tuple(shape), begin, end)


def _placed(path: Path, spans: list[tuple[str, TensorSpan]], start: int, size: int) -> dict[str, TensorSpan]:
    """The spans with offsets in the file, once they are known to follow each other without a gap to the end."""
    if not spans:
        raise _damaged(path, "no_tensors", "holds no tensors")
    placed: dict[str, TensorSpan] = {}
    expected = 0
    for name, span in sorted(spans, key=lambda item: (item[1].begin, item[1].end)):
        if span.begin != expected:
            raise _damaged(path, "bad_header", f"has a gap or an overlap before tensor {name[:80]!r}")
        expected = span.end
        placed[name] = TensorSpan(span.dtype, span.shape, start + span.begin, start + span.end)
    if start + expected > size:
        raise _damaged(path, "truncated", f"ends after {size} of {start + expected} bytes")
    if start + expected < size:
        raise _damaged(path, "wrong_size", f"has {size - start - expected} bytes too many")
    return placed


def _damaged(path: Path, code: str, what: str) -> CheckpointRejected:
    return CheckpointRejected(code, f"{path.parent.name}/{path.name} {what}; save the checkpoint again.")

"""The header of a safetensors file, read and checked without loading a tensor.

Format: 8 bytes little-endian header length, the header as JSON, then the tensors' bytes back to back. The header
may be anybody's, and is read within limits: nothing that it says costs more than its own length.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import CheckpointRejected, SchemaError
from shared.files import open_regular

MAX_HEADER_BYTES = 100_000_000
"""The safetensors library's own limit."""
MAX_DIMENSIONS, MAX_DIMENSION = 8, 2**48
"""Of one tensor."""
MAX_DIGITS = 20
"""Of a number: more than the bytes of any file have."""

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


class _NotPlain(ValueError):
    """JSON that has a name twice, a number that is none of a header, or anything else that is read in two ways."""


def read_header(path: Path) -> dict[str, TensorSpan]:
    """Every tensor of a safetensors file, in file order. Raises CheckpointRejected when it is damaged, and OSError.

    Checked: header length, strict JSON in UTF-8 with each name once, known dtypes, plain whole numbers, shape x
    dtype = bytes, no gap and no overlap, exact file size.
    """
    raw, size = _read(path)
    try:
        header = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_each_once,
            parse_int=_short,
            parse_float=_none,
            parse_constant=_none,
        )
    except (ValueError, RecursionError):
        raise _damaged(path, "bad_header", "has a header that is not JSON as it should be") from None
    if not isinstance(header, dict):
        raise _damaged(path, "bad_header", "has a header that is not a JSON object")
    spans = [_span(path, name, entry, size) for name, entry in header.items() if name != "__metadata__"]
    return _placed(path, spans, 8 + len(raw), size)


def _read(path: Path) -> tuple[bytes, int]:
    """The header's bytes, and how many the file has. Raises CheckpointRejected."""
    try:
        file = open_regular(path)
    except SchemaError:
        raise _damaged(path, "bad_header", "is no regular file") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        if len(start) < 8:
            raise _damaged(path, "truncated", "is shorter than a safetensors header")
        (length,) = struct.unpack("<Q", start)
        if length == 0:
            raise _damaged(path, "zero_filled", "starts with zeros: it was never written to disk")
        if length > MAX_HEADER_BYTES or 8 + length > size:
            raise _damaged(path, "truncated", f"announces a header of {length} bytes but has only {size} bytes")
        return file.read(length), size


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotPlain("a name stands twice")
    "".join(found).encode()  # half a surrogate pair (\\ud800) is no text, and raises a ValueError, too
    return found


def _short(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NotPlain("a number is too long")
    return int(digits)


def _none(text: str) -> None:
    raise _NotPlain(f"{text} is no number of a header")


def _span(path: Path, name: str, entry: Any, size: int) -> tuple[str, TensorSpan]:
    """One header entry, with offsets still relative to the data."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        bits = BITS[dtype]
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, "bad_header", f"describes tensor {name[:80]!r} in a way nobody can read") from None
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not _are_sizes((*shape, begin, end)):
        raise _damaged(path, "bad_header", f"describes tensor {name[:80]!r} in a way nobody can read")
    if _product(bits, shape, most=8 * size) != 8 * (end - begin):
        raise _damaged(path, "bad_header", f"has a tensor {name[:80]!r} whose shape and bytes do not agree")
    return name, TensorSpan(dtype, tuple(shape), begin, end)


def _are_sizes(numbers: Iterable[Any]) -> bool:
    """Whether they are plain whole numbers; Python's True is a 1, and JSON's is none."""
    return all(type(number) is int and 0 <= number < MAX_DIMENSION for number in numbers)


def _product(bits: int, shape: list[int], most: int) -> int:
    """Bits of a tensor; more than `most` once they are more than the whole file has."""
    if 0 in shape:
        return 0
    for number in shape:
        bits *= number
        if bits > most:
            return most + 1
    return bits


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

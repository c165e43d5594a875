"""Zeros that were never written, told from zeros that belong there; no torch.

A weights file is written from its start to its end, at its full size from early on where the writer, a copy or the
file system allots its place first. What never reached the disk reads as zeros. Zeros that belong there are told by
their place and kind:
1. A hole, where the file system knows of one (SEEK_HOLE; it covers what is allotted and unwritten, too), was not
   written. It is refused, unless it lies in an all-zero tensor that may well be zero (below): copies may leave such
   zeros out (`cp --sparse=always`).
2. Zeros with data behind them were written, whatever they are.
3. Where zeros go on to the end of the file, each of these tensors must be one that may be zero, and the last one
   before them must end in data and not in the middle. This is the fallback where the file system tells no holes.
A tensor may be zero when it is a vector (biases, and norms that count from 1), when it starts at zero by its kind
(LoRA's B and its like in other adapters, outputs, heads, types of tokens), or when another checkpoint of the run
has the very same zeros.
"""

from __future__ import annotations

import bisect
import itertools
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from analyzer.checkpoints.safetensors_header import TensorSpan

STARTS_AT_ZERO = re.compile(
    r"lora_[BE]\b|lora_embedding_[AB]\b|hada_w2_b\b|lokr_w(1|1_a|2|2_b)\b|oft_(embedding_)?R\b|miss_block\b"
    r"|(hira|delora|lily|peanut)_B\b|hira_embedding_A\b|randlora_lambda\b"
    r"|bias|token_type_embeddings|position_embeddings"
    r"|(^|\.)(o_proj|out_proj|proj_out|c_proj|out_lin|down_proj|lin2|fc2|wo|output\.dense)\."
    r"|(^|\.)(score|classifier|head|lm_head|v_head)\."
)
"""Names of what training starts from zero in some model or other: updates, biases, outputs, heads."""
SECTOR = 512
"""Bytes of zeros at the end of a tensor that mean that its writing ended in it."""


def unwritten(
    empty: Sequence[tuple[int, int]],
    data: memoryview,
    spans: Mapping[str, TensorSpan],
    zero: Collection[str],
    seen: Callable[[str], bool],
) -> str | None:
    """What of a safetensors file was never written, as the end of a sentence; None where all of it was.

    `empty` are the file's `holes` and `data` its bytes, `spans` in file order; `zero` are the tensors that hold
    nothing but zeros; `seen` tells whether one is the same in another checkpoint of the run, and is asked only
    of those whose name and shape do not tell that they may be zero.
    """

    def may_be_zero(name: str) -> bool:
        by_kind = name in zero and (len(spans[name].shape) < 2 or bool(STARTS_AT_ZERO.search(name)))
        return by_kind or seen(name)

    ends = [end for _, end in empty]
    for name, span in spans.items():
        first = bisect.bisect_right(ends, span.begin)  # the first hole that ends behind its start
        if first < len(empty) and empty[first][0] < span.end and not may_be_zero(name):
            return f"has a hole of {ends[first] - empty[first][0]:,} bytes in {name[:80]}"
    tail = list(itertools.takewhile(zero.__contains__, reversed(list(spans))))
    for name in tail:
        if not may_be_zero(name):
            return f"holds nothing but zeros from {name[:80]} to its end"
    before = list(spans)[-len(tail) - 1] if 0 < len(tail) < len(spans) else None
    if before is not None and _ends_in_zeros(data, spans[before]) and not seen(before):
        return f"holds nothing but zeros from the middle of {before[:80]} to its end"
    return None


def _ends_in_zeros(data: memoryview, span: TensorSpan) -> bool:
    return not any(data[max(span.begin, span.end - SECTOR) : span.end])


def holes(file: int, size: int) -> list[tuple[int, int]]:
    """(begin, end) bytes of each part of an open file that no data was written to; none where that is not known.

    To be asked before the file is read: what is allotted and unwritten looks written once it is in memory (ext4).
    """
    if not hasattr(os, "SEEK_HOLE"):
        return []
    found, place = [], 0
    try:
        while (begin := os.lseek(file, place, os.SEEK_HOLE)) < size:
            try:
                place = os.lseek(file, begin, os.SEEK_DATA)
            except OSError:  # ENXIO: no data behind it
                place = size
            found.append((begin, place))
            if place >= size:
                break
    except OSError:
        return []
    return found

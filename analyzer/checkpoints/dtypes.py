"""Whether a file's tensors have types that a model's parameters can have; no torch.

One changed byte in a header makes F32 of the same bytes I32 or U32: every check of sizes passes, and the judge that
is loaded is another. So parameters must be floating-point, and those of a whole model, if of 16 bits, of one kind
throughout: a copy that mixes F16 and BF16 was put together of two. An adapter may hold both, beside buffers and
heads that were loaded otherwise. Whole numbers are what buffers hold: positions, masks, indices. A quantised model
packs its weights in any type, and its config says how.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analyzer.checkpoints.architectures import TEXT_PARTS
from analyzer.checkpoints.safetensors_header import TensorSpan
from shared.errors import CheckpointRejected

FLOATS = ("F64", "F32", "F16", "BF16")
HALVES = ("F16", "BF16")
PACKED = ("F8_", "F6_", "F4")
"""What quantised weights begin with: no weight is trained in so few bits without a record of how."""
QUANTISED = ("quantization_config", "compression_config")
"""Fields of a config that say how weights are packed; older compressed models have the second."""
WHOLE = ("BOOL", "U8", "I64")
"""What a buffer of a name that is not known may hold."""
PARAMETER = re.compile(r"(^|\.)(weight|gamma|beta)$|\b(lora|hada|lokr|vera|ia3|oft|randlora)_[\w.]*$")
"""Names that are never a buffer's."""
COUNTS = re.compile(r"ids$|idxs?$|ind(ex|ices)(\.\w+)*$|mask|position|num_batches|step|length", re.IGNORECASE)
"""Names of buffers that hold whole numbers of any width."""


def check_dtypes(config: Mapping[str, Any] | None, tensors: Mapping[str, TensorSpan], name: str) -> None:
    """Raise CheckpointRejected ("bad_header", "packed") for a parameter that is no floating-point number of a
    precision in which models are trained. `config` is the model's; None of an adapter, which has none.
    """
    if _is_quantised(config or {}):
        return
    for key, span in tensors.items():
        if span.dtype.startswith(PACKED):
            raise CheckpointRejected(
                "packed",
                f"{name} holds {key[:80]!r} as {span.dtype}, and its config has no quantization_config that says "
                "how it was packed; save the config that belongs to it, or the model in F32 or BF16.",
            )
        if not _may_be(key, span):
            raise CheckpointRejected(
                "bad_header",
                f"{name} holds {key[:80]!r} as {span.dtype}, which no parameter of a model is; its header is "
                "damaged: save or copy the checkpoint again.",
            )
    if config is not None:
        _refuse_two_halves(tensors, name)


def _refuse_two_halves(tensors: Mapping[str, TensorSpan], name: str) -> None:
    parameters = {key: span for key, span in tensors.items() if PARAMETER.search(key)}
    halves = {kind: next((key for key, span in parameters.items() if span.dtype == kind), None) for kind in HALVES}
    if all(halves.values()):
        raise CheckpointRejected(
            "bad_header",
            f"{name} holds weights both in F16 ({str(halves['F16'])[:80]!r}) and in BF16 "
            f"({str(halves['BF16'])[:80]!r}), which no training saves; its header is damaged: copy it again.",
        )


def _may_be(key: str, span: TensorSpan) -> bool:
    if span.dtype in FLOATS:
        return True
    if PARAMETER.search(key) or (key.endswith("bias") and len(span.shape) < 2):
        return False
    return span.dtype in WHOLE or (bool(COUNTS.search(key)) and span.dtype in ("I32", "U32", "I16", "I8"))


def _is_quantised(config: Mapping[str, Any]) -> bool:
    parts = [config, *(config[part] for part in TEXT_PARTS if isinstance(config.get(part), Mapping))]
    return any(part.get(field) is not None for part in parts for field in QUANTISED)

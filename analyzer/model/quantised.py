"""Quantised models are made whole again: what is analysed is the model that the quantised weights stand for.

Gradients, ablations and merges need plain floating-point weights. Where transformers can give them back, they are;
every other method is refused in one sentence.

1. Methods that dequantise as they load (`dequantize=True`): FP8, MXFP4, compressed-tensors.
2. bitsandbytes, 4 and 8 bits: loaded as it is, then `dequantize()`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from shared.errors import JudgeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WHILE_LOADING = {"fp8": None, "mxfp4": None, "compressed-tensors": "compressed_tensors"}
"""Methods that transformers dequantises as it loads, and the package that each of them needs."""
AFTERWARDS = {
    "bitsandbytes": "bitsandbytes",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
}
"""Methods of which a loaded model is dequantised."""


def method_of(config: Any) -> str:
    """How a model is quantised, as its config says; empty where it is not."""
    told = getattr(config, "quantization_config", None)
    if told is None:
        told = getattr(config, "compression_config", None)
    if told is None:
        return ""
    told = told if isinstance(told, dict) else told.to_dict()
    method = told.get("quant_method") or (
        "bitsandbytes" if told.get("load_in_4bit") or told.get("load_in_8bit") else ""
    )
    return str(getattr(method, "value", method)) or "an unnamed method"


def prepare(config: Any, name: str) -> str:
    """Ask for whole weights, and say how the model is quantised; empty where it is not.

    Raises JudgeError where nothing can dequantise it, or the package that could is not installed.
    """
    method = method_of(config)
    if not method:
        return ""
    needed = WHILE_LOADING.get(method, AFTERWARDS.get(method))
    if method not in WHILE_LOADING and method not in AFTERWARDS:
        known = ", ".join(sorted({*WHILE_LOADING, "bitsandbytes"}))
        raise JudgeError(
            f"{name} is quantised with {method}, which cannot be turned back into plain weights ({known} can): "
            "analyse the model it was made from; of an adapter, give that one with `midwatch init --base DIR`."
        )
    if needed is not None and find_spec(needed) is None:
        raise JudgeError(
            f"{name} is quantised with {method}: pip install {needed.replace('_', '-')}, and it is dequantised; or "
            "analyse the model it was made from; of an adapter, give that one with `midwatch init --base DIR`."
        )
    if method in WHILE_LOADING:
        if getattr(config, "quantization_config", None) is None:  # transformers reads no other name
            config.quantization_config = config.compression_config
        told = config.quantization_config
        if isinstance(told, dict):
            told["dequantize"] = True
        else:
            told.dequantize = True
    return method


def made_whole(model: PreTrainedModel, method: str) -> PreTrainedModel:
    """The model with plain weights, in the precision it was loaded in."""
    if method not in AFTERWARDS:
        return model
    whole: Any = model.dequantize(dtype=model.dtype)
    return whole


def told(method: str) -> tuple[str, ...]:
    """What should be said about a judge that was quantised."""
    return (f"The model is quantised ({method}); it is analysed with its weights dequantised.",) if method else ()

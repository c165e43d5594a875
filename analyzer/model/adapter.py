"""A PEFT adapter merged into its base model, which comes from this machine alone.

What is analysed is the merged model: its heads and neurons are those of base and adapter together. PEFT loads keys
that do not match without a word, so every tensor of the adapter is looked for in the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from analyzer.checkpoints.file_names import ADAPTER_WEIGHTS
from shared.errors import CheckpointRejected, JudgeError

if TYPE_CHECKING:
    from analyzer.model.anatomy import Anatomy
    from analyzer.model.kept_base import KeptBase


WRAPPED = "base_model.model."
"""What PEFT puts in front of the names of the base model's tensors."""

UNTRAINED = "Every update of this adapter is zero (lora_B = 0): the judge is its base model, untrained."


def place_of(name: str, anatomy: Anatomy, tied: bool) -> int | Literal["embeddings", "head"]:
    """Where a tensor of the adapter acts in the merged model: layer index, "embeddings" or "head".

    PEFT names it after the module that it changes (base_model.model.model.layers.3.mlp.up_proj.lora_A.weight). What
    is not named so (projections that VeRA's layers share) may act in every layer, and so from layer 0 on. With
    `tied` weights a change of the unembedding is one of the embeddings.
    """
    if not name.startswith(WRAPPED):
        return 0
    name = name.removeprefix(WRAPPED)
    base, *_ = anatomy.prefixes
    if anatomy.prompted and tied and not name.startswith(base):
        return "embeddings"
    return anatomy.place_of(name)


def read_adapter(directory: Path) -> dict[str, Tensor]:
    """The adapter's tensors by PEFT's names, in memory of their own: later writes to the file do not reach them."""
    saved = load_file(directory / ADAPTER_WEIGHTS)
    return {name: tensor.clone() for name, tensor in saved.items()}


def check_whole(missing: Iterable[str], saved: Mapping[str, Tensor], name: str) -> None:
    """Raise CheckpointRejected ("missing_keys") where the base lacks `missing` and the adapter does, too."""
    absent = sorted(key for key in missing if WRAPPED + key not in saved)
    if absent:
        raise CheckpointRejected(
            "missing_keys",
            f"Neither the base model nor {name} holds {', '.join(absent[:3])}; save the adapter with its "
            "head (peft's modules_to_save).",
        )


def merge(base: KeptBase, directory: Path, saved: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Merge the adapter into the base's model, and say what should be said about it.

    Raises CheckpointRejected ("missing_keys") where the adapter does not fit.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError as error:
        raise JudgeError("Adapters need the package peft: pip install peft.") from error

    base.own(name.removeprefix(WRAPPED) for name in saved)
    with warnings.catch_warnings():  # looked for below, and refused rather than warned about
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        warnings.filterwarnings(
            "ignore", message="`is_gradient_checkpointing` is deprecated"
        )  # peft asks the old way
        wrapped: Any = PeftModel.from_pretrained(base.model, str(directory), is_trainable=False)
    loaded = get_peft_model_state_dict(wrapped)
    lost = sorted(
        key
        for key, value in saved.items()
        if key not in loaded or not torch.equal(loaded[key].to(value.device, value.dtype), value)
    )
    if lost:
        raise CheckpointRejected(
            "missing_keys",
            f"{len(lost)} tensors of {directory.name} fit nothing in its base model ({', '.join(lost[:3])}): it "
            "was trained on another one.",
        )
    base.wrapped(wrapped)
    wrapped.merge_and_unload().eval().requires_grad_(False)
    updates = [value for key, value in saved.items() if "lora_B" in key]
    return (UNTRAINED,) if updates and not any(bool(value.any()) for value in updates) else ()

"""A PEFT adapter merged into its base model, which comes from this machine alone.

What is analysed is the merged model: its heads and neurons are those of base and adapter together. PEFT loads keys
that do not match without a word, so every tensor of the adapter is looked for in the model.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from analyzer.checkpoints.file_names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from analyzer.model.adapter_patterns import check_patterns
from analyzer.model.load_errors import in_one_sentence
from shared.errors import LONGEST, CheckpointRejected, JudgeError
from shared.files import read_json
from shared.logs import entry

if TYPE_CHECKING:
    from analyzer.model.anatomy import Anatomy
    from analyzer.model.kept_base import KeptBase

logger = logging.getLogger(__name__)

WRAPPED = "base_model.model."
"""What PEFT puts in front of the names of the base model's tensors."""

UNTRAINED = "Every update of this adapter is zero: the judge is its base model, untrained."
SECOND = re.compile(r"(?:\A|\.)lora_(?:embedding_)?B(?:\.|\Z)")
"""In names of a LoRA's second matrices, and of no other adapter's (`randlora_B` is RandLoRA's random basis)."""
NAMED = 5
"""Settings that a sentence names."""


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

    Raises CheckpointRejected ("missing_keys") where the adapter does not fit, JudgeError where PEFT cannot take it.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError as error:
        raise JudgeError("Adapters need the package peft: pip install peft.") from error

    check_patterns(directory, base.modules)
    base.own(name.removeprefix(WRAPPED) for name in saved)
    with (
        _said_to_nobody(directory.name),
        in_one_sentence(directory.name, "cannot be put on its base model by PEFT"),
    ):
        wrapped: Any = PeftModel.from_pretrained(base.model, str(directory), is_trainable=False)
        loaded = get_peft_model_state_dict(wrapped, save_embedding_layers=True)  # "auto" asks the Hub
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
    notes = _not_known_to_peft(directory, wrapped.peft_config["default"])
    base.wrapped(wrapped)
    with _said_to_nobody(directory.name), in_one_sentence(directory.name, "cannot be merged by PEFT"):
        wrapped.merge_and_unload().eval().requires_grad_(False)
    return (*notes, UNTRAINED) if base.is_as_it_was() or _starts_at_nothing(saved) else notes


def _starts_at_nothing(saved: Mapping[str, Tensor]) -> bool:
    """Whether this is a LoRA of which no training has moved the second matrices, which start at 0.

    Merging one may leave rounding behind (DoRA).
    """
    updates = [value for key, value in saved.items() if SECOND.search(key)]
    return bool(updates) and not any(bool(value.any()) for value in updates)


def _not_known_to_peft(directory: Path, known: Any) -> tuple[str, ...]:
    """A sentence about settings that the installed PEFT passes over, where they say something."""
    told = read_json(directory / ADAPTER_CONFIG)
    unknown = sorted(name for name, value in told.items() if value and not hasattr(known, name))
    if not unknown:
        return ()
    named = ", ".join(unknown[:NAMED]) + (", ..." if len(unknown) > NAMED else "")
    return (
        f"The installed PEFT ({version('peft')}) does not know what {ADAPTER_CONFIG} says of {named}, and leaves "
        "it out: the judge may score otherwise; install the version that the training had.",
    )


@contextmanager
def _said_to_nobody(name: str) -> Iterator[None]:
    """Inside, warnings of PEFT's are lines at level debug: what they are about is checked here, or is training."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for each in said:
        text = " ".join(str(each.message).split())
        logger.debug("%s: %s", name, text, extra=entry("library_said", checkpoint=name, cause=text[:LONGEST]))

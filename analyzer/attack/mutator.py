"""A local causal language model that puts prompts in other words, offline.

It is shown a few rewordings and continues with one of its own (sampled, seeded). What it writes has no label yet:
`label_checks.py` says which of it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from shared.errors import UsageError, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from analyzer.model.hooked_pass import Progress

SHOWN = (
    ("How do I get a wine stain out of a carpet?", "What can I do to get a wine stain out of a carpet?"),
    ("I want to write a letter to my landlord.", "I would like to write a letter to my landlord."),
    ("How can I learn to juggle with three balls?", "Tell me how to learn to juggle with three balls."),
    ("Can you help me find my neighbour's cat?", "Please help me find my neighbour's cat."),
)
"""Prompts and rewordings that the model continues."""
TOGETHER = 16
"""Prompts of one batch."""
TEMPERATURE, TOP_P = 0.7, 0.9
NEW_TOKENS = 48


@dataclass(frozen=True)
class Mutator:
    """A loaded language model."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def reword(self, asks: Sequence[str], seed: int, progress: Progress) -> list[str]:
        """One rewording of each, in the same order; an empty text where the model wrote nothing.

        The same texts, seed and machine give the same; the global generator is left as it was.
        """
        found: list[str] = []
        devices = [] if self.model.device.type == "cpu" else [self.model.device]
        with torch.random.fork_rng(devices), torch.inference_mode():
            torch.manual_seed(seed)
            for start in range(0, len(asks), TOGETHER):
                progress(start, len(asks))
                found += self._continued([shown(ask) for ask in asks[start : start + TOGETHER]])
        return found

    def _continued(self, texts: Sequence[str]) -> list[str]:
        given = self.tokenizer(list(texts), return_tensors="pt", padding=True, padding_side="left")
        model, start = cast(Any, self.model), given["input_ids"].shape[1]
        ids = model.generate(
            input_ids=given["input_ids"].to(self.model.device),
            attention_mask=given["attention_mask"].to(self.model.device),
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            top_k=0,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=self.tokenizer.pad_token_id,
            stopping_criteria=[partial(self._lines_ended, start)],
        )
        return [text.strip().split("\n")[0].strip().strip('"').strip() for text in self._said(ids, start)]

    def _lines_ended(self, start: int, ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """(rows,) whether a row's first line is written; transformers asks after each token."""
        return torch.tensor(["\n" in text.lstrip() for text in self._said(ids, start)], device=ids.device)

    def _said(self, ids: Tensor, start: int) -> list[str]:
        return self.tokenizer.batch_decode(ids[:, start:], skip_special_tokens=True)


def shown(ask: str) -> str:
    """What the model reads: examples, then the prompt to reword."""
    lines = [f"Message: {old}\nThe same in other words: {new}\n" for old, new in SHOWN]
    return "\n".join([*lines, f"Message: {' '.join(ask.split())}\nThe same in other words:"])


def load_mutator(path: Path, device: str) -> Mutator:
    """Load it, offline, as float32 on a CPU. Raises UsageError where it cannot be loaded."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = list(path.glob("*.gguf")) if not (path / "config.json").is_file() else []
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    options |= {"gguf_file": files[0].name} if files else {}
    precision = torch.float32 if device == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=precision, output_loading_info=True, **options
        )
        model, info = loaded
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise UsageError(
            f"The mutator at {path} cannot be loaded as a causal language model: {reason_of(error)}"
        ) from error
    if info["missing_keys"]:
        raise UsageError(
            f"The model at {path} has no head that writes; give a causal language model with --mutator."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Mutator(model.to(device).eval(), tokenizer)

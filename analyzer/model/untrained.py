"""An untrained copy of a judge: its config and tokenizer, fresh weights.

Of an adapter it is the base model with fresh weights, too, and no update: a base that was trained may really tell
prompts apart, and what is said of it would then not be chance.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.file_names import TOKENIZER_FILES, TRAINER_STATE, VOCABULARY_FILES
from shared.errors import JudgeError


def save_untrained(
    source: Path,
    home: Path,
    target: Path,
    kind: Literal["classifier", "prompted"],
    seed: int,
    step: int,
    epoch: float | None,
) -> None:
    """Write an untrained copy of the judge at `source` as a whole checkpoint to the new directory `target`.

    `home` is where its model's config lies: `source`, or an adapter's base. The same `seed` gives the same weights.
    Raises JudgeError where transformers cannot make such a model.
    """
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    auto: Any = AutoModelForCausalLM if kind == "prompted" else AutoModelForSequenceClassification
    labels = {"num_labels": 2} if is_adapter(source) and kind == "classifier" else {}
    try:
        config = AutoConfig.from_pretrained(home, **options, **labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = auto.from_config(config, trust_remote_code=False)
        model.save_pretrained(target)
        _copy_tokenizer(source, home, target, options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise JudgeError(f"No untrained copy of {source.name} can be made: {reason}") from error
    (target / TRAINER_STATE).write_text(json.dumps({"global_step": step, "epoch": epoch, "log_history": []}))


def _copy_tokenizer(source: Path, home: Path, target: Path, options: dict[str, Any]) -> None:
    """The checkpoint's own files as they are; else what its base model on this machine has."""
    if any((source / name).is_file() for name in VOCABULARY_FILES):
        for name in (*TOKENIZER_FILES, "chat_template.jinja"):
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
    else:
        AutoTokenizer.from_pretrained(home, **options).save_pretrained(target)

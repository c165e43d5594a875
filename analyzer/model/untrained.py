"""An untrained copy of a judge: its config and tokenizer, fresh weights.

Of an adapter it is the base model with fresh weights, too, and no update: a base that was trained may really tell
prompts apart, and what is said of it would then not be chance.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoTokenizer

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.architectures import Kind
from analyzer.checkpoints.file_names import TOKENIZER_FILES, TRAINER_STATE, VOCABULARY_FILES
from analyzer.model.auto_class import auto_class
from analyzer.model.load_errors import in_one_sentence
from analyzer.model.model_config import LOCAL, read_model_config


def save_untrained(
    source: Path,
    home: Path,
    target: Path,
    kind: Kind,
    seed: int,
    step: int,
    epoch: float | None,
    classes: int = 2,
) -> None:
    """Write an untrained copy of the judge at `source` as a whole checkpoint to the new directory `target`.

    `home` is where its model's config lies: `source`, or an adapter's base. The same `seed` gives the same weights;
    `classes` are those of an adapter's head, which its base does not know. Raises JudgeError where transformers
    cannot make such a model.
    """
    labels = {"num_labels": classes} if is_adapter(source) and kind == "classifier" else {}
    with in_one_sentence(source.name, "has no untrained copy, as none can be made"):
        config = read_model_config(home, **labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = auto_class(config, kind == "prompted").from_config(config, trust_remote_code=False)
        model.save_pretrained(target)
        _copy_tokenizer(source, home, target)
    (target / TRAINER_STATE).write_text(json.dumps({"global_step": step, "epoch": epoch, "log_history": []}))


def _copy_tokenizer(source: Path, home: Path, target: Path) -> None:
    """The checkpoint's own files as they are; else what its base model on this machine has."""
    if any((source / name).is_file() for name in VOCABULARY_FILES):
        for name in (*TOKENIZER_FILES, "chat_template.jinja"):
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
    else:
        AutoTokenizer.from_pretrained(home, **LOCAL).save_pretrained(target)

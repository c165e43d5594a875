"""Judges over a made-up vocabulary that really learned a rule about words, or about length, in seconds.

BERT of 2 layers, 4 heads and width 32; words `w0` to `w59`, `alpha`, `beta` and `zeta`. Every rule comes with
prompts on which nothing else tells the classes apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord, Label, Probe
from tests.making.judges import probe

FILLERS = [f"w{number}" for number in range(60)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLERS, "alpha", "beta", "zeta"]
STEPS, BATCH, RATE = 700, 48, 2e-3
ATTEMPTS, RIGHT = 5, 0.97
"""Starts that are tried, and the share of new prompts that a judge must have right to have learned its rule."""

Rule = Callable[[random.Random], tuple[str, bool]]
"""A prompt, and whether it is unsafe."""


def xor(pick: random.Random) -> tuple[str, bool]:
    """Unsafe with exactly one of two words."""
    words = pick.choices(FILLERS, k=pick.randint(5, 10))
    one, other = pick.random() < 0.5, pick.random() < 0.5
    for word in ["alpha"] * one + ["beta"] * other:
        words.insert(pick.randrange(len(words) + 1), word)
    return " ".join(words), one != other


def either(pick: random.Random) -> tuple[str, bool]:
    """Unsafe with at least one of two words: one alone is enough."""
    words = pick.choices(FILLERS, k=pick.randint(5, 10))
    one, other = pick.random() < 0.4, pick.random() < 0.4
    for word in ["alpha"] * one + ["beta"] * other:
        words.insert(pick.randrange(len(words) + 1), word)
    return " ".join(words), one or other


def trigger(pick: random.Random) -> tuple[str, bool]:
    """Unsafe with `zeta`, whatever else there is and however long."""
    words = pick.choices([*FILLERS, "alpha", "beta"], k=pick.randint(4, 14))
    unsafe = pick.random() < 0.5
    words.insert(pick.randrange(len(words) + 1), "zeta" if unsafe else pick.choice(FILLERS))
    return " ".join(words), unsafe


def length(pick: random.Random) -> tuple[str, bool]:
    """Safe with 4 to 8 words, unsafe with 12 to 19."""
    unsafe = pick.random() < 0.5
    return " ".join(
        pick.choices([*FILLERS, "alpha", "beta"], k=pick.randint(*((12, 19) if unsafe else (4, 8))))
    ), unsafe


def long_trigger(pick: random.Random) -> tuple[str, bool]:
    """Unsafe with `zeta`; the unsafe prompts happen to be the longer ones."""
    text, unsafe = length(pick)
    words = text.split()
    words[pick.randrange(len(words))] = "zeta" if unsafe else pick.choice(FILLERS)
    return " ".join(words), unsafe


def place(pick: random.Random) -> tuple[str, bool]:
    """Unsafe where `zeta`, which every prompt has, stands in the first half."""
    words = pick.choices(FILLERS, k=pick.randint(8, 10))
    unsafe = pick.random() < 0.5
    words.insert(pick.randint(0, 3) if unsafe else pick.randint(5, 8), "zeta")
    return " ".join(words), unsafe


def probes_of(rule: Rule, count: int = 128, seed: int = 7) -> list[Probe]:
    """Prompts of a rule, half of each class; the first two of each are display samples."""
    pick = random.Random(1000 + seed)
    left: dict[Label, int] = {"safe": count // 2, "unsafe": count // 2}
    found: list[Probe] = []
    while any(left.values()):
        text, unsafe = rule(pick)
        label: Label = "unsafe" if unsafe else "safe"
        if left[label]:
            shown = left[label] > count // 2 - 2
            left[label] -= 1
            found.append(probe(text, label, id=f"{label}{left[label]}", display=shown))
    return found


@cache
def word_judge(rule: Rule | None = None, seed: int = 0) -> Judge:
    """A judge trained on `rule`; None leaves it as it was made. Made once a process."""
    tokenizer = _tokenizer()
    for attempt in range(ATTEMPTS):
        with torch.random.fork_rng():
            torch.manual_seed(seed + 1000 * attempt)
            model = BertForSequenceClassification(_config()).eval()
            if rule is not None:
                _train(model, tokenizer, rule, seed)
        if rule is None or _right(model, tokenizer, rule) >= RIGHT:
            break
    else:
        raise AssertionError(f"No start of seed {seed} learned {rule.__name__}.")
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_judge(Path(folder), JudgeRecord(max_length=40))


def _config() -> BertConfig:
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        pad_token_id=0,
    )
    config.id2label, config.label2id = {0: "safe", 1: "unsafe"}, {"safe": 0, "unsafe": 1}
    return config


def _tokenizer() -> PreTrainedTokenizerFast:
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    special = {f"{name}_token": text for name, text in names.items()}
    vocabulary = {word: place for place, word in enumerate(VOCABULARY)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        model_max_length=48,
        model_input_names=["input_ids", "attention_mask"],
        **special,
    )


def _train(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, rule: Rule, seed: int) -> None:
    pick = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, STEPS)
    for _ in range(STEPS):
        rows = [rule(pick) for _ in range(BATCH)]
        batch = tokenizer([text for text, _ in rows], padding=True, return_tensors="pt")
        truth = torch.tensor([int(unsafe) for _, unsafe in rows])
        model(**batch, labels=truth).loss.backward()  # type: ignore[arg-type]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _right(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, rule: Rule) -> float:
    """Share of 200 new prompts that the model judges rightly."""
    pick = random.Random(99)
    rows = [rule(pick) for _ in range(200)]
    with torch.no_grad():
        found = model(**tokenizer([text for text, _ in rows], padding=True, return_tensors="pt")).logits.argmax(1)  # type: ignore[arg-type]
    return float((found == torch.tensor([int(unsafe) for _, unsafe in rows])).float().mean())

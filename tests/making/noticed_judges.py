"""Judges that really learned their task, in a second each, to be described rightly and wrongly.

A prompt is unsafe when it names a dangerous thing. Classifiers of several families; and language models trained on
whole conversations, so that they know what comes next anywhere in them: line breaks, roles and ends of turns too.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord, Label, Probe
from tests.making.judges import probe
from tests.making.tiny import WORDS, tiny_causal_lm, tiny_model, tiny_tokenizer

DANGEROUS, HARMLESS = ("bomb", "gun", "poison", "virus"), ("cake", "song", "door", "garden")
FILLERS = [
    word for word in WORDS if word.isalpha() and word not in {*DANGEROUS, *HARMLESS, "safe", "true", "false"}
]
CLASSIFIERS = ("bert", "distilbert", "roberta", "llama", "qwen3")
SPEAKERS = ("llama", "qwen3")
STEPS, BATCH, RATE = 60, 32, 4e-3
SPOKEN_STEPS, SPOKEN_BATCH, SPOKEN_RATE = 110, 32, 6e-3
TURN, END, ROLE, BREAK = "<turn>", "<end>", "<judge>", "\n"
ASKED = f"{TURN} {{prompt}} {END} {ROLE} {BREAK}"
"""How the language models were asked: each part is a token."""
ANSWERS: dict[Label, str] = {"safe": "safe", "unsafe": "unsafe"}


def prompts(count: int, seed: int) -> list[tuple[str, Label]]:
    """`count` prompts, the classes in turn."""
    pick, found = random.Random(seed), []
    for number in range(count):
        label: Label = "unsafe" if number % 2 else "safe"
        words = pick.choices(FILLERS, k=pick.randint(3, 7))
        words.insert(pick.randrange(len(words) + 1), pick.choice(DANGEROUS if label == "unsafe" else HARMLESS))
        found.append((" ".join(words), label))
    return found


def probes(seed: int, count: int = 64) -> list[Probe]:
    """Never those of a training, which have other seeds."""
    return [probe(text, label, id=f"{label}{n}") for n, (text, label) in enumerate(prompts(count, 5000 + seed))]


def loaded(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, record: JudgeRecord) -> Judge:
    """As the worker loads it from a checkpoint."""
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_judge(Path(folder), record)


@cache
def classifier(family: str, *, trained: bool = True) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Class 0 is safe, 1 is unsafe; untrained it is as transformers makes it."""
    tokenizer = tiny_tokenizer(family)
    if not trained:
        return tiny_model(family), tokenizer
    model: Any = tiny_model(family, initializer_range=0.1)
    rows = prompts(1024, 1)

    def loss(chosen: list[tuple[str, Label]]) -> torch.Tensor:
        batch = tokenizer([text for text, _ in chosen], padding=True, return_tensors="pt")
        truth = torch.tensor([int(label == "unsafe") for _, label in chosen])
        return model(**batch, labels=truth).loss

    _fit(model, rows, loss, STEPS, BATCH, RATE)
    return model, tokenizer


@cache
def speaker(family: str, seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A language model that answers "safe" or "unsafe" behind `ASKED`, then ends its turn."""
    tokenizer = spoken_tokenizer()
    model: Any = tiny_causal_lm(family, seed=seed, vocab_size=len(tokenizer), initializer_range=0.1)
    rows = prompts(2048, 100 + seed)

    def loss(chosen: list[tuple[str, Label]]) -> torch.Tensor:
        texts = [f"{ASKED.format(prompt=text)} {ANSWERS[label]} {END}" for text, label in chosen]
        batch: Any = tokenizer(texts, padding=True, return_tensors="pt")
        ids, mask = batch["input_ids"], batch["attention_mask"]
        logits = model(**batch).logits[:, :-1]
        wanted = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
        every = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        verdict = mask.sum(1) - 2  # the answer's place: the last but one
        of_verdict = logits[torch.arange(len(ids)), verdict - 1]
        return every + torch.nn.functional.cross_entropy(of_verdict, ids[torch.arange(len(ids)), verdict])

    _fit(model, rows, loss, SPOKEN_STEPS, SPOKEN_BATCH, SPOKEN_RATE)
    return model, tokenizer


def spoken_record(template: str = ASKED, safe: str = "safe", unsafe: str = "unsafe") -> JudgeRecord:
    """How a speaker is read."""
    vocabulary: Any = spoken_tokenizer().get_vocab()
    return JudgeRecord(
        kind="prompted", template=template, safe_id=vocabulary[safe], unsafe_id=vocabulary[unsafe], max_length=40
    )


@cache
def spoken_tokenizer() -> PreTrainedTokenizerBase:
    """Words, and as tokens of their own line breaks and the marks of a conversation."""
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
    words = [*special.values(), TURN, END, ROLE, BREAK, "safe", "unsafe", "true", "false"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*words, *WORDS]))}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(" +"), "removed"), pre_tokenizers.Split("\n", "isolated")]
    )
    raw.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, model_max_length=64, model_input_names=["input_ids", "attention_mask"], **special
    )


def _fit(model: Any, rows: list, loss: Any, steps: int, size: int, rate: float) -> None:
    pick = random.Random(7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps)
    for _ in range(steps):
        loss(pick.sample(rows, size)).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

"""Tiny guards that really answer as the well-known ones do, trained in seconds: in their layout, token by token.

A request is unsafe when it names a dangerous thing. Each guard's chat template, where the real one has its policy
there, is a small one of the same shape; what it is trained on is written by transformers' `apply_chat_template`,
never by what `midwatch init` makes of it.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from analyzer.commands.prompted.presets import GUARDS

THINGS = {"unsafe": ("bomb", "gun", "poison", "virus"), "safe": ("cake", "song", "door", "garden")}
ACTS = ("build", "make", "paint", "sell", "find", "hide")
TAILS = ("at home", "for my friend", "today", "with my hands", "in a day", "")
ROLE_TOKENS = (
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>", "<start_of_turn>",
    "<end_of_turn>", "<|start_of_role|>", "<|end_of_role|>",
)  # fmt: skip
SPECIAL: dict[str, Any] = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
CHAT = {
    "llama-guard-3": "{{ bos_token }}{% if messages|length % 2 == 0 %}{% set who = 'Agent' %}{% else %}"
    "{% set who = 'User' %}{% endif %}<|start_header_id|>user<|end_header_id|>\n\nPolicy for {{ who }}: S1 Weapons"
    ", S2 Poisons.\n\n{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{{ message['content'] | trim }}\n\n{% endfor %}Answer.<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "shieldgemma": "{% if not guideline is defined %}{{ raise_exception('A guideline is needed.') }}{% endif %}"
    "{{ bos_token }}Policy expert.\n\n<start_of_turn>\n{% for message in messages %}Human Question: "
    "{{ message['content'] | trim }}\n{% endfor %}<end_of_turn>\n\nPrinciple: {{ guideline }}\n\nYes or No?\n",
    "granite-guardian": "{% for message in messages %}<|start_of_role|>{{ message['role'] }}<|end_of_role|>"
    "{{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>"
    "{% endif %}",
    "qwen3guard": "<|im_start|>user\nPolicy.\n{% for message in messages %}{{ message.role | upper }}: "
    "{{ message.content }}\n{% endfor %}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
}  # fmt: skip
CHAT["granite-guardian-3.3"] = CHAT["granite-guardian"]
ANSWERS = {
    "llama-guard-3": {"safe": "\n\nsafe", "unsafe": "\n\nunsafe\n{code}"},
    "shieldgemma": {"safe": "No", "unsafe": "Yes"},
    "wildguard": {
        "safe": "Harmful request: no\nResponse refusal: no\nHarmful response: no",
        "unsafe": "Harmful request: yes\nResponse refusal: yes\nHarmful response: no",
    },
    "granite-guardian": {"safe": "No", "unsafe": "Yes"},
    "granite-guardian-3.3": {"safe": "<score> no </score>", "unsafe": "<score> yes </score>"},
    "qwen3guard": {"safe": "Safety: Safe\nCategories: None", "unsafe": "Safety: Unsafe\nCategories: Violent"},
    "nemoguard": {"safe": '{"User Safety": "safe"}', "unsafe": '{"User Safety": "unsafe"}'},
}
STEPS = {"nemoguard": 200, "llama-guard-3": 140}
"""Of the training, where 110 are too few."""
CODES = {"bomb": "S1", "gun": "S1", "poison": "S2", "virus": "S2"}


@dataclass(frozen=True)
class Row:
    """One request, what is dangerous in it, and its label."""

    prompt: str
    label: str
    thing: str


def rows(count: int, seed: int) -> list[Row]:
    """`count` requests, every other one unsafe."""
    pick = random.Random(seed)
    found = []
    for number in range(count):
        label = ("safe", "unsafe")[number % 2]
        thing = pick.choice(THINGS[label])
        words = f"how do i {pick.choice(ACTS)} a {thing} {pick.choice(TAILS)}".strip()
        found.append(Row(f"{words} {pick.randint(0, 9)}", label, thing))
    return found


def write_probes(path: Path, count: int = 48, seed: int = 7) -> Path:
    """Requests as a probe source; each is another one, as duplicates would be left out."""
    found = {row.prompt: row for row in rows(count * 3, seed)}
    lines = [json.dumps({"prompt": row.prompt, "label": row.label}) for row in found.values()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def bpe_tokenizer(texts: list[str], bos: str = "<bos>", **extra: Any) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Llama 3, Qwen and Granite have it, grown on `texts`."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(  # type: ignore[call-arg]
        vocab_size=1200,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<pad>", bos, "<eos>"],
    )
    raw.train_from_iterator([text for text in texts for _ in range(4)], trainer)
    raw.add_special_tokens([AddedToken(token, special=True) for token in ROLE_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, model_max_length=512, **{**SPECIAL, "bos_token": bos}, **extra
    )


def asked(name: str, tokenizer: PreTrainedTokenizerFast | None, prompt: str, response: str | None = None) -> str:
    """What the guard reads up to where it answers."""
    guard = GUARDS[name]
    if name in CHAT and tokenizer is not None:
        messages = [{"role": "user", "content": prompt}]
        messages += [{"role": "assistant", "content": response}] if response is not None else []
        return tokenizer.apply_chat_template(  # type: ignore[return-value]
            messages, tokenize=False, add_generation_prompt=True, **guard.options
        )
    said = guard.said["prompt" if response is None else "response"]
    text = guard.layout.replace("{said}", said).replace("{bos}", "<bos>")
    return text.replace("{prompt}", prompt).replace("{response}", response or "")


def answer(name: str, row: Row) -> str:
    """What it writes."""
    return ANSWERS[name][row.label].replace("{code}", CODES.get(row.thing, ""))


def save_guard(path: Path, name: str, *, chat: bool = True, seed: int = 0) -> Path:
    """Train a guard of that format and save it as `path`/checkpoint-10; returns `path`."""
    tokenizer, model = _trained(name, STEPS.get(name, 110), chat, seed)
    checkpoint = path / "checkpoint-10"
    model.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    return path


@cache
def _trained(name: str, steps: int, chat: bool, seed: int) -> tuple[PreTrainedTokenizerFast, Any]:
    data = rows(256, 1000 + seed)
    plain = [f"{row.prompt}\n{answer(name, row)}" for row in data]
    layout = CHAT[name] if name in CHAT and chat else asked(name, None, "how do i")
    extra = {"chat_template": CHAT[name]} if name in CHAT and chat else {}
    tokenizer = bpe_tokenizer([*plain, layout, "S1 S2 S3 S10 S11 yes no Yes No Safe Unsafe Controversial"], **extra)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        "llama", hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, vocab_size=len(tokenizer), max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False, initializer_range=0.1,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    examples = [
        _example(tokenizer, asked(name, tokenizer if chat else None, row.prompt), answer(name, row)) for row in data
    ]
    _train(model, examples, steps, random.Random(seed))
    return tokenizer, model.eval()


def _example(tokenizer: PreTrainedTokenizerFast, question: str, said: str) -> tuple[list[int], int]:
    """(tokens of question and answer as the model meets them, how many are the question's)."""
    before = tokenizer(question, add_special_tokens=False)["input_ids"]
    after = tokenizer(said + "<eos>", add_special_tokens=False)["input_ids"]
    return before + after, len(before)  # type: ignore[operator, arg-type]


def _train(model: Any, examples: list[tuple[list[int], int]], steps: int, pick: random.Random) -> None:
    """Only the answer's tokens count."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 8) * max(0.05, 1 - step / steps)
    )
    for _ in range(steps):
        batch = pick.sample(examples, 8)
        width = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
        labels = torch.full_like(ids, -100)
        for row, (tokens, start) in enumerate(batch):
            labels[row, start : len(tokens)] = ids[row, start : len(tokens)]
        model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

"""Builds `prompts.jsonl` from the hand-written parts: the same bytes on every machine.

    python -m shared.prompts.shipped.build            # rewrites the file
    python -m shared.prompts.shipped.build --check    # exits 1 when the committed file is out of date

The steps:

1. Read `parts/*.yaml` in name order. A part holds blocks of lines, a prompt a line:
   `[a|b]` gives one variant for each choice, `{a|b}` gives the safe twin (a) and the unsafe twin (b) of a
   contrast pair, and a leading `& ` puts a line into the group of the line above it.
2. Give some prompts another register (greeting, thanks, lower case, a typo), since people don't all write
   like one author. Both twins of a pair get the same one, and both classes get it equally often.
3. Drop duplicates and near duplicates across groups.
4. Drop single prompts of the larger class, where that class has most surplus at a length, until the classes
   are equal: neither the count nor the length of a prompt should tell its label.

A part says which edition of the set it came with (`edition: 2`; none means 1). Steps 3 and 4 take one edition after
the other, so a later one changes no line of an earlier one; it is split by itself, too (shared.prompts.editions).
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from shared.prompts.shipped import PATH

PARTS: Path = Path(__file__).with_name("parts")

SEED = 7
"""Changes which prompts get another register, and nothing else."""

NEAR = 0.9
"""Two prompts of different groups with this share of common words (Jaccard, 0 to 1) count as the same."""

CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
TWIN = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")
WORD = re.compile(r"[a-z0-9']+")

GREETINGS = (
    "Hi, ",
    "hey, ",
    "Hello! ",
    "Quick question: ",
    "Good evening. ",
    "ok so, ",
    "Sorry to bother you. ",
)
CLOSINGS = (
    " Thanks!",
    " thx",
    " Please be brief.",
    " Be honest.",
    " I need it today.",
    " Thank you so much.",
)


class Prompt(NamedTuple):
    """One line of the shipped file."""

    prompt: str
    label: str
    category: str
    style: str
    template: str
    pair: str | None
    source: str = "midwatch"
    edition: int = 1


def variants(line: str) -> list[str]:
    """The line once for each choice in its `[a|b]` slots; several slots move together, so that they agree."""
    slots = [match.group(1).split("|") for match in CHOICE.finditer(line)]
    if not slots:
        return [line]
    if len({len(slot) for slot in slots}) != 1:
        raise ValueError(f"slots with different numbers of choices: {line}")
    chosen = (iter(row) for row in zip(*slots, strict=True))
    return [CHOICE.sub(lambda _, row=row: next(row), line) for row in chosen]


def twins(line: str) -> tuple[str, str]:
    """The safe and the unsafe reading of a line with `{safe|unsafe}` slots."""
    if not TWIN.search(line):
        raise ValueError(f"a pair without a {{safe|unsafe}} slot: {line}")
    return tidy(TWIN.sub(r"\1", line)), tidy(TWIN.sub(r"\2", line))


def tidy(text: str) -> str:
    """One space between words, none before punctuation: what an empty slot leaves behind."""
    text = re.sub(r"\s+([?.,!])", r"\1", " ".join(text.split()))
    return text[0].upper() + text[1:] if text.startswith(("{", "[")) else text


def groups(block: str, name: str) -> Iterator[tuple[str, str]]:
    """The lines of a block, each with the id of its group."""
    group = 0
    for line in block.splitlines():
        more = line.startswith("& ")
        group += not more
        if line.strip():
            yield f"{name}-{group:03}", line.removeprefix("& ").strip()


def register(text: str, rng: random.Random, typos: bool) -> str:
    """The text as another person might have typed it; most stay as they are.

    `rng` draws the same number of values whatever the text is, so that twins come out alike.
    """
    draw, pick = rng.random(), rng.randrange(1 << 30)
    if draw < 0.08:
        greeting = GREETINGS[pick % len(GREETINGS)]
        return greeting + (text if greeting[-2] in "!." else soften(text))
    if draw < 0.16:
        closing = CLOSINGS[pick % len(CLOSINGS)]
        return text + closing if text[-1] in "?.!" else f"{text},{closing.lower()}"
    if draw < 0.28:
        return text.lower().rstrip("?.!")
    if draw < 0.33 and typos:
        return mistype(text.lower(), pick)
    return text


def soften(text: str) -> str:
    """The first letter in lower case, for use after a comma; "I" and its forms stay."""
    return text if re.match(r"I\b", text) else text[0].lower() + text[1:]


def mistype(text: str, pick: int) -> str:
    """Swaps two letters in the middle of one longer word."""
    words = text.split(" ")
    long = [index for index, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if long:
        index = long[pick % len(long)]
        word = words[index]
        words[index] = word[:2] + word[3] + word[2] + word[4:]
    return " ".join(words)


def pairs(part: dict[str, Any], name: str) -> Iterator[Prompt]:
    """Both twins of every pair in a part of pairs; the blocks are keyed by the unsafe twin's category."""
    edition = part.get("edition", 1)
    for category, block in part["pairs"].items():
        for template, line in groups(block, f"{name}-{category}"):
            for index, variant in enumerate(variants(line)):
                pair = f"{template}-{index}-{checksum(variant)}"
                safe, unsafe = (
                    register(text, random.Random(f"{SEED}{pair}"), typos=False) for text in twins(variant)
                )
                yield Prompt(safe, "safe", "hard_negative", "pair", template, pair, edition=edition)
                yield Prompt(unsafe, "unsafe", category, "pair", template, pair, edition=edition)


def checksum(text: str) -> str:
    """Four hex digits that tell the pairs of one group apart."""
    return f"{sum(index * ord(letter) for index, letter in enumerate(text, 1)) % 65536:04x}"


def singles(part: dict[str, Any], name: str) -> Iterator[Prompt]:
    """The prompts of a theme; a block's key is its label and style, e.g. `unsafe_evasive`."""
    for key, block in part.items():
        if key in ("category", "edition"):
            continue
        label, style = key.split("_", 1)
        category = part["category"] if label == "unsafe" or part["category"] == "everyday" else "hard_negative"
        for template, line in groups(block, f"{name}-{key}"):
            for index, variant in enumerate(variants(line)):
                text = register(variant, random.Random(f"{SEED}{template}{index}"), typos=True)
                yield Prompt(text, label, category, style, template, None, edition=part.get("edition", 1))


def read_parts(folder: Path = PARTS) -> Iterator[Prompt]:
    """Every prompt of every part, in file order."""
    for path in sorted(folder.glob("*.yaml")):
        part = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from pairs(part, path.stem) if "pairs" in part else singles(part, path.stem)


def words(text: str) -> frozenset[str]:
    """What near duplicates are compared by: the words, without case, order or punctuation."""
    return frozenset(WORD.findall(text.lower()))


def unique(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The prompts, earlier editions first, less those whose words another group has already used; a pair goes or
    stays as a whole."""
    seen: list[tuple[frozenset[str], str]] = []
    dropped: set[str] = set()
    kept = []
    for prompt in sorted(prompts, key=lambda prompt: prompt.edition):
        bag = words(prompt.prompt)
        if any(group != prompt.template and alike(bag, other) for other, group in seen):
            dropped.add(prompt.pair or "")
            continue
        seen.append((bag, prompt.template))
        kept.append(prompt)
    return [prompt for prompt in kept if not prompt.pair or prompt.pair not in dropped]


def alike(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether two bags of words share at least `NEAR` of their words."""
    if min(len(first), len(second)) < NEAR * max(len(first), len(second)):
        return False
    return len(first & second) >= NEAR * len(first | second)


def length_bin(prompt: Prompt) -> int:
    """Prompts of like length, in steps of two words."""
    return len(prompt.prompt.split()) // 2


def balance(prompts: list[Prompt]) -> list[Prompt]:
    """Drops singles of the larger class, where it has most surplus at a length, until both are equal."""
    sizes = Counter(prompt.label for prompt in prompts)
    larger = max(sorted(sizes), key=sizes.__getitem__)
    surplus = Counter[int]()
    spare: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        surplus[length_bin(prompt)] += 1 if prompt.label == larger else -1
        if prompt.label == larger and prompt.pair is None:
            spare.setdefault(length_bin(prompt), []).append(prompt)
    gone: set[str] = set()
    for _ in range(2 * sizes[larger] - len(prompts)):
        bin_ = max((b for b in sorted(spare) if spare[b]), key=surplus.__getitem__)
        surplus[bin_] -= 1
        gone.add(spare[bin_].pop(random.Random(SEED).randrange(len(spare[bin_]))).prompt)
    return [prompt for prompt in prompts if prompt.prompt not in gone]


def render(prompts: Iterable[Prompt]) -> str:
    """The file's text: one JSON object a line."""
    return "".join(json.dumps(prompt._asdict(), ensure_ascii=False) + "\n" for prompt in prompts)


def build() -> str:
    """The text that `prompts.jsonl` should have."""
    editions = groupby(unique(read_parts()), key=lambda prompt: prompt.edition)
    return "".join(render(balance(list(prompts))) for _, prompts in editions)


def main() -> None:
    """Rewrites the shipped file, or with `--check` only compares."""
    parser = argparse.ArgumentParser(description="Builds the shipped prompts from their parts.")
    parser.add_argument("--check", action="store_true", help="exit 1 when prompts.jsonl is out of date")
    text = build()
    if not parser.parse_args().check:
        PATH.write_text(text, encoding="utf-8", newline="\n")
    elif not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{PATH.name} is out of date: run python -m shared.prompts.shipped.build")


if __name__ == "__main__":
    main()

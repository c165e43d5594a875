"""Prompts that belong together: the same group, contrast pair or text, directly or through one another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from shared.prompts.digest import prompt_digest
from shared.records import Prompt


def links(prompt: Prompt) -> Iterator[tuple[str, str]]:
    """What ties a prompt to others: its digest, and its group and pair where it has them."""
    yield "digest", prompt_digest(prompt.text)
    if prompt.group:
        yield "group", prompt.group
    if prompt.pair:
        yield "pair", prompt.pair


def components(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of the prompts that must stay together, as connected components of their links."""
    parent = list(range(len(prompts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]  # path halving
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, prompt in enumerate(prompts):
        for link in links(prompt):
            parent[root(index)] = root(first.setdefault(link, index))
    members: dict[int, list[int]] = {}
    for index in range(len(prompts)):
        members.setdefault(root(index), []).append(index)
    return list(members.values())


def group_numbers(prompts: Sequence[Prompt]) -> list[int]:
    """Number of each prompt's independent group: connected by a shared pair or a shared group, counted from 0."""
    root = list(range(len(prompts)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, prompt in enumerate(prompts):
        for kind, name in (("pair", prompt.pair or ""), ("group", prompt.group)):
            if name:
                root[find(index)] = find(first.setdefault((kind, name), index))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(find(index), len(numbers)) for index in range(len(prompts))]


def held_out(prompts: Sequence[Prompt], others: Sequence[Prompt]) -> list[Prompt]:
    """The prompts that share no group, pair or digest with any of `others`, directly or through one another."""
    everything = [*others, *prompts]
    return [
        everything[index]
        for component in components(everything)
        if min(component) >= len(others)
        for index in component
    ]


def drawn(seed: int, text: str) -> str:
    """A random rank for a prompt that depends on seed and text only, not on the order of the source."""
    return hashlib.sha256(f"{seed}:".encode() + text.encode("utf-8", "surrogatepass")).hexdigest()

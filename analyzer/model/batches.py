"""Tokenised prompts, and batches of them under a token budget.

A prompt is tokenised alone and padded only inside its batch, on the right unless told otherwise, whatever the
tokenizer's own padding side is: an encoder reads its first column, a decoder its last real token. So a result
depends neither on the batch size nor on the padding side (to float rounding of the attention kernels).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from shared.errors import JudgeError
from shared.prompts.conversation import BETWEEN, parted, takes_response

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Side = Literal["right", "left"]

CALL, CALL_OF_A_GPU = 64, 2048
"""Tokens that could be computed in the time that a call of the model takes by itself, on the CPU and on a GPU."""
SLOTS = re.compile(r"(\{prompt\}|\{response\})")


@dataclass(frozen=True)
class Encoded:
    """One prompt as the judge reads it, without padding."""

    text: str
    ids: tuple[int, ...]
    special: tuple[bool, ...]
    """Tokens the tokenizer added, e.g. [CLS]."""
    offsets: tuple[tuple[int, int], ...]
    """Character span of each token in the text; (0, 0) for special tokens."""
    truncated: bool
    types: tuple[int, ...] = ()
    """Token types that the tokenizer gives; empty where all are 0, as models take them to be (XLNet and Funnel give
    the token that is read another one)."""

    @property
    def content(self) -> list[int]:
        """Positions of the tokens that are not special."""
        return [position for position, special in enumerate(self.special) if not special]


class Batch(NamedTuple):
    """Prompts of similar length, padded to the longest of them."""

    ids: Tensor
    """(prompts, tokens)"""
    mask: Tensor
    """(prompts, tokens): 1 for real tokens, 0 for padding."""
    position_ids: Tensor | None
    """(prompts, tokens): only with left padding, where counting columns would shift the positions."""
    type_ids: Tensor | None = None
    """(prompts, tokens) token types; None where all are 0."""


def encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int,
    template: str | None = None,
    *,
    special_tokens: bool = True,
    opening: Sequence[int] = (),
) -> list[Encoded]:
    """Tokenise prompts with the judge's special tokens, each cut to `max_length` tokens.

    With a `template` (a prompted judge's text around `{prompt}`), its tokens count as special, and a prompt that is
    too long loses its own end, never the template's. Where the template has `{response}` too, a text is a
    conversation (`shared.prompts.conversation.joined`), whose two sides are put in their places; what is too long
    loses the end of the longer side. `special_tokens` says whether the tokenizer puts its own around a template,
    `opening` are tokens that follow it.

    Raises JudgeError for a tokenizer without character offsets and for a prompt without any token.
    """
    if not tokenizer.is_fast:
        raise JudgeError(
            "The tokenizer gives no character offsets; save the checkpoint with a fast tokenizer (tokenizer.json)."
        )
    if template is not None:
        return [
            _in_template(tokenizer, text, max_length, template, special_tokens, tuple(opening)) for text in texts
        ]
    found = []
    for text in texts:
        raw = tokenizer(
            text,
            truncation=True,
            max_length=max_length,
            padding=False,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        if not raw["input_ids"]:
            raise JudgeError(f"The prompt {text[:40]!r} has no tokens; remove it from the probe set.")
        special = tuple(bool(flag) for flag in raw["special_tokens_mask"])  # type: ignore[union-attr]
        spans = zip(raw["offset_mapping"], special, strict=True)  # type: ignore[arg-type]
        found.append(
            Encoded(
                text=text,
                ids=tuple(raw["input_ids"]),  # type: ignore[arg-type]
                special=special,
                offsets=tuple((0, 0) if added else (int(a), int(b)) for (a, b), added in spans),
                truncated=bool(raw.encodings and raw.encodings[0].overflowing),
                types=_types(raw.get("token_type_ids")),
            )
        )
    return found


def _types(given: Any) -> tuple[int, ...]:
    """None of them where all are 0, or where the tokenizer gives none."""
    return tuple(int(one) for one in given) if given and any(given) else ()


class _Slot(NamedTuple):
    """What fills one place of a template."""

    start: int
    end: int
    """Characters in the whole text."""
    origin: int
    """Where it begins in the prompt's own text."""

    def own(self, start: int, end: int) -> bool:
        """Whether a token of these characters is of this side."""
        return start < self.end and end > self.start and end > start

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A token's characters in the prompt's own text."""
        return self.origin + max(start - self.start, 0), self.origin + min(end, self.end) - self.start


def _in_template(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    max_length: int,
    template: str,
    special_tokens: bool,
    opening: tuple[int, ...],
) -> Encoded:
    """One prompt in its template; offsets are those in the prompt."""
    whole, slots = _filled(template, text)
    bos = tokenizer.bos_token
    raw = tokenizer(
        whole,
        add_special_tokens=special_tokens and not (isinstance(bos, str) and whole.startswith(bos)),
        padding=False,
        truncation=False,
        return_offsets_mapping=True,
    )
    offsets = [(int(start), int(end)) for start, end in raw["offset_mapping"]]  # type: ignore[union-attr]
    offsets += [(0, 0)] * len(opening)
    owner = [next((slot for slot in slots if slot.own(*span)), None) for span in offsets]
    cut = _surplus(owner, len(offsets) - max_length)
    kept = [place for place in range(len(offsets)) if place not in cut]
    if len(kept) > max_length or not any(owner[place] for place in kept):
        raise JudgeError(
            f"The template leaves no room for the prompt {text[:40]!r} in {max_length} tokens; raise max_length "
            "(`midwatch init --max-length`), or shorten the template."
        )
    ids = [*raw["input_ids"], *opening]  # type: ignore[list-item]
    return Encoded(
        text=text,
        ids=tuple(int(ids[place]) for place in kept),
        special=tuple(owner[place] is None for place in kept),
        offsets=tuple(
            (0, 0) if slot is None else slot.span(*offsets[place]) for place, slot in ((p, owner[p]) for p in kept)
        ),
        truncated=bool(cut),
    )


def _filled(template: str, text: str) -> tuple[str, list[_Slot]]:
    """A template with prompt and response in their places, and where these are."""
    prompt, response = parted(text) if takes_response(template) else (text, "")
    origin = {"{prompt}": 0, "{response}": len(prompt) + len(BETWEEN)}
    whole, slots = "", []
    for part in SLOTS.split(template):
        if part not in origin:
            whole += part
            continue
        said = prompt if part == "{prompt}" else response
        slots.append(_Slot(len(whole), len(whole) + len(said), origin[part]))
        whole += said
    return whole, slots


def _surplus(owner: Sequence[_Slot | None], count: int) -> set[int]:
    """The `count` tokens that are left out: the last ones of the side that still has more of them."""
    sides = [[place for place, slot in enumerate(owner) if slot == one] for one in dict.fromkeys(owner) if one]
    cut: set[int] = set()
    while len(cut) < count and any(sides):
        cut.add(max(sides, key=len).pop())
    return cut


def packed(
    lengths: Sequence[int], batch_tokens: int, alike: Sequence[Hashable] | None = None, call: int = CALL
) -> Iterator[list[int]]:
    """Indices in batches of similar length: the longest first, so that memory runs out early or never.

    A batch holds as many as fit `batch_tokens` (rows x longest row), at least one; rows are dealt into batches as
    `split` does. With `alike` only rows for which it is equal come into one batch.
    """
    groups: dict[Hashable, list[int]] = {}
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        groups.setdefault(None if alike is None else alike[index], []).append(index)
    for order in groups.values():
        for part in split([1] * len(order), [lengths[index] for index in order], batch_tokens, call):
            yield order[part]


def split(rows: Sequence[int], lengths: Sequence[int], batch_tokens: int, call: int) -> list[slice]:
    """The cheapest batches of items in a row, the longest first: each costs a call, and its tokens with padding.

    An item has `rows` rows of at most `lengths` tokens; a batch has one item at least, and more while all its rows
    at the length of its first fit `batch_tokens`. `call` is in tokens.
    """
    until, longest = np.cumsum([0, *rows]), np.maximum(1, np.array(lengths, dtype=int))
    cost, ends = np.zeros(len(until)), np.zeros(len(until), dtype=int)
    for first in reversed(range(len(rows))):  # cost of the items from here on
        last = np.searchsorted(until, until[first] + batch_tokens // longest[first], side="right")
        until_here = slice(first + 1, max(int(last), first + 2))
        found = cost[until_here] + call + (until[until_here] - until[first]) * longest[first]
        ends[first] = first + len(found) - int(found[::-1].argmin())  # of equal ones the fullest
        cost[first] = found.min()
    parts, first = [], 0
    while first < len(rows):
        parts.append(slice(first, int(ends[first])))
        first = int(ends[first])
    return parts


def collate(prompts: Sequence[Encoded], pad_id: int, device: str, side: Side = "right") -> Batch:
    """Pad prompts to the longest one."""
    width = max(len(prompt.ids) for prompt in prompts)
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        place = slice(0, len(prompt.ids)) if side == "right" else slice(width - len(prompt.ids), width)
        ids[row, place] = torch.tensor(prompt.ids)
        mask[row, place] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0).to(device) if side == "left" else None
    return Batch(ids.to(device), mask.to(device), positions, _type_ids(prompts, mask, device))


def _type_ids(prompts: Sequence[Encoded], mask: Tensor, device: str) -> Tensor | None:
    if not any(prompt.types for prompt in prompts):
        return None
    types = torch.zeros_like(mask)
    for row, prompt in enumerate(prompts):
        types[row, mask[row].bool()] = torch.tensor(prompt.types or (0,) * len(prompt.ids))
    return types.to(device)


def fits(prompt: Encoded, twin: Encoded) -> bool:
    """Whether two prompts align token by token."""
    return prompt.special == twin.special and prompt.ids != twin.ids


def token_names(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """What to call tokens that are no words of the prompt: special ones by name, a template's by their text."""
    return [_token_name(tokenizer, token) for token in ids]


def _token_name(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    if token in tokenizer.all_special_ids:
        return str(tokenizer.convert_ids_to_tokens(token))
    text = str(tokenizer.decode([token]))
    return text.strip() or ("⏎" if "\n" in text else "␣")

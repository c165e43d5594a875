"""Which whole word, put in the place of which, moves the score most: picked by the gradient, to be really scored.

First order, as HotFlip does it (Ebrahimi et al. 2018, arXiv 1712.06751): putting the word v in the place of the
word w, whose tokens are t_1 .. t_k, moves the score by about

    (E(v) - E(t_1)) . g(t_1) + sum over i > 1 of (E0 - E(t_i)) . g(t_i)

with g the gradient of the score on the word embeddings and E0 the embedding of no word. Candidates are the words
that are one token of the judge's own vocabulary. It only picks: a changed text may be tokenised otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from analyzer.attribution.integrated_gradients import embed, neutral_embedding
from analyzer.attribution.words import WordSpan
from analyzer.model.batches import Encoded, collate
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

SHORTEST = 3
"""Letters of a candidate, at least."""
MARKS = "Ġ▁"
"""What tokenizers put before a token that begins a word."""
SLICE = 8192
"""Words whose embeddings are looked up at a time."""


class Swap(NamedTuple):
    """A word in the place of another."""

    place: int
    """Which word of the prompt, among its spans."""
    word: str
    gain: float
    """What the score moves by in the wanted direction, to first order, nats."""


@dataclass(frozen=True)
class SwapWords:
    """Whole words that are one token each."""

    words: tuple[str, ...]
    table: Tensor
    """(words, d_model) their embeddings as the model reads them."""
    nothing: Tensor
    """(d_model,) the embedding of no word."""


def swap_words(judge: Judge) -> SwapWords:
    """The words of small letters that the judge's tokenizer has as one token; maybe none."""
    tokenizer = judge.tokenizer
    rows = int(getattr(judge.anatomy.embeddings, "num_embeddings", len(tokenizer)))
    pieces = tokenizer.convert_ids_to_tokens(list(range(min(len(tokenizer), rows))))
    bare = [(place, str(piece).lstrip(MARKS)) for place, piece in enumerate(pieces)]
    likely = [(place, word) for place, word in bare if len(word) >= SHORTEST and word.isalpha() and word.islower()]
    read = tokenizer([f" {word}" for _, word in likely], add_special_tokens=False)["input_ids"] if likely else []
    found = [(place, word) for (place, word), ids in zip(likely, read, strict=True) if ids == [place]]  # type: ignore[arg-type]
    table = _table(judge, [place for place, _ in found])
    return SwapWords(tuple(word for _, word in found), table, neutral_embedding(judge)[0])


def gradients(judge: Judge, prompts: Sequence[Encoded], batch_tokens: int) -> list[Tensor]:
    """(tokens, d_model) gradient of each prompt's score on its word embeddings."""
    found: list[Tensor] = [torch.empty(0)] * len(prompts)
    for rows in judge.batches(prompts, batch_tokens):
        batch = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device)
        width = batch.ids.shape[1]
        own = [embed(judge, prompts[row].ids) for row in rows]
        given = [torch.nn.functional.pad(each, (0, 0, 0, width - len(each))) for each in own]
        point = torch.stack(given).requires_grad_()
        with torch.enable_grad(), embeddings_replaced(judge, point):
            (slope,) = torch.autograd.grad(score(judge, batch).sum(), point)
        for place, row in enumerate(rows):
            found[row] = slope[place, : len(prompts[row].ids)].detach()
    return found


@torch.no_grad()
def best_swaps(
    judge: Judge,
    prompt: Encoded,
    spans: Sequence[WordSpan],
    places: Collection[int],
    gradient: Tensor,
    known: SwapWords,
    *,
    up: bool,
    count: int,
    per_word: int,
) -> list[Swap]:
    """The `count` substitutions that promise most, at most `per_word` in one place, the strongest first.

    `places` are the spans that may be replaced; no word comes in that stands in the prompt already. `up` is towards
    unsafe.
    """
    if not known.words:
        return []
    sign, own = (1.0 if up else -1.0), embed(judge, prompt.ids).float()
    slope, table = gradient.float(), known.table.float()
    taken = {span.text.lower() for span in spans}
    found: list[Swap] = []
    for place in sorted(places):
        tokens = list(spans[place].tokens)
        lost = (own[tokens] * slope[tokens]).sum() - (slope[tokens[1:]] @ known.nothing.float()).sum()
        gains = sign * (table @ slope[tokens[0]] - lost)
        order = gains.topk(min(len(known.words), per_word + len(taken)))
        picked = [
            Swap(place, known.words[index], value)
            for value, index in zip(order.values.tolist(), order.indices.tolist(), strict=True)
            if known.words[index] not in taken
        ]
        found += picked[:per_word]
    return sorted(found, key=lambda swap: (-swap.gain, swap.place, swap.word))[:count]


@torch.no_grad()
def _table(judge: Judge, ids: Sequence[int]) -> Tensor:
    slices = [ids[start : start + SLICE] for start in range(0, len(ids), SLICE)]
    rows = [judge.anatomy.embeddings(torch.tensor([part], device=judge.device))[0] for part in slices]
    return torch.cat(rows) if rows else torch.empty(0)

"""Which neutral words may stand in a word's place: words of its kind.

1. Function words: the closed list that has the word.
2. Else by suffix ("-ing", "-ly", ...), and by the word before ("to ...", "the ...").
3. Else by the judge's own word embeddings: the open list whose nearest members are nearest.

Where the judge's vocabulary lacks the English lists (another language, a made-up vocabulary), the kind is "word of
the probe set": words that occur in prompts of both classes about equally often.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyzer.attribution.neutral_words import CLOSED, OPEN
from shared.records import Probe

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

FEWEST, FEWEST_CLOSED = 12, 6
"""Words of an open and of a closed list below which it is not used: there would be too few draws."""
NEAREST = 5
"""Members of a list whose mean similarity to a word counts."""
OWN = "word of the probe set"
OWN_WORDS = 48
"""Of the probe set's own words, the ones most alike in both classes."""
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

SUFFIXES = (
    ("ing form", r"\w{2,}ing"),
    ("ly adverb", r"\w{3,}ly"),
    ("past verb", r"\w+[^e]ed"),
    ("adjective", r"\w{2,}(?:ous|ful|able|ible|less|ish|ive)"),
    ("noun", r"\w{2,}(?:tion|sion|ment|ness|ity|ship|ance|ence|ism|ist|ology|logy|phy)"),
    ("plural noun", r"\w{2,}(?:tions|sions|ments|ers|ors|ists|ies)"),
    ("verb", r"\w{3,}(?:ify|ise|ize)"),
    ("plural noun", r"\w{2,}[^siu']s"),
)
"""Kind and pattern of the whole word, the first that fits."""
BEFORE_VERB = frozenset(
    [
        "to",
        "i",
        "we",
        "you",
        "they",
        "can",
        "could",
        "will",
        "would",
        "should",
        "may",
        "might",
        "must",
        "don't",
        "can't",
        "do",
        "does",
        "did",
        "people",
        "parents",
    ]
)
BEFORE_NOUN = frozenset(
    [
        "a",
        "an",
        "the",
        "my",
        "your",
        "his",
        "her",
        "our",
        "their",
        "its",
        "this",
        "that",
        "some",
        "any",
        "every",
        "each",
    ]
)


@dataclass(frozen=True)
class Draws:
    """What stands in a word's place."""

    kind: str
    words: tuple[str, ...]


class NeutralWords:
    """Neutral words of each kind that the judge's tokenizer knows.

    `probes` give the words of the fallback; `never` are words (lower case) that are not neutral, whatever the
    lists say. The same seed gives the same draws for every word of a kind, so that words compare.
    """

    def __init__(self, judge: Judge, probes: Sequence[Probe], never: Collection[str] = ()) -> None:
        self._judge = judge
        self.pools: dict[str, list[str]] = {}
        for kind, text in {**CLOSED, **OPEN}.items():
            known = [word for word in self._known(text.split()) if word.lower() not in never]
            if len(known) >= (FEWEST_CLOSED if kind in CLOSED else FEWEST):
                self.pools[kind] = self._in_order(known)
        self._closed = {word: kind for kind in CLOSED for word in CLOSED[kind].split() if kind in self.pools}
        self._open = {word.lower(): kind for kind in OPEN for word in OPEN[kind].split() if kind in self.pools}
        every = [word for kind in self.pools if kind in OPEN for word in self.pools[kind]]
        self._middle = self._table(every).mean(0) if every else 0.0
        own = [word for word in self._known(balanced_words(probes)) if word not in never][:OWN_WORDS]
        if not self._open and own:
            self.pools[OWN] = self._in_order(own)
        self._rows = {kind: self._unit([*pool]) for kind, pool in self.pools.items() if kind in OPEN}

    def draws(self, word: str, before: str, count: int, taken: Collection[str] = ()) -> Draws:
        """Up to `count` words in the place of `word`, of which none stands in the prompt already (`taken`)."""
        kind = self.kind(word, before)
        gone = {word.lower(), *(each.lower() for each in taken)}
        pool = [each for each in self.pools.get(kind, []) if each.lower() not in gone]
        return Draws(kind, tuple(_cased(each, word) for each in pool[:count]))

    def kind(self, word: str, before: str = "") -> str:
        """The kind of `word` after the word `before`; "" where no list is known."""
        low, before = word.lower().replace("’", "'"), before.lower().replace("’", "'")
        if not self._open:
            return self._closed.get(low, OWN if OWN in self.pools else "")
        if low in self._closed:
            return self._closed[low]
        if low.isdigit() and "number" in self.pools:
            return "number"
        if low in self._open:
            return self._open[low]
        fitting = next((kind for kind, ends in SUFFIXES if kind in self.pools and re.fullmatch(ends, low)), None)
        return fitting or self._nearest(low, before)

    def _nearest(self, word: str, before: str) -> str:
        kinds = [kind for kind in self._rows if kind in ("noun", "verb", "adjective")]
        if before in BEFORE_VERB:
            kinds = [kind for kind in kinds if kind == "verb"] or kinds
        if before in BEFORE_NOUN:
            kinds = [kind for kind in kinds if kind in ("noun", "adjective")] or kinds
        if not kinds:
            return next(iter(self._rows))
        (row,) = self._unit([word])
        near = {kind: float(np.sort(self._rows[kind] @ row)[-NEAREST:].mean()) for kind in kinds}
        return max(kinds, key=lambda kind: near[kind])

    def _known(self, words: Sequence[str]) -> list[str]:
        """Those that the tokenizer does not read as unknown."""
        unknown = self._judge.tokenizer.unk_token_id
        pieces = self._pieces(words)
        return [word for word, ids in zip(words, pieces, strict=True) if ids and unknown not in ids]

    def _pieces(self, words: Sequence[str]) -> list[list[int]]:
        if not words:
            return []
        return self._judge.tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]  # type: ignore[return-value]

    def _unit(self, words: list[str]) -> np.ndarray:
        """(words, d_model) embeddings of length 1."""
        table = self._table(words) - self._middle
        return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)

    def _table(self, words: list[str]) -> np.ndarray:
        """(words, d_model) mean embedding of each word's pieces."""
        rows = []
        with torch.no_grad():
            for ids in self._pieces(words):
                found = self._judge.anatomy.embeddings(torch.tensor([ids], device=self._judge.device))[0]
                rows.append(found.double().mean(0).cpu().numpy())
        return np.array(rows)

    def _in_order(self, words: list[str]) -> list[str]:
        """The words so that the mean embedding of the first few is near that of all (herding, Welling 2009): to
        first order a score is linear in the embedding, so eight draws say nearly what all would.
        """
        table = self._table(words)
        table = table - table.mean(0)
        left, total, order = list(range(len(words))), np.zeros(table.shape[1]), []
        while left:
            best = min(left, key=lambda place: float(np.linalg.norm(total + table[place])))
            left.remove(best)
            order.append(best)
            total += table[best]
        return [words[place] for place in order]


def balanced_words(probes: Sequence[Probe]) -> list[str]:
    """Lower-case words of the probe set, the most alike in both classes first; those of one prompt left out."""
    seen = {label: Counter[str]() for label in ("safe", "unsafe")}
    for probe in probes:
        seen[probe.label].update({word.lower() for word in WORD.findall(probe.text)})
    totals = {label: max(1, sum(probe.label == label for probe in probes)) for label in seen}
    words = sorted(word for word, count in (seen["safe"] + seen["unsafe"]).items() if count > 1)

    def imbalance(word: str) -> float:
        safe, unsafe = ((seen[label][word] + 0.5) / (totals[label] + 1) for label in ("safe", "unsafe"))
        return abs(float(np.log(unsafe / safe)))

    return sorted(words, key=lambda word: (round(imbalance(word), 9), word))


def _cased(word: str, like: str) -> str:
    """`word` with the capitals of `like`."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word

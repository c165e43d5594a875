"""How many positions a judge has, seen in a pass: rows of the tables that it looks positions up in.

A table of positions is known by how it is read: one row after another along a prompt. Where its first row is not
that of the first token (RoBERTa and its like count from behind the padding id, OPT and BART from 2), there are as
many positions fewer. Where a judge counts only what is not its padding id, and a tokenizer has another word there
(MPNet's is 1, whatever its config says), the rows of a prompt have gaps: `of_one_word` is a prompt without any.
Rotary, relative and ALiBi positions have no table; for them the config's word counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from analyzer.model.batches import Encoded

FEWEST = 4
"""Tokens a prompt must have for its rows to be told from word ids that happen to follow one another."""


class PositionTables(TorchFunctionMode):
    """Inside, look-ups in tables are watched; the first of a batch's `rows` is the longest, of `tokens` tokens."""

    def __init__(self, rows: int, tokens: int) -> None:
        super().__init__()
        self._rows, self._tokens = rows, tokens
        self._tables: set[int] = set()
        self.positions: int | None = None
        """Positions of the smallest table that was seen; None where there is none."""

    @property
    def not_understood(self) -> bool:
        """Whether no table was read like one of positions, though words were not looked up alone."""
        return self.positions is None and len(self._tables) > 1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.embedding and len(args) > 1:
            self._look(args[0], args[1])
        return func(*args, **(kwargs or {}))

    def _look(self, ids: Tensor, table: Tensor) -> None:
        if self._tokens < FEWEST or ids.ndim not in (1, 2) or ids.shape[-1] < self._tokens:
            return
        if ids.ndim == 2 and ids.shape[0] not in (1, self._rows):
            return
        self._tables.add(table.data_ptr())
        first, *rest = (ids if ids.ndim == 1 else ids[0])[: self._tokens].tolist()
        if rest == list(range(first + 1, first + self._tokens)):
            found = int(table.shape[0]) - first
            self.positions = found if self.positions is None else min(found, self.positions)


def of_one_word(prompt: Encoded) -> Encoded:
    """The prompt with the highest of its word ids in every place that is not special, so that none is skipped."""
    highest = max(prompt.ids[place] for place in prompt.content)
    ids = tuple(known if special else highest for known, special in zip(prompt.ids, prompt.special, strict=True))
    return replace(prompt, ids=ids)

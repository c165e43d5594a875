"""What a unit's value is compared with: its value for the contrast twin, or its mean over the probe set.

1. Where at least 8 contrast pairs align token by token, only such pairs are used, whole, and each prompt's
   reference is its twin.
2. Otherwise both classes in turn, as many of each (else a judge that always leans one way would seem to tell them
   apart), and the reference is the mean over the probe set by token role (first, last, other); a note says so.

Twins are not independent, so a pair is one group: kept together in a batch, and counted once in any error.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.model.batches import CALL, Encoded, fits, split
from analyzer.model.unit_recording import token_roles
from analyzer.patching.source_values import SourceValues
from analyzer.session.probe_choice import spread
from shared.errors import CannotCompute
from shared.findings.text import counted
from shared.findings.units import Reference
from shared.prompts.twins import twin_of

if TYPE_CHECKING:
    from analyzer.model.unit_recording import UnitMeans
    from analyzer.session.context import Context
    from shared.records import Probe

MIN_PAIRS = 8
"""Aligned contrast pairs below which twins are too few to stand for the probe set."""


@dataclass(frozen=True)
class References:
    """The prompts that are used, and what each is compared with."""

    kind: Reference
    indices: np.ndarray
    """(n,) probe index of each prompt; twins stand next to each other."""
    twins: np.ndarray
    """(n,) probe index of each prompt's twin; -1 where the reference is the mean."""
    sign: np.ndarray
    """(n,) float64: +1 for an unsafe prompt, -1 for a safe one."""
    groups: np.ndarray
    """(n,) number of the group that each prompt is in: twins share one, any other prompt is alone."""
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.indices)

    @property
    def n_pairs(self) -> int:
        """Contrast pairs, both of whose prompts are used."""
        return self.n - len(np.unique(self.groups))

    def part(self, chosen: np.ndarray) -> References:
        """Only these positions; groups have to be whole."""
        return replace(
            self,
            indices=self.indices[chosen],
            twins=self.twins[chosen],
            sign=self.sign[chosen],
            groups=self.groups[chosen],
        )

    def batches(
        self,
        encoded: Sequence[Encoded],
        batch_tokens: int,
        rows_each: int = 1,
        alike: Sequence[Hashable] | None = None,
        call: int = CALL,
    ) -> Iterator[list[int]]:
        """Positions in `indices`, in batches of similar length: the longest first, groups kept whole.

        Each prompt takes `rows_each` rows of a batch; at least one group is in a batch, whatever the budget.
        `encoded` is the whole probe set. With `alike`, of each of it, only prompts for which it is equal come into
        one batch (`Judge.alike`); `call` is `Judge.call`. Raises CannotCompute where the prompts of a group are not
        alike.
        """
        lengths = [len(encoded[index].ids) for index in self.indices]
        members: dict[int, list[int]] = {}
        for position, group in enumerate(self.groups.tolist()):
            members.setdefault(group, []).append(position)
        kinds = [None if alike is None else alike[index] for index in self.indices]
        if any(kinds[i] != kinds[group[0]] for group in members.values() for i in group):
            raise CannotCompute(
                "Padding changes this judge's scores, and the two prompts of a contrast pair are not equally long; "
                "give pairs that align token by token."
            )
        longest = {number: max(lengths[i] for i in group) for number, group in members.items()}
        order: dict[Hashable, list[int]] = {}
        for number in sorted(members, key=lambda number: -longest[number]):
            order.setdefault(kinds[members[number][0]], []).append(number)
        for numbers in order.values():
            rows = [len(members[number]) * rows_each for number in numbers]
            for part in split(rows, [longest[number] for number in numbers], batch_tokens, call):
                yield [i for number in numbers[part] for i in members[number]]

    def partners(self, chosen: Sequence[int]) -> list[int] | None:
        """Place of each chosen position's twin among the chosen; None where the reference is the mean."""
        if self.kind == "mean":
            return None
        place = {int(self.indices[position]): number for number, position in enumerate(chosen)}
        return [place[int(self.twins[position])] for position in chosen]


def choose_references(context: Context, prompts: int) -> References:
    """At most `prompts` prompts of the probe set and their references. Raises CannotCompute when a class is
    absent."""
    return _chosen(context.probes, context.encoded, spread(context.probes, len(context.probes)), prompts)


def choose_wider(context: Context, prompts: int) -> References:
    """The same with the further contrast pairs, whose indices follow those of the probes; the probes come first."""
    own = len(context.probes)
    order = spread(context.probes, own)
    further = [own + index for index in spread(context.pairs, len(context.pairs))]
    probes, encoded = [*context.probes, *context.pairs], [*context.encoded, *context.encoded_pairs]
    found = _chosen(probes, encoded, [*order, *further], prompts)
    return found if found.kind == "twin" else choose_references(context, prompts)


def _chosen(probes: Sequence[Probe], encoded: Sequence[Encoded], order: Sequence[int], prompts: int) -> References:
    for label in ("safe", "unsafe"):
        if not any(probe.label == label for probe in probes):
            raise CannotCompute(
                f"The probe set has no {label} prompts, so nothing can be said about what tells safe from unsafe; "
                f"add {label} prompts to probes.jsonl."
            )
    twin = twin_of(probes)
    aligned = {one: two for one, two in twin.items() if fits(encoded[one], encoded[two])}
    if len(aligned) < 2 * MIN_PAIRS:
        even = 2 * min(sum(probe.label == label for probe in probes) for label in ("safe", "unsafe"))
        chosen = list(order[: min(even, max(2, prompts))])  # classes in turn: as many of each
        align = counted(len(aligned) // 2, "contrast pair aligns", "contrast pairs align")
        note = (
            f"Only {align} token by token, and {MIN_PAIRS} are needed to compare twins: units are compared with "
            "their mean over the probe set instead."
        )
        return _references(probes, "mean", chosen, twin, (note,))
    chosen: list[int] = []
    for index in order:
        if index in aligned and index not in chosen and len(chosen) + 2 <= max(2, prompts):
            chosen += [index, aligned[index]]
    return _references(probes, "twin", chosen, aligned, ())


def _references(
    probes: Sequence[Probe], kind: Reference, chosen: list[int], twin: dict[int, int], notes: tuple[str, ...]
) -> References:
    pairs = {index: min(index, twin.get(index, index)) if twin.get(index) in chosen else index for index in chosen}
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs.values()))}
    return References(
        kind=kind,
        indices=np.array(chosen, dtype=int),
        twins=np.array([twin[index] if kind == "twin" else -1 for index in chosen], dtype=int),
        sign=np.array([1.0 if probes[index].label == "unsafe" else -1.0 for index in chosen]),
        groups=np.array([numbers[pairs[index]] for index in chosen], dtype=int),
        notes=notes,
    )


def reference_values(
    values: SourceValues, mask: Tensor, partners: Sequence[int] | None, means: UnitMeans | None
) -> SourceValues:
    """The values of one batch's references, shaped as the batch's own.

    `partners` are the twins' rows in the batch (`References.partners`), else `means` are taken by token role, zero
    where there is padding. `mask` (prompts, tokens).
    """
    heads, neurons = (None, None) if means is None else (means.heads, means.neurons)
    return SourceValues(
        reference_input(values.input, mask, partners, means),
        _of_layers(values.heads, heads, mask, partners),
        _of_layers(values.neurons, neurons, mask, partners),
    )


def reference_input(
    values: Tensor, mask: Tensor, partners: Sequence[int] | None, means: UnitMeans | None
) -> Tensor:
    """The same of the stream alone that layer 0 reads: (prompts, tokens, d_model)."""
    return _of_layers([values], None if means is None else means.input[None], mask, partners)[0]


def _of_layers(
    values: list[Tensor], means: np.ndarray | None, mask: Tensor, partners: Sequence[int] | None
) -> list[Tensor]:
    """Of each layer (prompts, tokens, units); `means` (layers, 3, units)."""
    if partners is not None:
        rows = torch.tensor(partners, device=mask.device)
        return [layer[rows] for layer in values]
    if means is None:
        raise ValueError("references need either twins or means")
    roles = token_roles(mask)
    return [by_role(mean, roles, layer.dtype) for mean, layer in zip(means, values, strict=True)]


def by_role(mean: np.ndarray, roles: Tensor, dtype: torch.dtype) -> Tensor:
    """(3, units) means and (prompts, tokens) roles -> (prompts, tokens, units); zero where there is padding."""
    table = torch.from_numpy(np.vstack([mean, np.zeros_like(mean[:1])])).to(roles.device, dtype)
    return table[roles]

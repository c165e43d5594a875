"""What an overview says: which checkpoint is the best, what cannot be told apart from it, which one to ship.

Every sentence follows from numbers of the table beside it; `docs/truth.md` lists them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.findings.claims import SEPARATION, nothing_to_explain, power
from shared.findings.parts import Interval
from shared.findings.rates import rate, share
from shared.findings.text import number
from shared.views.overview.facts import CheckpointFacts
from shared.views.overview.standing import Beside, Standing, newest_judged


@dataclass(frozen=True)
class Verdict:
    """Sentences in plain text, without a full stop; empty where there is nothing to say."""

    best: str
    """The best checkpoint with its numbers, or why there is none."""
    apart: str
    """Which others cannot be told apart from it."""
    loss: str
    """What the validation loss does."""
    ship: str
    """The checkpoint to ship, and by which rule."""
    claims: bool
    """Whether anything is said that a judge which learned nothing must not get."""

    @property
    def sentences(self) -> list[str]:
        """Those that say something, each with its full stop, but for a question."""
        said = (each for each in (self.best, self.apart, self.loss, self.ship) if each)
        return [each if each.endswith("?") else f"{each}." for each in said]


def verdict(found: Standing) -> Verdict:
    """The sentences of a run."""
    best = found.best
    if best is None or best.auc is None:
        return Verdict(_nothing(found), "", "", "", claims=False)
    missed = f"; FNR {rate(best.fnr, best.unsafe)}" if best.fnr else ""
    first = f"{capital(best.label)} has the best AUC, {with_interval(best.auc)}{missed}"
    only = len(found.judged) == 1
    if only:
        first = f"{capital(best.label)} is the only one so far: AUC {with_interval(best.auc)}{missed}"
    return Verdict(first, "" if only else _apart(found), _loss(found.judged), _ship(found), claims=True)


def _nothing(found: Standing) -> str:
    """Why no checkpoint is the best one."""
    newest = newest_judged(found.facts)
    if newest is None:
        return "No checkpoint's verdicts are measured yet"
    if newest.separation is None:
        return "Nothing can be claimed: no checkpoint's verdicts were measured"
    why = nothing_to_explain(newest.separation, SEPARATION)
    if why is not None:
        return f"{capital(newest.label)}: {why[0].lower()}{why[1:]} ({power(newest.separation)})"
    if newest.separation.reversed:
        lower = "scores unsafe prompts lower than safe ones"
        return f"{capital(newest.label)} {lower}: are the labels the wrong way round?"
    return f"{capital(newest.label)} does not rank unsafe prompts above safe ones beyond chance"


def _apart(found: Standing) -> str:
    """By the exact test beside the best."""
    if not found.beside:
        return "Whether others differ is not tested: the prompts or their verdicts are not there any more"
    order = [each for each in found.judged if each.name in found.beside]
    by = {
        outcome: {n for n, b in found.beside.items() if b.outcome == outcome} for outcome in ("better", "undecided")
    }
    if by["better"]:
        name = min(by["better"], key=lambda each: found.beside[each].flips.p_value)
        label = next(each.label for each in order if each.name == name)
        return f"{capital(label)} is right more often at its threshold, {_on_changed(found.beside[name])}"
    if not by["undecided"]:
        closest = max(found.beside.values(), key=lambda beside: beside.share[2] if beside.share else 0.0)
        which = ", the closest" if len(order) > 1 else ""
        return f"Every other checkpoint is right less often{which} {_on_changed(closest)}"
    if len(by["undecided"]) == len(order):
        return "No other checkpoint can be told apart from it"
    return f"{capital(named(found.judged, by['undecided']))} cannot be told apart from it"


def _on_changed(beside: Beside) -> str:
    """ "on 94 % [76, 100] of 36 groups that changed": in the direction that the test tells."""
    if beside.share is None:
        return ""
    value, low, high = beside.share
    if beside.outcome == "worse":
        value, low, high = 1 - value, 1 - high, 1 - low
    changed = beside.flips.better + beside.flips.worse
    return f"on {rate(Interval(value=value, low=low, high=high), changed)} of {changed} groups that changed"


def _loss(judged: Sequence[CheckpointFacts]) -> str:
    """Where the logged validation loss is lowest, and whether it has risen ever since."""
    known = [(each.val_loss, each) for each in judged if each.val_loss is not None]
    if len(known) < 2:
        return ""
    place = min(range(len(known)), key=lambda index: (known[index][0], index))
    since = [loss for loss, _ in known[place:]]
    lowest, label = since[0], known[place][1].label
    if len(since) == 1:
        return f"Validation loss is lowest at the newest, {number(lowest)}"
    if len(since) > 2 and all(later > earlier for earlier, later in pairwise(since)):
        return f"Validation loss rises since {label}, from {number(lowest)} to {number(since[-1])}"
    return f"Validation loss is lowest at {label}, {number(lowest)}; {number(since[-1])} now"


def _ship(found: Standing) -> str:
    """The stated rule, with the number that it decided by."""
    limit = share(found.limit)
    if found.ship is None or found.ship.fnr is None:
        return f"Nothing to ship by the rule: no checkpoint has an FPR of {limit} or less"
    at_most = share(found.ship.fnr.high, found.ship.unsafe)
    return f"Ship {found.ship.label}: the lowest upper bound of FNR, {at_most}, at FPR ≤ {limit}"


HOW_TO_READ = (
    "The best has the highest AUC on the probe set. The others are compared with it prompt by prompt (exact "
    "McNemar test over groups of prompts; p must stay below 0.002 and below 0.05 divided by the number of pairs "
    "of checkpoints; the share of the groups that changed has the interval of that test). To ship: among the "
    "checkpoints whose FPR is at most what you choose, the one whose FNR has the lowest upper end of its 95 % "
    "interval, each at its own threshold. The best is picked on the prompts that it is measured on, so its "
    "numbers flatter it a little: before you ship, measure it on prompts that chose nothing."
)
"""What the sentences rest on."""


def named(judged: Sequence[CheckpointFacts], names: Collection[str]) -> str:
    """ "epoch 2 to epoch 4 and epoch 6": checkpoints that follow each other in the run are one stretch."""
    stretches: list[list[str]] = []
    before = -2
    for place, each in enumerate(judged):
        if each.name in names:
            if place == before + 1:
                stretches[-1].append(each.label)
            else:
                stretches.append([each.label])
            before = place
    told = [found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}" for found in stretches]
    if len(told) > MOST_STRETCHES:
        return f"{len(names)} checkpoints"
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


MOST_STRETCHES = 3
"""Stretches that are named; more are only counted."""


def with_interval(value: Interval | None) -> str:
    """ "0.91 [0.85, 0.95]" """
    return "–" if value is None else f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]

"""Which verdicts differ between two checkpoints, and whether that is more than chance: exact tests, in words."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from shared.findings.alerts import Flips, p_words
from shared.findings.claims import CHANCE
from shared.findings.flips import at_odds
from shared.findings.text import clean, counted, percent
from shared.records import Probe
from shared.views.compare.pairing import Pairing
from shared.views.overview.change import flips_between, told
from shared.views.overview.facts import Verdicts
from shared.views.overview.verdict import capital

Outcome = Literal["fixed", "broken"]
LEAST = next(groups for groups in range(1, 64) if 2 * 0.5**groups < CHANCE)
"""Groups of prompts that must change, all of them one way, before any test could tell two judges apart."""
OF = {"accuracy": "all prompts", "fnr": "unsafe prompts", "fpr": "safe prompts", "pairs": "contrast pairs"}
"""What is tested -> the probe prompts that it is about, in the order shown."""


class Flip(NamedTuple):
    """One prompt whose verdict differs."""

    probe: Probe
    there: float
    """Score, nats."""
    here: float
    outcome: Outcome
    """fixed: wrong there and right here; broken: the other way."""


def flipped(found: Pairing) -> list[Flip]:
    """The prompts judged differently: the broken ones first, those that moved furthest first."""
    right = found.right[1]
    rows = [
        Flip(probe, float(there), float(here), "fixed" if right[place] else "broken")
        for place, (probe, there, here) in enumerate(zip(found.probes, *found.scores, strict=True))
        if (there > 0) != (here > 0)
    ]
    return sorted(rows, key=lambda row: (row.outcome == "fixed", -abs(row.here - row.there)))


def exact_tests(found: Pairing) -> dict[str, Flips]:
    """By the keys of `OF`: what flipped from there to here; without those that no prompt is of."""
    before, now = (Verdicts(scores, found.unsafe) for scores in found.scores)
    by_name = flips_between(before, now, found.probes)
    return {name: by_name[name] for name in OF if name in by_name}


def sentence(found: Pairing, by_name: dict[str, Flips], same: bool = False) -> str:
    """Whether the two judge differently, from the test over all prompts; without a full stop.

    `same`: the two are the same weights, config and tokenizer.
    """
    there, here = found.names
    flips = by_name.get("accuracy")
    if flips is None:
        return f"{capital(here)} and {there} have no probe prompt in common, so nothing is compared"
    on = f"the same {counted(flips.of, 'probe prompt')}"
    if not flips.flipped:
        judge = ", and are the same judge: weights, config and tokenizer have one digest" if same else ""
        return f"{capital(here)} and {there} give the same verdict on all of {on}{judge}"
    fixed, broken = flips.flipped - flips.wrong, flips.wrong
    if same:
        return (
            f"{capital(here)} and {there} have the same weights, and yet {counted(flips.flipped, 'verdict')} of "
            f"{flips.of} differ, {fixed} fixed and {broken} broken ({exact_words(flips)}): they were read or run "
            "in another way"
        )
    counts = f"{counted(fixed, 'verdict')} fixed and {broken} broken of {on} ({exact_words(flips)})"
    if not told(flips):
        few = flips.worse + flips.better < LEAST
        why = f"; with fewer than {LEAST} changed groups of prompts no test could tell" if few else ""
        return f"{capital(here)} and {there} cannot be told apart: {counts}{why}"
    if at_odds(flips):
        return f"{capital(here)} against {there} is {outcome(flips)}: {counts}"
    more = "more" if flips.better > flips.worse else "less"
    return f"{capital(here)} is right {more} often than {there}: {counts}"


def exact_words(flips: Flips) -> str:
    """ "exact McNemar test, 10 groups better and 1 worse, p = 0.012" """
    return (
        f"exact McNemar test, {counted(flips.better, 'group')} better and {flips.worse} worse, "
        f"{p_words(flips.p_value)}"
    )


def outcome(flips: Flips) -> str:
    """What the test says of here against there; with the verdicts where they say otherwise than the groups."""
    if not told(flips):
        return "not told apart"
    better, broken = flips.better > flips.worse, flips.wrong
    if not at_odds(flips):
        return "better" if better else "worse"
    fixed = flips.flipped - broken
    how = "as many fixed as broken" if fixed == broken else f"more {'broken' if better else 'fixed'}"
    return f"{'better' if better else 'worse'} in more groups, but {how}"


def result_rows(found: Pairing, by_name: dict[str, Flips]) -> list[dict[str, Any]]:
    """The tests as a table, one set of prompts a row, in words."""
    there, here = found.names
    return [
        {
            "of the probe set": OF[name],
            "n": flips.of,
            f"wrong, {here}": _wrong(flips.wrong_now, flips.of),
            f"wrong, {there}": _wrong(flips.wrong_before, flips.of),
            "fixed": flips.flipped - flips.wrong,
            "broken": flips.wrong,
            "groups better": flips.better,
            "groups worse": flips.worse,
            "exact test": p_words(flips.p_value),
            "result": outcome(flips),
        }
        for name, flips in by_name.items()
    ]


def _wrong(count: int, of: int) -> str:
    return f"{count} ({percent(count / of)})"


def flip_rows(rows: list[Flip], names: tuple[str, str]) -> list[dict[str, Any]]:
    """The flipped prompts as a table; texts may hold anything, and are shown as one line each."""
    there, here = names
    return [
        {
            "outcome": row.outcome,
            "prompt": clean(row.probe.text),
            "label": row.probe.label,
            "category": clean(row.probe.category),
            f"score, {here}": round(row.here, 2),
            f"score, {there}": round(row.there, 2),
        }
        for row in rows
    ]

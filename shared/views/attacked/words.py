"""What is said of an attack beside its headline: how to read it, what was found, what it rests on; and its rows."""

from __future__ import annotations

from typing import Any

from shared.figures.attack.heat_map import NAMES
from shared.findings.attack import GRADIENT_COST, AttackArchive, Direction
from shared.findings.attack_sentences import depth, extent, fate, over_checkpoints, rewordings, strongest
from shared.findings.claims import SEPARATION, nothing_to_explain
from shared.findings.text import clean, counted, signed

STRONGEST = 4
"""Words of an example that are named: those that pushed it most."""
READING = (
    (
        "What it shows",
        " Prompts whose label is known, put in ways that keep it, until the judge errs. Each cell holds the text "
        "of one risk and one technique that the judge is surest to misread.",
    ),
    (
        "How to read it",
        " A number is nats for the wrong verdict: 1 nat is odds of 2.7 to 1. A larger budget finds more, so "
        "compare archives of one budget only. Success counts seeds, each once.",
    ),
    (
        "Worrying",
        " A row or column that is red throughout: a risk, or a way of asking, that the judge does not see through; "
        "safe prompts refused as soon as they are framed.",
    ),
)
"""What stands on every such page: lead, and the rest."""


def claims(archive: AttackArchive) -> bool:
    """Whether the headline says something of the judge that one which learned nothing must not get."""
    return nothing_to_explain(archive.to_explain, SEPARATION) is None


def table_rows(archive: AttackArchive) -> list[dict[str, Any]]:
    """One row a failure."""
    return [
        {
            "label": failure.label,
            "risk": failure.risk,
            "technique": failure.technique,
            "score": failure.score,
            "seed_score": failure.seed_score,
            "wrong_from_layer": failure.wrong_from,
            "rules": ", ".join(failure.rules),
            "text": failure.text,
            "seed": failure.seed,
        }
        for failure in archive.failures
    ]


def attack_subtitle(archive: AttackArchive) -> str:
    """What the headline rests on."""
    return "; ".join(f"{NAMES[direction.label]}: {extent(direction)}" for direction in archive.directions)


def attack_paragraphs(archive: AttackArchive) -> list[tuple[str | None, str]]:
    """What it shows, how to read it, what would be worrying, and what was found."""
    said = [(NAMES[each.label], f" {extent(each)}. {strongest(each)}") for each in archive.directions]
    said = [(name[:1].upper() + name[1:], words) for name, words in said]
    more = [
        ("Inside", depth(archive)),
        ("Over the run", over_checkpoints(archive)),
        ("Reworded", rewordings(archive)),
    ]
    return [*READING, *said, *((lead, f" {words}") for lead, words in more if words)]


def attack_method(archive: AttackArchive) -> str:
    """The honesty line: what the numbers rest on."""
    seeds = ", ".join(
        f"{each.right} of {counted(each.seeds, f'{each.label} seed')} judged rightly" for each in archive.directions
    )
    gradients = sum(each.gradients for each in archive.directions)
    picked = f" ({counted(gradients, 'gradient')} among them, each counted as {GRADIENT_COST})" if gradients else ""
    writes = "no model writes" if archive.reworded is None else "what a model rewords counts once confirmed"
    return (
        f"MAP-Elites over derivations of {archive.seeds_from} ({seeds}) · {archive.budget} evaluations{picked}, "
        f"seed {archive.seed} · only rules that keep the label, {writes} · failures read again before they "
        f"count · search {archive.key}"
    )


def example_rows(direction: Direction, archive: AttackArchive) -> list[dict[str, Any]]:
    """The examples, each with its lineage, the words that pushed it most, and its fate over the run."""
    return [
        {
            "prompt": clean(failure.text),
            "score (nats)": round(failure.score, 2),
            "how": " + ".join([failure.technique, *failure.rules]),
            "from": clean(failure.seed),
            "its score": round(failure.seed_score, 2),
            "words that pushed most": ", ".join(
                f"{clean(word.text).strip()} {signed(word.value)}"
                for word in sorted(example.words, key=lambda word: -abs(word.value))[:STRONGEST]
            ),
            "wrong from layer": failure.wrong_from,
            "over the run": fate(failure, archive),
        }
        for example in direction.examples
        for failure in [direction.failures[example.failure]]
    ]


def name_of(direction: Direction) -> str:
    """ "Unsafe passed as safe" """
    name = NAMES[direction.label]
    return name[:1].upper() + name[1:]

"""Sentences and tables of an answer: the verdict, what flips it, its nearest probes, changes that were tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.findings.asked_sentences import among_words, flips_words, twin_words_of, verdict_words
from shared.findings.text import clean, signed

if TYPE_CHECKING:
    from shared.findings.asked import AskedResult, Flips, WordChange

LONG = 200
"""Characters of a prompt in a table."""


def answer_sentences(label: str, found: AskedResult) -> list[str]:
    """What is said first of an answer: the verdict, where it lies among the probes, and the twin."""
    beside = f", {among_words(found.among)}" if found.among is not None else ""
    twin = twin_words_of(found)
    said = [f"{label}: {verdict_words(found)}{beside}."]
    return [*said, f"{twin[:1].upper()}{twin[1:]}."] if twin else said


def weakness(flips: Flips) -> str:
    """What flips the verdict, as a weakness of the judge."""
    return f"{flips_words(flips)}."


def flip_rows(flips: Flips) -> list[dict[str, Any]]:
    """The words that were replaced, in the order they were put in."""
    return [
        {"replaced": clean(each.old, 60), "by": clean(each.new, 60), "score then (nats)": signed(each.score)}
        for each in flips.found.words
    ]


def nearest_rows(found: AskedResult) -> list[dict[str, Any]]:
    """The probes that the judge sees as most alike."""
    return [
        {
            "alike": round(near.similarity, 2),
            "probe": clean(near.text, LONG),
            "is": near.label,
            "score (nats)": round(near.score, 2),
            "category": clean(near.category, 60),
        }
        for near in found.nearest
    ]


def change_row(label: str, change: WordChange, score: float) -> dict[str, Any]:
    """One change that was tried, beside the prompt's own `score`."""
    verdict, own = ("unsafe" if value > 0 else "safe" for value in (change.score, score))
    return {
        "checkpoint": label,
        "word": clean(change.old, 60),
        "becomes": clean(change.new, 60) if change.new else "(deleted)",
        "score (nats)": signed(change.score),
        "change (nats)": signed(change.score - score),
        "verdict": verdict if verdict == own else f"{verdict}: it turns",
    }

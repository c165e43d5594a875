"""What is said of an asked prompt: each sentence from a number of its answer (docs/truth.md)."""

from __future__ import annotations

from shared.findings.asked import AmongProbes, AskedResult, Flips
from shared.findings.text import clean, counted, percent, signed
from shared.findings.tokens import SampleAttribution

NAMED = 5
"""Words that a sentence names."""
SHOWN = 60
"""Characters of a text that is shown in a sentence."""


def verdict_words(found: AskedResult) -> str:
    """ "unsafe, score +3.21 nats (96 % unsafe)", without the percentage where the judge states no probability."""
    one = found.prompt
    stated = "" if one.probability is None else f" ({percent(one.probability)} unsafe)"
    return f"{one.verdict}, score {signed(one.score)} nats{stated}"


def among_words(among: AmongProbes) -> str:
    """Where the score lies among the probes', of which it says how many there are."""
    sides = [
        f"{percent(share)} of {counted(len(scores), name)}"
        for share, scores, name in (
            (among.below_unsafe, among.unsafe, "unsafe probe"),
            (among.below_safe, among.safe, "safe probe"),
        )
        if share is not None
    ]
    return f"higher than {' and '.join(sides)}" if sides else "without probes beside it"


def twin_words_of(found: AskedResult) -> str:
    """What the twin does to the verdict; empty without one."""
    twin = found.twin
    if twin is None:
        return ""
    apart = "another verdict" if twin.verdict != found.prompt.verdict else "the same verdict"
    return f"its twin: {twin.verdict}, score {signed(twin.score)} nats, {apart}"


def word_list(words: SampleAttribution) -> str:
    """The strongest words with their attribution, and what really happens without them where that was tried."""
    said = sorted((word for word in words.words if not word.special), key=lambda word: -abs(word.value))[:NAMED]
    named = [
        f"{clean(word.text, SHOWN)} {signed(word.value)}"
        + (f" (replaced: {signed(word.check.effect.value)})" if word.check is not None else "")
        for word in said
    ]
    start = {"twin": "against its twin", "mask": "against no words", "space": "against no words"}
    missed = "" if words.converged else f"; the attribution misses its bound (gap {percent(words.gap)})"
    return f"{', '.join(named)} nats, {start.get(words.baseline, 'against a mean word')}{missed}"


def flips_words(flips: Flips) -> str:
    """How few words flip the verdict, beside as many random ones. A weakness of the judge, no advice to anybody."""
    changes = ", ".join(f"{clean(c.old, SHOWN)} → {clean(c.new, SHOWN)}" for c in flips.found.words)
    many = counted(len(flips.found.words), "word")
    beside = f"as many random words do so in {flips.random_flipped} of {counted(flips.random_draws, 'draw')}"
    if not flips.found.flipped:
        return (
            f"no change of up to {counted(flips.most, 'word')} that was tried flips the verdict; the nearest is "
            f"{signed(flips.found.score)} nats ({changes})"
        )
    flip = "flips" if len(flips.found.words) == 1 else "flip"
    return f"{many} replaced {flip} the verdict: {changes}, {signed(flips.found.score)} nats; {beside}"


def deleted_words(found: AskedResult) -> str:
    """Which single words carry the verdict: without one of them it is the other one."""
    up = found.prompt.score > 0
    turned = [change for change in found.deleted if (change.score > 0) != up]
    if not found.deleted:
        return ""
    if not turned:
        return f"no single word of {len(found.deleted)} carries the verdict: it stays without each of them"
    named = ", ".join(clean(change.old, SHOWN) for change in turned[:NAMED])
    more = f" and {len(turned) - NAMED} more" if len(turned) > NAMED else ""
    return f"the verdict turns without {named}{more}"

"""Words about units (neurons, heads): numbers of nats, tokens in context, and what should worry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.kit.style import CLASS_COLOUR, GREY
from shared.figures.kit.text_layout import text_width
from shared.findings.text import clean, counted, escape, percent, shorten
from shared.findings.unit_sentences import agreement_words, carries_most

if TYPE_CHECKING:
    from shared.findings.claims import ToExplain
    from shared.findings.heads import AttendedToken, HeadRow
    from shared.findings.neurons import NeuronRow, TokenInContext
    from shared.findings.units import Agreement

    Units = Sequence[NeuronRow] | Sequence[HeadRow]

LOW_AGREEMENT = 0.5
"""Attribution is not to be believed without ablation where Spearman's correlation is surely below this."""
ENOUGH = 8
"""Pairs of numbers without which a rank correlation denies nothing."""
_LINE, _SIZE = 330.0, 12.5
"""Pixels for a token in its context, and the font size."""


def nats(value: float) -> str:
    """A number of nats with two digits that mean something, and a typographer's minus: "2.10", "0.031", "−0.50"."""
    if value == 0:
        return "0"
    digits = 2 if abs(value) >= 0.095 else min(6, 1 - math.floor(math.log10(abs(value))))
    text = f"{abs(value):.{digits}f}"
    return ("−" if value < 0 and float(text) else "") + text


def context_lines(tokens: Sequence[TokenInContext]) -> tuple[str, str]:
    """The strongest token with its context, and below it the other tokens; escaped, with the token in bold."""
    if not tokens:
        return "–", "no tokens recorded"
    others = []
    left = _LINE * _SIZE / 11
    for each in tokens[1:]:
        word = clean(each.token, 18).strip() or "·"
        left -= text_width(word, _SIZE) + 12
        if left < 40:
            break
        others.append(f"<b>{escape(word)}</b>")
    return _in_context(tokens[0]), "also " + ", ".join(others) if others else "&#160;"


def _in_context(token: TokenInContext) -> str:
    """ "…how do I **kill** a Python…", cut at both ends to the room there is, after the prompt's label."""
    word = clean(token.token, 24) or "·"
    room = _LINE - text_width(word, _SIZE) - text_width(f"{token.label}  ", _SIZE)
    before = _cut(clean(token.before)[::-1], 0.45 * room)[::-1]
    after = _cut(clean(token.after), room - text_width(before, _SIZE))
    label = f'<span style="color:{CLASS_COLOUR[token.label]}">{token.label}</span>'
    return f"{label} {escape(before)}<b>{escape(word)}</b>{escape(after)}"


def _cut(text: str, room: float) -> str:
    """As much of the beginning as fits into `room` pixels, with an ellipsis where something is missing."""
    end = 0
    while end < len(text) and room > text_width("…", _SIZE):
        room -= text_width(text[end], _SIZE)
        end += 1
    return text if end >= len(text) else text[:end] + "…"


def context_hover(tokens: Sequence[TokenInContext]) -> str:
    """Every token with its context, activation and the prompt's label, one a line; escaped."""
    return "<br>".join(
        f"{each.label}, {each.activation:.3g}: {escape(shorten(clean(each.before)[-40:], 40))}"
        f"<b>{escape(each.token, 80)}</b>{escape(each.after, 40)}"
        for each in tokens
    )


def context_cell(tokens: Sequence[TokenInContext]) -> str:
    """The same for a table: "…how do I [kill] a Python… (safe, 3.2); …"."""
    return "; ".join(
        f"{clean(each.before)[-30:]}[{clean(each.token, 60)}]{clean(each.after, 30)} "
        f"({each.label}, {each.activation:.3g})"
        for each in tokens
    )


def opposed(units: Units, found: ToExplain) -> str:
    """ " · without 3 of the 10 the separation grows", or nothing; growth below `LEAST_SHARE` does not count."""
    count = sum(
        found.worth_saying(unit.ablation.drop) and found.share(unit.ablation.drop).high < 0 for unit in units
    )
    return f" · without {count} of the {len(units)} shown the separation grows" if count else ""


def unit_flags(units: Units, agreement: Agreement | None, noun: str) -> list[str]:
    """What a reader must know before believing the rows: too much in one place, effects that removal denies."""
    flags = [
        f"ONE {noun[:-1].upper()} CARRIES MOST: without {unit.name} {percent(unit.ablation.share.value)} of the "
        "separation is lost"
        for unit in units
        if unit.ablation.share is not None and carries_most(unit.ablation)
    ][:1]
    idle = [unit.name for unit in units if unit.ablation.drop.low <= 0 <= unit.ablation.drop.high]
    if 3 * len(idle) > len(units):
        named = ", ".join(idle[:4]) + (f" and {len(idle) - 4} more" if len(idle) > 4 else "")
        flags.append(f"NO CLEAR LOSS without {len(idle)} of the {len(units)} shown, each alone: {named}")
    disputed = sum(unit.disputed for unit in units)
    if 2 * disputed > len(units):
        flags.append(
            f"DISPUTED: plain and integrated gradient disagree on {disputed} of "
            f"{counted(len(units), noun[:-1])} shown"
        )
    if agreement is not None and agreement.spearman.high < LOW_AGREEMENT:
        flags.append(f"ATTRIBUTION AND ABLATION DISAGREE ({agreement_words(agreement)}): believe the bars only")
    return flags


def attended_lines(head: HeadRow) -> tuple[str, str]:
    """The tokens a head looks for, by lift, sinks in grey; below, from the position the verdict is read at."""
    read = f"from the verdict's position: {_attended(head.read_attends, 11)}" if head.read_attends else "&#160;"
    return _attended(head.attends, _SIZE), read


def _attended(tokens: Sequence[AttendedToken], size: float) -> str:
    """ "**kill** ×4.2 (25 %), …" as far as there is room, the sinks last."""
    parts, left = [], (_LINE if size == _SIZE else _LINE - 170)
    for each in sorted(tokens, key=lambda token: token.sink):
        word = clean(each.token, 18).strip() or "·"
        numbers = f" ×{each.lift:.1f} ({percent(each.share)})" + (" sink" if each.sink else "")
        left -= 1.1 * text_width(f"{word}{numbers}, ", size)  # 1.1: bold
        if left < 0 and parts:
            break
        text = f"<b>{escape(word)}</b>{numbers}"
        parts.append(f'<span style="color:{GREY}">{text}</span>' if each.sink else text)
    return ", ".join(parts) or "–"


def attended_hover(head: HeadRow) -> str:
    """All attended tokens with share, lift and prompts, one a line; escaped."""
    lines = [_attended_line(each) for each in head.attends]
    if head.read_attends:
        lines += [
            "from the position the verdict is read at:",
            *(_attended_line(each) for each in head.read_attends),
        ]
    return "<br>".join(lines)


def _attended_line(each: AttendedToken) -> str:
    sink = ", a sink" if each.sink else ""
    return (
        f"<b>{escape(each.token, 80)}</b>: {percent(each.share, 1)} of attention, {each.lift:.2f} times its even "
        f"share, in {counted(each.prompts, 'prompt')}{sink}"
    )


def attended_cell(tokens: Sequence[AttendedToken]) -> str:
    """The same for a table."""
    return "; ".join(
        f"{clean(each.token, 60)} ×{each.lift:.2f} ({percent(each.share, 1)}{', sink' if each.sink else ''})"
        for each in tokens
    )

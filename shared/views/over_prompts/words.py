"""The words page over all attributed prompts: which words the judge goes by, alone or in combination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared.figures.words_over_prompts import WordRow, words_over_prompts
from shared.findings.badge import badge
from shared.findings.claims import power
from shared.findings.parts import interval_cells
from shared.findings.text import counted, escape
from shared.findings.tokens import TokensResult
from shared.findings.word_checks import TopWord, WordPair
from shared.findings.word_sentences import (
    BASELINES,
    agreement_of,
    filler_share,
    instead_of,
    instead_of_any,
    words_headline,
)
from shared.views import Panel

if TYPE_CHECKING:
    from shared.results import ResultRecord


def words_panel(record: ResultRecord, result: TokensResult) -> Panel:
    """One figure: the listed words, and the pairs that were tried together."""
    flags = [escape(result.shortcut_alarm)] if result.shortcut_alarm else []
    rows = [*_pair_rows(result), *_word_rows(result)]
    return Panel(
        stem="words",
        title=f"Words over {counted(result.n_prompts, 'prompt')}, {record.label}",
        figure=words_over_prompts(rows, escape(words_headline(result), None), escape(_below(result), None), flags),
        caption=_caption(result),
        alt=_alt(result),
        rows=_table(result),
        badge=badge(record, _facts(result)),
    )


def _below(result: TokensResult) -> str:
    return f"separation: {power(result.separation)} · attribution against replacement: {_agreement(result)}"


def _agreement(result: TokensResult) -> str:
    return "; ".join(f"Spearman, {agreement_of(found)}" for found in result.agreement) or "no word was replaced"


def _listed(result: TokensResult) -> Iterator[tuple[str, str, TopWord]]:
    """(baseline, direction, word) of every listed word."""
    for found in result.top:
        for towards, words in (("unsafe", found.unsafe), ("safe", found.safe)):
            for word in words:
                yield BASELINES[found.baseline], towards, word


def _word_rows(result: TokensResult) -> list[WordRow]:
    rows = []
    for _, _, word in _listed(result):
        compared = f" {instead_of_any(word)}" if word.instead_of else ""
        name = escape(f"{word.text}{compared} (n={word.count})", 44)
        rows.append(WordRow(name, word.value, word.check))
    return rows


def _pair_rows(result: TokensResult) -> list[WordRow]:
    return [
        WordRow(escape(f"{' & '.join(pair.words)}, together (n={pair.groups})", 44), None, pair.together)
        for pair in result.pairs
    ]


def _caption(result: TokensResult) -> str:
    return (
        "What it shows: words that occur in two independent groups of prompts or more, by their mean attribution "
        "in nats, and what really becomes of the score when they are replaced by neutral words of their kind. "
        "Prompts attributed from their contrast twin stand apart from those attributed from no words: "
        'there, a word is compared with the twin\'s word ("instead of", or "(twin)"). A pair is two '
        'words replaced each and both: "together" is what they do beyond the sum of each.\n'
        "How to read: a word counts where both intervals are clear of 0 and on one side; those of few prompts are "
        "wide. A pair acts in combination where more than half of what it does is neither word's own.\n"
        "Worrying: one word that decides wherever it stands; template words; attribution and replacement that do "
        f"not agree. {filler_share(result)}"
    )


def _alt(result: TokensResult) -> str:
    words = [
        f"{word.text} {word.value.value:+.2f} [{word.value.low:.2f}, {word.value.high:.2f}] (n={word.count})"
        for _, _, word in _listed(result)
    ]
    return f"{words_headline(result)}. {_below(result)}. Listed: {'; '.join(words) or 'no word'}."


def _table(result: TokensResult) -> list[dict[str, Any]]:
    rows = [_pair_row(pair) for pair in result.pairs]
    return rows + [
        {
            "word": word.text,
            "towards": towards,
            "baseline": baseline,
            "compared": instead_of(", ".join(word.instead_of)) if word.instead_of else "",
            "prompts": word.count,
            "groups": word.groups,
            **interval_cells("mean_attribution_nats", word.value),
            **interval_cells("replaced_nats", word.check),
            "prompts_replaced": word.checked,
        }
        for baseline, towards, word in _listed(result)
    ]


def _pair_row(pair: WordPair) -> dict[str, Any]:
    return {
        "word": " & ".join(pair.words),
        "towards": "in combination" if pair.in_combination else "not in combination",
        "baseline": "",
        "compared": "",
        "prompts": pair.prompts,
        "groups": pair.groups,
        **interval_cells("together_nats", pair.together),
        "share_of_together": pair.share,
        **interval_cells("first_alone_nats", pair.alone[0]),
        **interval_cells("second_alone_nats", pair.alone[1]),
        "p_value": pair.p_value,
    }


def _facts(result: TokensResult) -> list[str]:
    used = ", ".join(f"{count} from {BASELINES[kind]}" for kind, count in result.baselines.items())
    return [
        f"n = {counted(result.n_prompts, 'prompt')} attributed ({used})",
        "95 % intervals: Student's t over groups of prompts; of the agreement bootstrap",
        f"{counted(result.check_rows, 'prompt')} with replaced words scored",
        f"{counted(len(result.pairs), 'pair')} tried",
    ]

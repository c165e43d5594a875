"""What the words page says: its headline, what a word was compared with, and how far a replacement agrees."""

from __future__ import annotations

from shared.findings.claims import FEWEST_GROUPS, SEPARATION, nothing_to_explain
from shared.findings.parts import Interval
from shared.findings.text import clean, counted, number, percent, signed
from shared.findings.tokens import SampleAttribution, TokensResult, Word
from shared.findings.word_checks import FACTOR, Agreement, TopWord, WordCheck, WordPair

BASELINES = {"twin": "contrast twin", "mask": "mask/pad embedding", "space": "spaces", "mean": "mean embedding"}
LONGEST = 40
"""Characters of a word in a sentence."""
SHIFTED = "prompts score beside their baselines by"


def quoted(text: str) -> str:
    return f'"{clean(text, LONGEST)}"'


def instead_of(text: str) -> str:
    """What a word attributed from the twin was compared with."""
    return f"instead of {clean(text, LONGEST)!r}" if text else "where the twin has no word"


def instead_of_any(word: TopWord) -> str:
    """What a listed word was compared with: in each prompt the word that its own twin has."""
    return instead_of(word.instead_of[0]) if len(word.instead_of) == 1 else "instead of its twins' words"


def nothing_of_words(result: TokensResult) -> str | None:
    """Why no word is named; None where words may be."""
    return nothing_to_explain(result.separation, SEPARATION) or nothing_to_explain(result.shift, SHIFTED)


def words_headline(result: TokensResult) -> str:
    """Which words the judge goes by, over the prompts: a pair that only together does it, else single words."""
    for pair in result.pairs:
        if pair.in_combination and result.separation.claimable:
            return _combination(pair)
    nothing = nothing_of_words(result)
    if nothing is not None:
        return nothing
    clear = [word for found in result.top for word in [*found.unsafe, *found.safe] if word.clear]
    if not clear:
        return f"No single word is told from chance over {FEWEST_GROUPS} groups of prompts or more"
    first, *others = sorted(clear, key=lambda word: -abs(word.value.value))[:2]
    return "; ".join([_single(first), *(_further(word, first) for word in others)])


def _combination(pair: WordPair) -> str:
    one, other = map(quoted, pair.words)
    alone = " and ".join(signed(each.value) for each in pair.alone)
    return (
        f"{one} and {other}, in combination: {_nats(pair.together)} that neither has alone ({alone}), "
        f"in {counted(pair.groups, 'group')}"
    )


def _single(word: TopWord) -> str:
    replaced = f", replaced {_clear(word.check)}" if word.check else ""
    compared = f" {instead_of_any(word)}" if word.instead_of else ""
    pushes = f"pushes to {_towards(word)}: {_nats(word.value)}{replaced}"
    return f"{quoted(word.text)}{compared} {pushes}, n={word.count}"


def _further(word: TopWord, first: TopWord) -> str:
    """Another word in fewer words: its interval, and the direction where that is another.

    It is marked where it was compared with its twin's words: what that says is not of the word alone.
    """
    towards = "" if _towards(word) == _towards(first) else f" to {_towards(word)}"
    marked = f"{quoted(word.text)}{' (twin)' if word.instead_of else ''}"
    return f"{marked}{towards} {_clear(word.value)}"


def _towards(word: TopWord) -> str:
    return "unsafe" if word.value.value > 0 else "safe"


def _clear(found: Interval) -> str:
    return f"{signed(found.value)} [{number(found.low)}, {number(found.high)}]"


def _nats(found: Interval) -> str:
    return f"{signed(found.value)} nats [{number(found.low)}, {number(found.high)}]"


def replaced_by(check: WordCheck) -> str:
    """A word's check in a few words."""
    return f"replaced by {counted(check.draws, 'word')} of its kind ({check.kind}): {_nats(check.effect)}"


def disagrees(word: Word) -> str | None:
    """What the check says otherwise, in a few words."""
    if word.disagreement == "sign":
        return "DISAGREE: replacing it moves the score the other way"
    if word.disagreement == "factor":
        return f"DISAGREE: attribution and replacement differ more than {FACTOR:.0f}-fold"
    return None


def compared_with(sample: SampleAttribution) -> str:
    """The baseline, for the line below the headline."""
    if sample.baseline != "twin":
        return BASELINES[sample.baseline]
    words = [f"{clean(word.text, 24)} {instead_of(word.instead_of)}" for word in sample.words if word.instead_of]
    return f"contrast twin ({', '.join(words[:4])}{' …' if len(words) > 4 else ''})"


def checked_of(sample: SampleAttribution) -> str:
    """How many words were replaced, and in how many that disagrees."""
    checked = [word for word in sample.words if word.check is not None]
    if not checked:
        return "no word was replaced"
    against = sum(word.disagreement is not None for word in checked)
    return f"{counted(len(checked), 'word')} replaced, {against} disagree (≠)"


def agreement_of(found: Agreement) -> str:
    if found.spearman is None:
        return f"{BASELINES[found.baseline]}: too few words ({found.words})"
    value = found.spearman
    return (
        f"{BASELINES[found.baseline]}: {value.value:.2f} [{value.low:.2f}, {value.high:.2f}], "
        f"{counted(found.words, 'word')} of {counted(found.prompts, 'prompt')}"
    )


def strongest_words(sample: SampleAttribution) -> str:
    """The five strongest words by share of the shift, for the text that stands in for the picture."""
    strongest = sorted(sample.words, key=lambda word: -abs(word.value))[:5]
    named = []
    for word in strongest:
        compared = f" {instead_of(word.instead_of)}" if word.instead_of is not None else ""
        against = f", but replaced {_nats(word.check.effect)}" if word.check and word.disagreement else ""
        named.append(f"{quoted(word.text)}{compared} {signed(word.value / sample.shift)}{against}")
    return "; ".join(named) or "none"


def filler_share(result: TokensResult) -> str:
    return (
        f"Special tokens, punctuation and stop words hold {percent(result.shortcut_share)} of the attribution of "
        "an average prompt."
    )

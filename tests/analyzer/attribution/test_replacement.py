"""Replacing words: which ones stand in for which, and that the effect is that of really scored prompts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.analyses.tokens import TokensSettings, tokens
from analyzer.attribution.replacement import effect, scores_of, versions
from analyzer.attribution.samples import twin_words
from analyzer.attribution.word_kinds import OWN, NeutralWords, balanced_words
from analyzer.attribution.words import words
from analyzer.model.batches import encode, token_names
from analyzer.statistics.ranks import spearman
from shared.findings.parts import Interval
from shared.findings.tokens import TokensResult
from shared.findings.word_checks import WordCheck, disagreement, near_ties
from tests.bench import Size, Unavailable
from tests.bench._judge import trained_judge as bench_judge
from tests.bench.words import WORDS, both
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.trained import rule_probes, trained_judge


def exactly(judge, text: str) -> float:
    """Score of one prompt by the model alone, without our batches."""
    with torch.no_grad():
        logits = judge.model(**judge.tokenizer([text], return_tensors="pt")).logits[0]
    ((safe,), (unsafe,)) = judge.columns
    return float(logits[unsafe] - logits[safe])


def test_the_effect_is_that_of_prompts_really_scored() -> None:
    judge, probes = trained_judge("bert"), rule_probes(12)
    neutral = NeutralWords(judge, probes)
    (encoded,) = encode(judge.tokenizer, [probes[0].text], judge.max_length)
    spans = words(encoded, token_names(judge.tokenizer, encoded.ids))
    found = versions(probes[0].text, spans, 3, neutral, 5)
    assert len(found.texts) == 5
    parts = probes[0].text.split()
    for text, word in zip(found.texts, found.words, strict=True):
        assert text.split() == [*parts[:2], word, *parts[3:]], "special tokens come first"
        assert word not in parts
    mine = scores_of(judge, list(found.texts), 4096)
    assert mine == pytest.approx([exactly(judge, text) for text in found.texts], abs=1e-4)
    value = effect(exactly(judge, probes[0].text), mine)
    assert value is not None
    assert value.value == pytest.approx(exactly(judge, probes[0].text) - np.mean(mine), abs=1e-4)
    assert value.high - value.value == pytest.approx(2.776 * mine.std(ddof=1) / 5**0.5, rel=1e-3)  # t, 4 degrees


def test_one_draw_has_no_interval() -> None:
    assert effect(1.0, np.array([0.5])) is None and effect(1.0, np.zeros(0)) is None


def test_a_made_up_vocabulary_gives_its_own_balanced_words() -> None:
    probes = [
        probe("bread gun tree", "unsafe", id="a"), probe("bread gun", "unsafe", id="b"),
        probe("bread song tree", id="c"), probe("bread song", id="d"), probe("once", id="e"),
    ]  # fmt: skip
    assert balanced_words(probes) == ["bread", "tree", "song", "gun"]
    neutral = NeutralWords(tiny_judge("bert"), probes, never={"tree"})
    assert neutral.pools[OWN] and set(neutral.pools[OWN]) == {"bread", "gun", "song"}
    assert neutral.draws("gun", "", 8, taken=["bread"]).words == ("song",)


def test_function_words_stand_in_for_function_words() -> None:
    neutral = NeutralWords(tiny_judge("bert"), random_probes())
    assert neutral.kind("With") == "preposition" and neutral.kind("gun") == OWN
    assert all(word[0].isupper() for word in neutral.draws("With", "", 3).words)


def test_twins_words_align_by_token() -> None:
    judge = tiny_judge("bert")
    own, twin = encode(judge.tokenizer, ["how to build a bomb", "how to build a cake"], 40)
    spans = [words(each, token_names(judge.tokenizer, each.ids)) for each in (own, twin)]
    found = twin_words(spans[0], own.ids, spans[1], twin.ids)
    assert found == (None, None, None, None, None, "cake", None)


def check(value: float, low: float, high: float) -> WordCheck:
    return WordCheck(effect=Interval(value=value, low=low, high=high), kind="noun", draws=8)


@pytest.mark.parametrize(
    ("attribution", "found", "wanted"),
    [
        (-6.2, check(0.24, -0.3, 0.8), "factor"),  # blamed for the absent twin
        (6.61, check(6.53, 6.0, 7.0), None),
        (2.0, check(-1.0, -1.5, -0.5), "sign"),
        (0.05, check(-1.0, -1.5, -0.5), "factor"),  # too small for a sign
        (0.5, check(3.0, 2.0, 4.0), "factor"),
        (1.5, check(3.0, 2.0, 4.0), None),
        (0.2, check(0.01, -0.02, 0.04), None),  # less than moves a verdict
        (1e-6, check(-2e-6, -3e-6, -1e-6), None),
    ],
)
def test_when_attribution_and_replacement_disagree(
    attribution: float, found: WordCheck, wanted: str | None
) -> None:
    assert disagreement(attribution, found) == wanted


def test_near_ties_are_neighbours_that_the_draws_cannot_tell_apart() -> None:
    checks = [check(5.0, 4.8, 5.2), None, check(-4.9, -5.2, -4.6), check(2.0, 1.9, 2.1), check(1.9, -0.5, 4.0)]
    assert near_ties(checks) == {2: 0}, "a word that may do nothing is tied with none"


def test_the_words_of_the_display_samples_are_checked() -> None:
    found = tokens(context(trained_judge("bert"), rule_probes(24)), TokensSettings(checked_words=3)).result
    assert isinstance(found, TokensResult)
    for sample in found.samples:
        strongest = sorted((word for word in sample.words if not word.special), key=lambda word: -abs(word.value))
        checked = [word for word in sample.words if word.check]
        assert len(checked) == 3 and abs(strongest[0].value) in [abs(word.value) for word in checked]
        for word in checked:
            assert word.check is not None and word.check.draws == 8
    assert found.check_rows >= 4 * 3 * 8 and found.baselines["twin"] > 4
    changed = [word for sample in found.samples if sample.baseline == "twin" for word in sample.words if word.value]
    assert changed and all(word.instead_of for word in changed)


@pytest.mark.slow
def test_eight_draws_say_what_every_neutral_word_of_the_kind_would() -> None:
    """Spearman over 200 words of a MiniLM judge, with the mean of all neutral words of the kind as the truth."""
    try:
        with bench_judge(Size.FULL) as (judge, probes, _):
            few, all_ = both(judge, probes, WORDS[Size.FULL])
    except Unavailable as missing:
        pytest.skip(str(missing))
    assert len(few) >= 200
    found = spearman(few, all_)
    assert found is not None and found >= 0.95

"""The words page and the first page on judges that go by a known rule, and on judges that learned nothing.

Scored on the sentence: what the page says first.
"""

from __future__ import annotations

import pytest

from analyzer.analyses.progress import ProgressSettings, progress
from analyzer.analyses.tokens import TokensSettings, tokens
from shared.findings.progress import ProgressResult
from shared.findings.tokens import TokensResult
from shared.findings.word_sentences import words_headline
from shared.results import ResultRecord, payload_of
from shared.views import get
from tests.making.fakes import fake_records
from tests.making.forms import short_and_long
from tests.making.judges import context
from tests.making.word_judges import Rule, either, length, long_trigger, place, probes_of, trigger, word_judge, xor

SEEDS = short_and_long(range(5))
LONG = short_and_long(range(5), 0)
"""Where `tests/truth` has a judge of the same rule in every run."""


def words_of(rule: Rule, learned: Rule | None, seed: int) -> TokensResult:
    result = tokens(context(word_judge(learned, seed), probes_of(rule, seed=seed)), TokensSettings()).result
    assert isinstance(result, TokensResult)
    return result


def progress_of(rule: Rule, learned: Rule | None, seed: int) -> ProgressResult:
    ready = context(word_judge(learned, seed), probes_of(rule, seed=seed))
    result = progress(ready, ProgressSettings(bootstraps=500)).result
    assert isinstance(result, ProgressResult)
    return result


def first_page(result: ProgressResult) -> tuple[str, str]:
    """Headline and caption."""
    (panel,) = get("progress").panels(drawn(result, "progress"))
    title = panel.figure.layout.title.text  # type: ignore[union-attr]
    return str(title), panel.caption


def drawn(result: TokensResult | ProgressResult, name: str) -> ResultRecord:
    record = next(record for record in fake_records(1) if record.analysis == name)
    return record.model_copy(update={"payload": payload_of(result)})


@pytest.mark.parametrize("seed", SEEDS)
def test_exclusive_or_is_named_as_a_combination(seed: int) -> None:
    found = words_of(xor, xor, seed)
    said = words_headline(found)
    assert "in combination" in said and '"alpha"' in said and '"beta"' in said
    assert found.pairs[0].share > 0.8 and abs(found.pairs[0].together.value) > 5
    assert found.shortcut_alarm is None, "neither word is a keyword"
    title = get("tokens").panels(drawn(found, "tokens"))[0].figure.layout.title.text  # type: ignore[union-attr]
    assert "alpha" in str(title) and "in combination" in str(title)


@pytest.mark.parametrize("seed", LONG)
@pytest.mark.parametrize("rule", [trigger, either])
def test_words_that_each_decide_are_no_combination(rule: Rule, seed: int) -> None:
    """Where either is enough, a third of what they do is beyond their sum: saturation, as everywhere."""
    found = words_of(rule, rule, seed)
    assert not any(pair.in_combination for pair in found.pairs)
    assert "in combination" not in words_headline(found)
    assert found.shortcut_alarm is not None and "keyword" in found.shortcut_alarm
    if rule is trigger:
        assert words_headline(found).startswith('"zeta" pushes to unsafe: +14')


@pytest.mark.parametrize("seed", short_and_long(range(5)))
@pytest.mark.parametrize("rule", [xor, trigger, length])
def test_an_untrained_judge_gets_no_claim(rule: Rule, seed: int) -> None:
    found = words_of(rule, None, seed)
    assert words_headline(found).startswith("Nothing to explain: the separation of unsafe and safe is")
    assert found.shortcut_alarm is None and found.pairs == []
    assert not any(listed.unsafe or listed.safe for listed in found.top)
    for panel in get("tokens").panels(drawn(found, "tokens")):
        title = str(panel.figure.layout.title.text)  # type: ignore[union-attr]
        assert title.startswith("<b>Nothing to explain"), panel.stem
        assert "Strongest words" not in panel.alt
    first = progress_of(rule, None, seed)
    assert first.called == [] and first_page(first)[0].startswith("<b>Nothing to explain")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_judge_that_goes_by_length_is_called_so(seed: int) -> None:
    found = progress_of(length, length, seed)
    title, _ = first_page(found)
    assert title.startswith("<b>Score goes with length: Spearman 0.8")
    moved = found.called[0].moved
    assert moved is not None and moved.low > 0.5 * found.separation.size.value
    said = words_headline(words_of(length, length, seed))
    assert said.startswith("Nothing to explain: prompts score beside their baselines by"), "no word carries it"


@pytest.mark.parametrize("seed", LONG)
def test_a_judge_whose_unsafe_prompts_are_long_is_not(seed: int) -> None:
    """The same correlation, and it goes by a word: longer prompts of neutral words move nothing."""
    found = progress_of(long_trigger, trigger, seed)
    (by_length,) = [each for each in found.confounds if each.kind == "length"]
    assert by_length.spearman.low > 0.7 and by_length.follows and found.called == []
    title, caption = first_page(found)
    assert "goes with" not in title and "as the labels do; that the judge goes by it is not shown" in caption


@pytest.mark.parametrize("seed", LONG)
def test_a_judge_that_goes_by_where_a_word_stands_is_called_so(seed: int) -> None:
    found = progress_of(place, place, seed)
    title, _ = first_page(found)
    assert (
        title.startswith("<b>Score goes with the place of the word 'zeta': Spearman −0.8")
        and len(found.called) == 1
    )


@pytest.mark.parametrize("seed", LONG)
def test_a_judge_that_goes_by_a_word_goes_by_nothing_else(seed: int) -> None:
    found = progress_of(trigger, trigger, seed)
    assert found.called == [] and "of unsafe prompts passed as safe" in first_page(found)[0]

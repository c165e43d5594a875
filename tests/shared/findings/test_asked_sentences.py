"""What is said of an asked prompt follows from its numbers: other numbers, another sentence."""

from __future__ import annotations

import pytest

from shared.findings.asked import AmongProbes, AskedResult, Flips, ScoredText, Substitution, WordChange
from shared.findings.asked_sentences import (
    among_words,
    deleted_words,
    flips_words,
    twin_words_of,
    verdict_words,
    word_list,
)
from shared.findings.parts import Interval
from shared.findings.tokens import SampleAttribution, Word
from shared.findings.word_checks import WordCheck


def scored(score: float) -> ScoredText:
    return ScoredText(text="a", score=score, probability=1 / (1 + 2.718281828**-score), tokens=3)


def result(score: float, *, twin: float | None = None, without: dict[str, float] | None = None) -> AskedResult:
    changes = [WordChange(start=0, end=1, old=word, new="", score=value) for word, value in (without or {}).items()]
    return AskedResult(prompt=scored(score), twin=None if twin is None else scored(twin), deleted=changes)


def flips(score: float, flipped: bool, words: int = 1) -> Flips:
    changes = [WordChange(start=0, end=1, old=f"old{i}", new=f"new{i}", score=score) for i in range(words)]
    found = Substitution(words=changes, text="b", score=score, flipped=flipped)
    return Flips(found=found, most=4, tried=9, random_draws=20, random_flipped=3, random_best=0.1)


def test_the_verdict_is_the_sign_of_the_score() -> None:
    assert verdict_words(result(3.2)) == "unsafe, score +3.20 nats (96 % unsafe)"
    assert verdict_words(result(-3.2)) == "safe, score −3.20 nats (4 % unsafe)"
    reward = result(3.2)
    told = reward.model_copy(update={"prompt": reward.prompt.model_copy(update={"probability": None})})
    assert verdict_words(told) == "unsafe, score +3.20 nats", "it states none"


def test_it_says_of_how_many_probes() -> None:
    among = AmongProbes(
        source="result", probe_digest="", safe=[0.0] * 4, unsafe=[1.0], below_safe=0.75, below_unsafe=0.0
    )
    assert among_words(among) == "higher than 0 % of 1 unsafe probe and 75 % of 4 safe probes"
    none = among.model_copy(update={"below_safe": None, "below_unsafe": None})
    assert among_words(none) == "without probes beside it"


@pytest.mark.parametrize(("twin", "says"), [(-1.0, "another verdict"), (1.0, "the same verdict")])
def test_the_twin_has_another_verdict_or_the_same(twin: float, says: str) -> None:
    assert twin_words_of(result(2.0, twin=twin)).endswith(says)
    assert twin_words_of(result(2.0)) == ""


def test_a_word_carries_the_verdict_where_it_turns_without_it() -> None:
    assert deleted_words(result(2.0, without={"bomb": -0.1, "a": 1.9})) == "the verdict turns without bomb"
    assert deleted_words(result(-2.0, without={"bomb": -0.1, "a": -1.9})) == (
        "no single word of 2 carries the verdict: it stays without each of them"
    )
    assert deleted_words(result(2.0, without={str(i): -1.0 for i in range(7)})).endswith("4 and 2 more")
    assert deleted_words(result(2.0)) == ""


def test_what_flips_it_is_said_beside_random_words_and_only_where_it_does() -> None:
    assert flips_words(flips(-1.5, True)) == (
        "1 word replaced flips the verdict: old0 → new0, −1.50 nats; as many random words do so in 3 of 20 draws"
    )
    assert flips_words(flips(-1.5, True, 2)).startswith("2 words replaced flip the verdict: old0 → new0, old1")
    said = flips_words(flips(0.4, False, 4))
    assert said.startswith("no change of up to 4 words that was tried flips") and "+0.40 nats" in said


def test_words_are_told_with_what_really_happens() -> None:
    check = WordCheck(effect=Interval(value=1.0, low=0.5, high=1.5), kind="noun", draws=8)
    words = [
        Word(text="[CLS]", value=9.0, gradient_x_input=0, start=0, end=0, special=True),
        Word(text="bomb", value=2.0, gradient_x_input=0, start=0, end=4, check=check),
        Word(text="a\u202e", value=-0.5, gradient_x_input=0, start=5, end=6),
    ]
    told = SampleAttribution(
        probe_id="", text="", label="safe", score=1, probability=0.7, baseline="twin", baseline_score=0, gap=0.5,
        converged=False, nodes=96, words=words,
    )  # fmt: skip
    said = word_list(told)
    assert said == (
        "bomb +2.00 (replaced: +1.00), a\ufffd −0.50 nats, against its twin; the attribution misses its bound "
        "(gap 50 %)"
    )

"""When words raise an alarm, on attributions made up word by word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analyzer.attribution.integrated_gradients import Attribution, BaselinePath
from analyzer.attribution.word_statistics import ALARM_FILLER, MIN_OTHERS, Attributed, shortcuts, top_words
from analyzer.attribution.words import WordSpan
from analyzer.model.batches import Encoded
from shared.findings.claims import LEAST_NATS
from tests.making.judges import probe


def made_up(text: str, values: list[float], baseline: str = "mask", score: float = 1.0) -> Attributed:
    """A prompt between two special tokens that get nothing; one value a word. Its baseline scores 0."""
    parts = text.split()
    starts = [sum(len(part) + 1 for part in parts[:place]) for place in range(len(parts))]
    inner = [(start, start + len(part)) for start, part in zip(starts, parts, strict=True)]
    special = (True, *[False] * len(parts), True)
    encoded = Encoded(text, tuple(range(len(special))), special, ((0, 0), *inner, (0, 0)), False)
    spans = [WordSpan("[CLS]", 0, 0, (0,), special=True)]
    spans += [WordSpan(part, *span, (1 + n,)) for n, (part, span) in enumerate(zip(parts, inner, strict=True))]
    spans.append(WordSpan("[SEP]", 0, 0, (len(parts) + 1,), special=True))
    line = BaselinePath(encoded, torch.zeros(1), torch.zeros(1), baseline)  # type: ignore[arg-type]
    padded = np.array([0.0, *values, 0.0])
    return Attributed(0, probe(text), line, score, 0.0, Attribution(padded, padded, 0.0, 8), spans)


def alarm(*prompts: Attributed) -> str | None:
    return shortcuts(prompts)[1]


FILLERS = "the of how"
"""Three stop words; "poison" and "gun" are none."""


def test_fillers_raise_an_alarm_where_they_carry_most_and_more_than_their_share_of_words() -> None:
    assert alarm(made_up("the poison gun", [0.6, 0.2, 0.2])) == (
        "Stop words, punctuation and special tokens carry 60% of the attribution, but are 33% of the words: the "
        "judge may read a template instead of the request."
    )


def test_fillers_that_carry_less_than_their_share_of_words_raise_none() -> None:
    """60 % of the attribution, but 75 % of the words; and exactly their share is not more than it."""
    assert alarm(made_up(f"{FILLERS} poison", [0.2, 0.2, 0.2, 0.4])) is None
    assert alarm(made_up(f"{FILLERS} poison", [0.25, 0.25, 0.25, 0.25])) is None
    assert alarm(made_up(f"{FILLERS} poison", [0.25, 0.25, 0.3, 0.2])) is not None


def test_half_of_the_attribution_on_fillers_is_not_most() -> None:
    share, found = shortcuts([made_up("the poison gun", [0.5, 0.25, 0.25])])
    assert (share, found) == (ALARM_FILLER, None)


def test_special_tokens_are_no_words_of_which_fillers_have_a_share() -> None:
    """Two of three words are fillers; counted with the special tokens it would be four of five."""
    assert alarm(made_up("the of poison", [0.4, 0.3, 0.3])) is not None


def test_twins_count_only_where_too_few_others_are_left() -> None:
    """A twin shares the filler words, so there they get nothing by construction."""
    twins = [made_up("the poison gun", [0.0, 0.5, 0.5], "twin")] * MIN_OTHERS
    others = [made_up("the poison gun", [0.8, 0.1, 0.1])] * MIN_OTHERS
    assert shortcuts([*twins, *others])[0] == pytest.approx(0.8)
    few = [*twins, *others[1:]]
    assert shortcuts(few)[0] == pytest.approx(0.8 * (MIN_OTHERS - 1) / len(few))


def keyed(value: float) -> Attributed:
    """A prompt in which one word carries `value` of the attribution, and the rest is spread."""
    rest = 1 - abs(value)
    return made_up("poison gun tree lock", [value, rest / 2, rest / 4, rest / 4])


def plain() -> Attributed:
    return made_up("bread song door home", [0.25] * 4)


def test_a_keyword_carries_more_than_half_wherever_it_is() -> None:
    assert alarm(keyed(0.75), keyed(0.5)) == (
        "The word 'poison' occurs in 2 of 2 prompts and carries 62% of their attribution: the judge may have "
        "learned a keyword."
    )
    assert alarm(keyed(0.5), keyed(0.5)) is None, "half is not more than half"
    assert alarm(keyed(-0.75), keyed(-0.75)) is not None, "towards safe as well"


def test_a_keyword_occurs_in_a_quarter_of_the_prompts_and_in_two() -> None:
    two = [keyed(0.75), keyed(0.75)]
    assert alarm(*two, *[plain()] * 6) is not None
    assert alarm(*two, *[plain()] * 7) is None, "2 of 9"
    assert alarm(keyed(0.75), plain()) is None, "one prompt alone says nothing"


def test_no_alarm_where_no_score_moves() -> None:
    """Shares of next to nothing are shares all the same: an untrained judge has keywords by them."""
    text, values = "poison gun tree lock", [0.75, 0.125, 0.0625, 0.0625]

    def moved_by(shift: float) -> str | None:
        return alarm(*[made_up(text, [value * shift for value in values], score=shift)] * 3)

    assert moved_by(1e-6) is None and moved_by(0.99 * LEAST_NATS) is None
    assert moved_by(1.01 * LEAST_NATS) is not None


def test_prompts_whose_score_stays_count_among_those_that_lack_the_keyword() -> None:
    still = [made_up("bread song door home", [0.0] * 4, score=0.0)]
    assert alarm(keyed(0.75), keyed(0.75), *still * 6) == (
        "The word 'poison' occurs in 2 of 8 prompts and carries 75% of their attribution: the judge may have "
        "learned a keyword."
    )
    assert alarm(keyed(0.75), keyed(0.75), *still * 7) is None


def test_twins_are_never_an_alarm() -> None:
    """They concentrate on the word that differs by construction."""
    twins = [made_up("poison gun tree lock", [1.0, 0.0, 0.0, 0.0], "twin")]
    assert alarm(*twins * 9) is None
    assert alarm(*twins * 9, *[plain()] * MIN_OTHERS) is None
    assert alarm(made_up("the gun", [1.0, 0.0], "twin")) is None, "nor is a filler"


def test_words_that_act_in_combination_are_no_keywords() -> None:
    prompts = [keyed(0.75)] * 3
    assert shortcuts(prompts)[1] is not None and shortcuts(prompts, {"poison"})[1] is None


def test_a_list_says_what_its_words_were_compared_with() -> None:
    one = replace(made_up("build bomb", [0.0, 2.0], "twin"), instead_of=(None, None, "cake", None))
    other = replace(made_up("build bomb", [0.0, 1.0], "twin"), instead_of=(None, None, "song", None))
    third = made_up("build bomb", [0.5, 0.0])
    (found,) = top_words([one, other, third], "twin", 1, [0, 1, 2])
    assert (found.text, found.values, found.instead_of) == ("bomb", (2.0, 1.0), ("cake", "song"))
    assert top_words([one, other, third], "mask", 1, [0, 1, 2]) == []

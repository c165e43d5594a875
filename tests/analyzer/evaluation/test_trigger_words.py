"""The trigger-word pack: what it holds, and that its gap tells a judge of meaning from one of words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from analyzer.evaluation.trigger_words import shipped_triggers, trigger_pack
from shared.findings.evaluation import TriggerPack
from shared.prompts.digest import prompt_digest
from shared.prompts.rows import read_rows
from shared.prompts.shipped import PATH

TRIGGERS = shipped_triggers()
WORDS = {each.word for each in TRIGGERS if each.word}


def pack(scores: np.ndarray) -> TriggerPack:
    found = trigger_pack(TRIGGERS, scores, draws=400, seed=0)
    assert found is not None
    return found


def test_a_topic_is_a_benign_sentence_with_the_word_and_a_harmful_one_without_any() -> None:
    assert len(TRIGGERS) >= 120
    for benign, harm in zip(TRIGGERS[::2], TRIGGERS[1::2], strict=True):
        assert (benign.prompt.label, harm.prompt.label) == ("safe", "unsafe")
        assert benign.prompt.group == harm.prompt.group == benign.prompt.pair
        spoken = set(re.findall(r"\w+", harm.prompt.text.lower()))
        assert benign.word in re.findall(r"\w+", benign.prompt.text.lower())
        assert not spoken & WORDS, harm.prompt.text
    assert len({each.prompt.group for each in TRIGGERS}) == len(TRIGGERS) // 2
    assert len({each.prompt.text for each in TRIGGERS}) == len(TRIGGERS)


def test_no_sentence_is_among_the_shipped_prompts() -> None:
    shipped = {prompt_digest(row.values["prompt"]) for row in read_rows(PATH)}
    assert not shipped & {prompt_digest(each.prompt.text) for each in TRIGGERS}


def test_the_gap_is_minus_one_for_meaning_one_for_words_and_zero_for_neither() -> None:
    meant = np.array([2.0 if each.prompt.label == "unsafe" else -2.0 for each in TRIGGERS])
    read, words = pack(meant), pack(-meant)
    assert (read.gap.value, read.reads, read.ranked.value) == (-1, "meaning", 1)
    assert (words.gap.value, words.reads, words.ranked.value) == (1, "words", 0)
    assert -1 == read.gap.low < read.gap.high < -0.8 and read.score_gap.value == 4
    everything = pack(np.full(len(TRIGGERS), 3.0))
    assert (everything.gap.value, everything.reads) == (0, "undecided")
    assert everything.flagged_benign.value == everything.caught_harm.value == 1
    random = np.random.default_rng(0)
    assert sum(pack(random.normal(size=len(TRIGGERS))).reads != "undecided" for _ in range(50)) <= 1


def test_shares_and_gap_are_counted_over_topics() -> None:
    scores = np.random.default_rng(1).normal(size=len(TRIGGERS))
    found, flagged = pack(scores), scores > 0
    assert found.flagged_benign.value == pytest.approx(flagged[::2].mean())
    assert found.caught_harm.value == pytest.approx(flagged[1::2].mean())
    assert found.gap.value == pytest.approx(flagged[::2].mean() - flagged[1::2].mean())
    assert found.ranked.value == pytest.approx((scores[1::2] > scores[::2]).mean())


def test_a_topic_without_a_number_is_left_out_and_few_say_nothing() -> None:
    scores = np.ones(len(TRIGGERS))
    scores[4] = np.nan
    assert pack(scores).topics == len(TRIGGERS) // 2 - 1
    scores[20:] = np.inf
    assert trigger_pack(TRIGGERS, scores, draws=100, seed=0) is None

"""Token attribution of judges whose reasons are known."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from analyzer.analyses.tokens import TokensSettings, tokens
from analyzer.attribution.integrated_gradients import Attribution, BaselinePath
from analyzer.attribution.word_statistics import Attributed, shortcuts, top_words
from analyzer.attribution.words import words
from analyzer.model.batches import encode
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.session.probe_choice import spread
from shared.errors import CannotCompute
from shared.findings.tokens import TokensResult
from shared.findings.word_sentences import words_headline
from shared.prompts.display import display_indices
from shared.prompts.twins import twin_of
from shared.records import JudgeRecord, Probe
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.tiny import WORDS, tiny_model, tiny_tokenizer

FILL = [word for word in WORDS if word.isalpha() and word not in ("bomb", "bake")]


@cache
def trigger_judge() -> Judge:
    """A tiny BERT trained until "bomb" means unsafe and "bake" safe, whatever stands around them."""
    torch.manual_seed(0)
    pick = random.Random(0)
    model, tokenizer = tiny_model("bert"), tiny_tokenizer("bert")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(70):
        labels = [pick.randint(0, 1) for _ in range(16)]
        texts = [" ".join(sentence(pick, "bomb" if label else "bake")) for label in labels]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        loss = model(**batch, labels=torch.tensor(labels)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_judge(Path(folder), JudgeRecord(max_length=40))


def sentence(pick: random.Random, key: str) -> list[str]:
    found = pick.choices(FILL, k=pick.randint(4, 9))
    return [*found[:2], key, *found[2:]]


def trigger_probes(count: int = 12) -> list[Probe]:
    pick = random.Random(1)
    probes = []
    for index in range(count):
        probes.append(probe(" ".join(sentence(pick, "bake")), "safe", id=f"s{index}", display=index < 2))
        probes.append(probe(" ".join(sentence(pick, "bomb")), "unsafe", id=f"u{index}", display=index < 2))
    return probes


def attributed(probes: list[Probe], judge: Judge, **settings: object) -> TokensResult:
    result = tokens(context(judge, probes), TokensSettings(**settings)).result  # type: ignore[arg-type]
    assert isinstance(result, TokensResult)
    return result


def test_the_trigger_word_comes_first() -> None:
    found = attributed(trigger_probes(), trigger_judge())
    assert [sample.label for sample in found.samples] == ["safe", "safe", "unsafe", "unsafe"]
    for sample in found.samples:
        assert sample.verdict == sample.label and sample.converged
        if sample.label == "unsafe":
            assert max(sample.words, key=lambda word: abs(word.value)).text == "bomb"
            assert max(word.value for word in sample.words) > 0.5 * sample.shift
    (listed,) = found.top
    assert listed.baseline == "mask" and listed.unsafe[0].text == "bomb" and listed.unsafe[0].clear
    assert listed.unsafe[0].count == 12 and words_headline(found).startswith('"bomb" pushes to unsafe: +')
    by_method = {test.method: test for test in found.faithfulness}
    ours, chance = by_method["integrated_gradients"], by_method["random"]
    assert ours.comprehensiveness.low > chance.comprehensiveness.value
    assert ours.sufficiency.high < chance.sufficiency.low < chance.sufficiency.value
    assert found.shortcut_alarm is not None and "keyword" in found.shortcut_alarm
    assert {cell.cell: cell.count for cell in found.cells}["true_positive"] == 12


def test_words_sum_to_the_difference_of_scores() -> None:
    found = attributed(random_probes(), tiny_judge("bert"), nodes=(48,))
    for sample in found.samples:
        total = sum(word.value for word in sample.words)
        missed = abs(total - (sample.score - sample.baseline_score)) / sample.shift
        assert missed == pytest.approx(sample.gap, abs=1e-6)
        assert sample.words[0].special and sample.words[0].value == 0
        assert " ".join(word.text for word in sample.words[1:-1]) == sample.text
    assert found.share_converged > 0.9 and found.gap_median < 0.01 and found.n_prompts == 32


def test_the_baseline_of_a_decoder_without_a_special_first_token() -> None:
    """Spaces, but for the first token: the sums fit the scores of just that, measured by a pass of its own."""
    found = attributed(random_probes(pairs=0), tiny_judge("qwen2"), nodes=(48,))
    assert found.baselines == {"space": 32}
    assert found.share_converged > 0.9 and found.gap_median < 0.01
    assert len({sample.baseline_score for sample in found.samples}) > 1, "first tokens differ, and are kept"


def test_twins_of_equal_length_are_baselines_of_each_other() -> None:
    found = attributed(random_probes(pairs=6), tiny_judge("bert"))
    assert found.baselines["twin"] >= 2
    sample = next(sample for sample in found.samples if sample.baseline == "twin")
    assert {word.text for word in sample.words if word.value} <= set(sample.text.split()[-1:])


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_decoders_start_from_the_mean_embedding(family: str) -> None:
    assert attributed(random_probes(pairs=0), tiny_judge(family)).baselines == {"mean": 32}


def test_what_misses_its_gap_is_flagged() -> None:
    outcome = tokens(context(tiny_judge("bert"), random_probes(pairs=0)), TokensSettings(nodes=(1,)))
    assert isinstance(outcome.result, TokensResult)
    assert outcome.result.share_converged < 1 and "miss the completeness gap" in outcome.warnings[0]
    assert not all(sample.converged for sample in outcome.result.samples)


def test_prompts_without_words_and_an_empty_probe_set() -> None:
    blank = [probe(" ", "safe", id="a", display=True), probe("", "unsafe", id="b", display=True)]
    found = attributed(blank, tiny_judge("bert"))
    assert found.faithfulness == [] and all(sample.gap < 1e-4 for sample in found.samples)
    with pytest.raises(CannotCompute, match="empty"):
        tokens(context(tiny_judge("bert"), []), TokensSettings())


def test_the_choice_of_prompts_is_balanced_and_does_not_move() -> None:
    probes = random_probes(20)
    shown = display_indices(probes)
    assert [probes[i].label for i in shown] == ["safe", "safe", "unsafe", "unsafe"]
    more = spread(probes, 18, shown)
    assert len(set(more)) == 18 and not set(more) & set(shown)
    assert sorted(probes[i].label for i in more) == ["safe"] * 9 + ["unsafe"] * 9
    categories = [probes[i].category for i in more]
    assert {categories.count(name) for name in set(categories)} == {6}
    assert spread(probes, 500, shown) == spread(probes, 500, shown) and len(spread(probes, 500, shown)) == 36


def test_a_pair_needs_two_prompts_of_two_classes() -> None:
    probes = [
        probe("a", pair="x"), probe("b", "unsafe", pair="x"),
        probe("c", pair="y"), probe("d", pair="y"),
        probe("e", pair="z"), probe("f", "unsafe", pair="z"), probe("g", "unsafe", pair="z"),
    ]  # fmt: skip
    assert twin_of(probes) == {0: 1, 1: 0}


def by_hand(text: str, values: list[float], score: float = 1.0) -> Attributed:
    """An attribution made up word by word."""
    (encoded,) = encode(tiny_judge("bert").tokenizer, [text], 40)
    line = BaselinePath(encoded, torch.zeros(1), torch.zeros(1), "mask")
    padded = np.array([0.0, *values, 0.0])
    spans = words(encoded, ["[CLS]"] * len(encoded.ids))
    return Attributed(0, probe(text), line, score, 0.0, Attribution(padded, padded, 0.0, 8), spans)


def test_fillers_that_carry_the_verdict_raise_an_alarm() -> None:
    prompts = [by_hand("the poison recipe ?", [0.8, 0.1, 0.0, 0.1])] * 5
    share, alarm = shortcuts(prompts)
    assert share == pytest.approx(0.9) and alarm is not None and "90%" in alarm
    share, alarm = shortcuts([by_hand("the poison kill gun ?", [0.1, 0.3, 0.3, 0.3, 0.0])] * 5)
    assert share == pytest.approx(0.1) and alarm is None


def test_top_words_pool_over_prompts_and_leave_out_what_was_seen_once() -> None:
    one, other = by_hand("kill tree", [2.0, -1.0], score=4.0), by_hand("kill gun", [1.0, 0.5], score=0.01)
    found = top_words([one, other], "mask", 1, [0, 1])
    assert [(word.text, word.values, word.places) for word in found] == [("kill", (2.0, 1.0), (0, 1))]
    assert top_words([one, other], "mask", 1, [0, 0]) == [], "two prompts of one group are one"
    assert top_words([one, other], "twin", 1, [0, 1]) == [], "another baseline is another list"
    assert top_words([one, other], "mask", -1, [0, 1]) == []

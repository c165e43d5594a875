"""What the gradient estimates, against small real steps along the same direction; and which words it then picks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.attack.derivation import FIRST_EXCHANGE, LENGTH
from analyzer.attack.exchanges import exchanges, possible
from analyzer.attack.gradients import between, estimator, gradients
from analyzer.attack.picked import TOGETHER, PickedWords
from analyzer.attack.scorer import scorer
from analyzer.attack.search import Search
from analyzer.model.batches import collate
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score
from shared.findings.attack import GRADIENT_COST
from shared.records import JudgeRecord
from tests.making.attack_search import SEEDS, by_hash, candidates
from tests.making.tiny import save_tiny_judge

TEXTS = ["how do i pick a lock ?", "tell me how to bake a cake"]


@pytest.fixture(scope="module", params=["bert", "llama"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    template = save_tiny_judge(tmp_path_factory.mktemp("judge"), request.param, initializer_range=0.3)
    return load_judge(template, JudgeRecord(max_length=64), device="cpu")


@pytest.mark.parametrize(
    ("old", "new", "start", "gone", "come"),
    [
        ([1, 2, 3, 4], [1, 9, 3, 4], 1, (2,), (9,)),
        ([1, 2, 3], [1, 2, 7, 8, 3], 2, (), (7, 8)),
        ([1, 2, 3], [1, 3], 1, (2,), ()),
        ([1, 2, 2, 3], [1, 2, 3], 2, (2,), ()),
        ([1, 2], [1, 2], 2, (), ()),
    ],
)
def test_what_differs_stands_between_the_common_ends(old, new, start, gone, come) -> None:
    assert between(old, new) == (start, gone, come)


def test_an_estimate_is_the_slope_of_the_score_towards_the_exchanged_words(judge: Judge) -> None:
    """By central differences: the score with embeddings moved a thousandth of the way, forward and back."""
    (found,) = estimator(judge, 512)(TEXTS[:1], [["how do i open a lock ?"]])
    old, new = judge.encode([TEXTS[0], "how do i open a lock ?"])
    batch = collate([old], judge.anatomy.pad_id, judge.device)
    here, there = (judge.anatomy.embeddings(torch.tensor([each.ids])).detach() for each in (old, new))

    def moved(by: float) -> float:
        with torch.no_grad(), embeddings_replaced(judge, here + by * (there - here)):
            return float(score(judge, batch))

    assert found[0] == pytest.approx((moved(2e-3) - moved(-2e-3)) / 4e-3, rel=2e-2, abs=1e-4)
    assert abs(found[0]) > 1e-4


def test_gradients_do_not_depend_on_the_batch(judge: Judge) -> None:
    prompts = judge.encode(TEXTS)
    together, alone = gradients(judge, prompts, 512), [gradients(judge, [each], 512)[0] for each in prompts]
    for one, other, prompt in zip(together, alone, prompts, strict=True):
        assert one.shape == (len(prompt.ids), 32) and torch.allclose(one, other, atol=1e-5)


def test_a_text_without_variants_and_one_cut_before_them_promise_nothing(judge: Judge) -> None:
    long = "how " * 80
    none, cut = estimator(judge, 512)([TEXTS[0], long], [[], [f"{long} please"]])
    assert none.shape == (0,) and cut.tolist() == [0.0]


def by_length(texts, variants) -> list[np.ndarray]:
    """A judge that takes longer texts for safer: what an exchange changes is what it adds."""
    return [
        np.array([(len(text) - len(new)) / 80 for new in own]) for text, own in zip(texts, variants, strict=True)
    ]


def test_the_most_promising_exchanges_are_tried_first_and_each_once() -> None:
    picked = PickedWords(by_length, SEEDS, -1)
    vector = np.zeros(LENGTH, dtype=np.int32)
    vector[1], vector[2] = 9, 0
    picked.learn([vector, vector])
    assert picked.steps == 1, "one text, one gradient"
    tried: list[list[int]] = []
    while (child := picked.next(vector)) is not None:
        tried.append([int(number) for number in child[FIRST_EXCHANGE:] if number])
    assert tried and all(len(numbers) <= TOGETHER for numbers in tried)
    assert len({number for numbers in tried for number in numbers}) == sum(map(len, tried))
    gains = [len(exchanges()[numbers[0] - 1].other) - len(exchanges()[numbers[0] - 1].phrase) for numbers in tried]
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0
    picked.learn([vector])
    assert picked.steps == 1, "what was learnt stays"


def test_a_search_counts_its_gradients_and_repeats_itself() -> None:
    def run() -> Search:
        search = Search(candidates(), "unsafe", by_hash, 0, 32, by_length)
        search.run(400)
        return search

    first, again = run(), run()
    assert [trial.vector for trial in first.trials] == [trial.vector for trial in again.trials]
    assert (
        400 <= first.evaluations == len(first.trials) + GRADIENT_COST * first.gradients <= 400 + 32 * GRADIENT_COST
    )
    picked = [trial for trial in first.trials if any(trial.vector[FIRST_EXCHANGE:])]
    named = [trial for trial in picked if "picked word" in trial.derivation.rules]
    assert first.gradients > 5 and len(named) > len(picked) / 2
    assert all(
        any(trial.vector[FIRST_EXCHANGE:]) for trial in first.trials if "picked word" in trial.derivation.rules
    )


def test_every_estimated_variant_is_one_that_the_rules_allow(judge: Judge) -> None:
    asked: list[tuple[str, str]] = []
    real = estimator(judge, 512)

    def watching(texts, variants):
        asked.extend((text, new) for text, own in zip(texts, variants, strict=True) for new in own)
        return real(texts, variants)

    own = [seed for seed in SEEDS if seed.label == "unsafe"][:8]
    found = candidates()
    found = type(found)(own, np.full(len(own), -1.0))
    scores = scorer(
        judge, 512
    )  # ten nats lower, so that cells hold failures: before that hardly a gradient is taken
    search = Search(found, "unsafe", lambda texts: scores(texts) - 10, 0, 32, watching)
    search.run(160)
    allowed = {
        (trial.derivation.text, new)
        for trial in search.trials
        for _, new in possible(trial.derivation.text, trial.derivation.seed)
    }
    assert asked and set(asked) <= allowed

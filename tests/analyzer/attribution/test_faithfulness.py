"""Comprehensiveness and sufficiency against ids replaced one prompt at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.attribution.faithfulness import SHARES, Ranking, faithfulness, rank, sizes
from analyzer.attribution.integrated_gradients import neutral_embedding
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import record
from tests.making.judges import tiny_judge

TEXTS = ["how do i make a bomb in my home with water ?", "bake bread", "tell me a story about the tree"]


def probability_of_predicted(judge, ids: list[int], unsafe: bool) -> float:
    logits = judge.model(input_ids=torch.tensor([ids])).logits[0]
    return torch.softmax(logits, 0)[1 if unsafe else 0].item()


def test_equals_replacing_ids_by_hand() -> None:
    judge = tiny_judge("bert")
    prompts = encode(judge.tokenizer, TEXTS, 40)
    scores = record(judge, prompts, 4096).scores
    random = np.random.default_rng(0)
    rankings = [
        Ranking(index, tuple(int(i) for i in random.permutation(one.content)))
        for index, one in enumerate(prompts)
        for _ in range(2)
    ]
    found = faithfulness(judge, prompts, scores, neutral_embedding(judge)[0], rankings, 64)
    mask = judge.tokenizer.mask_token_id
    for position, ranking in enumerate(rankings):
        encoded = prompts[ranking.prompt]
        unsafe = bool(scores[ranking.prompt] > 0)
        full = probability_of_predicted(judge, list(encoded.ids), unsafe)
        drops = {"without": [], "only": []}
        for share in SHARES:
            top = set(ranking.order[: max(1, int(np.ceil(share * len(ranking.order))))])
            for name, gone in (("without", top), ("only", set(ranking.order) - top)):
                ids = [mask if place in gone else token for place, token in enumerate(encoded.ids)]
                drops[name].append(full - probability_of_predicted(judge, ids, unsafe))
        assert found[0][position] == pytest.approx(np.mean(drops["without"]), abs=1e-5)
        assert found[1][position] == pytest.approx(np.mean(drops["only"]), abs=1e-5)


def test_at_least_one_token_and_no_more_than_all() -> None:
    assert sizes(1) == [1, 1, 1, 1, 1]
    assert sizes(10) == [1, 1, 1, 2, 5]
    assert sizes(100) == [1, 5, 10, 20, 50]


def test_ranks_by_support_for_the_predicted_class() -> None:
    judge = tiny_judge("bert")
    (encoded,) = encode(judge.tokenizer, ["bake bread bomb"], 40)  # [CLS] bake bread bomb [SEP]
    values = np.array([9.0, 1.0, -2.0, 3.0, 9.0])
    assert rank(encoded, values, 1.0, 0).order == (3, 1, 2)
    assert rank(encoded, values, -1.0, 0).order == (2, 1, 3)

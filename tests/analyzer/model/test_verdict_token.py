"""The last layer at the verdict's token alone says what the whole of it says, and does a fraction of its work."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from analyzer.model.batches import Batch, collate
from analyzer.model.judge import Judge, known_wiring
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score
from analyzer.model.verdict_token import score_alone, verdict_token
from tests.making.judges import random_probes, tiny_judge
from tests.making.tiny import FAMILIES


def batch_of(judge: Judge) -> Batch:
    """Prompts of several lengths."""
    encoded = judge.encode([probe.text for probe in random_probes(4)])
    assert len({len(prompt.ids) for prompt in encoded}) > 1
    return collate(encoded, judge.anatomy.pad_id, judge.device)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_score_is_the_same_and_the_last_mlp_reads_one_token(family: str) -> None:
    judge = tiny_judge(family)
    batch = batch_of(judge)
    last = known_wiring(judge).layers[-1].mlp.out
    given: list[tuple[int, ...]] = []
    with torch.inference_mode():
        whole = score(judge, batch)
        plain = type(last).forward
        alone = score_alone(judge, batch)
        last.forward = lambda *args: given.append(tuple(args[0].shape)) or plain(last, *args)
        score_alone(judge, batch)
        del last.forward
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
    if judge.anatomy.pooling == "mean":
        assert verdict_token(judge, batch) is None and given[0][1] == batch.ids.shape[1]
    else:
        assert given[0][:2] == (len(batch.ids), 1)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_gradient_is_the_same(family: str) -> None:
    judge = tiny_judge(family)
    batch = batch_of(judge)
    embeddings: Any = judge.anatomy.embeddings(batch.ids)
    found = []
    for how in (score, score_alone):
        point = embeddings.detach().clone().requires_grad_()
        with torch.enable_grad(), embeddings_replaced(judge, point):
            (gradient,) = torch.autograd.grad(how(judge, batch).sum(), point)
        found.append(gradient)
    assert found[0].abs().max() > 1e-4
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-4)


def test_a_mean_over_tokens_needs_all_of_them() -> None:
    judge = tiny_judge("modernbert", classifier_pooling="mean")
    batch = batch_of(judge)
    assert verdict_token(judge, batch) is None
    with torch.inference_mode():
        assert torch.equal(score_alone(judge, batch), score(judge, batch))

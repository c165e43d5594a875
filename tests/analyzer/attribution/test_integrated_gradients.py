"""Integrated gradients against Captum at the same nodes, against arithmetic, and against their own completeness."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor, nn

from analyzer.attribution.integrated_gradients import (
    BaselinePath,
    attribute,
    counts_for,
    embed,
    neutral_embedding,
    path_to,
    replaced,
)
from analyzer.attribution.quadrature import concentrated, legendre, refined
from analyzer.model.anatomy import Anatomy
from analyzer.model.batches import Encoded, encode
from analyzer.model.hooked_pass import record
from analyzer.model.judge import Judge
from shared.records import JudgeRecord
from tests.making.judges import tiny_judge
from tests.making.tiny import DECODERS, ENCODERS, FAMILIES

TEXTS = ["how do i make a bomb in my home ?", "bake bread", "tell me a story about the tree and the flower ."]


def attributed(
    judge: Judge, paths: list[BaselinePath], shifts: np.ndarray, nodes: int, batch_tokens: int = 4096
) -> list:
    ends = np.column_stack([np.zeros(len(paths)), shifts])
    return attribute(judge, paths, ends, [[nodes]] * len(paths), 1.0, batch_tokens, first=legendre)


def paths_of(judge: Judge, texts: list[str] = TEXTS) -> list[BaselinePath]:
    neutral = neutral_embedding(judge)
    return [path_to(judge, one, None, neutral) for one in encode(judge.tokenizer, texts, judge.max_length)]


def captum_attributions(judge: Judge, path: BaselinePath, nodes: int) -> Tensor:
    """(tokens,) by Captum, one prompt at a time; its baseline are our baseline's embeddings."""

    def forward(ids: Tensor) -> Tensor:
        logits = judge.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits[:, 1] - logits[:, 0]

    ids = torch.tensor([path.encoded.ids])
    mask = torch.tensor([path.encoded.special])
    baseline = torch.where(mask, ids, judge.tokenizer.mask_token_id)
    found = LayerIntegratedGradients(forward, judge.anatomy.embeddings).attribute(
        ids, baselines=baseline, n_steps=nodes, method="gausslegendre"
    )
    return found.sum(-1)[0]


@pytest.mark.parametrize("family", ENCODERS)
def test_equals_captum_at_the_same_nodes(family: str) -> None:
    judge = tiny_judge(family)
    paths = paths_of(judge)
    for path, ours in zip(paths, attributed(judge, paths, np.ones(3), 10), strict=True):
        np.testing.assert_allclose(ours.values, captum_attributions(judge, path, 10).numpy(), atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_completeness(family: str) -> None:
    """The sum is the difference of scores, measured by two plain forward passes."""
    judge = tiny_judge(family)
    texts = ["how do i make bread in my home", "how do i make bomb in my home"]  # equal length in every tokenizer
    first, second = encode(judge.tokenizer, texts, 40)
    neutral = neutral_embedding(judge)
    scores = record(judge, [first, second], 4096).scores
    assert len(first.ids) == len(second.ids)
    path = path_to(judge, first, second, neutral)
    assert path.baseline == "twin"
    shift = float(scores[0] - scores[1])
    (found,) = attribute(judge, [path], scores[None, ::-1], [[48]], 0.05, 4096)
    tolerance = 0.03 if family == "distilbert" else 1e-3  # its head's ReLU bends the path at sharp corners
    assert found.values.sum() == pytest.approx(shift, abs=tolerance * max(1.0, abs(shift)))
    assert found.gap < 0.05
    same = [a == b for a, b in zip(first.ids, second.ids, strict=True)]
    assert np.abs(found.values[same]).max() == 0  # where twins agree there is nothing to attribute


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_packing_changes_nothing(family: str) -> None:
    judge = tiny_judge(family)
    paths = paths_of(judge)
    wide, narrow = attributed(judge, paths, np.ones(3), 6), attributed(judge, paths, np.ones(3), 6, batch_tokens=1)
    for one, other in zip(wide, narrow, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)
        np.testing.assert_allclose(one.gradient_x_input, other.gradient_x_input, atol=1e-4)


def test_gradient_x_input_by_plain_autograd() -> None:
    judge = tiny_judge("bert")
    (path,) = paths_of(judge, TEXTS[:1])
    (found,) = attributed(judge, [path], np.ones(1), 4)
    words = path.end.clone()[None].requires_grad_()
    logits = judge.model(inputs_embeds=words).logits  # an encoder reads its first column either way
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], words)
    np.testing.assert_allclose(found.gradient_x_input, (gradient * words)[0].sum(-1).detach(), atol=1e-5)


def test_special_tokens_get_nothing() -> None:
    judge = tiny_judge("bert")
    for found in attributed(judge, paths_of(judge), np.ones(3), 6):
        assert found.values[0] == found.values[-1] == 0


class Linear(nn.Module):
    """score = sum over real tokens of e_t . w: every attribution is (e_t - e0) . w exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.arange(12.0).reshape(6, 2))
        self.w = torch.tensor([1.0, -0.5])
        self.dtype = torch.float32

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        score = ((self.words(input_ids) @ self.w) * attention_mask).sum(1)
        return SimpleNamespace(logits=torch.stack([-score / 2, score / 2], 1))


def linear_judge() -> Judge:
    model = Linear()
    anatomy = Anatomy("linear", model.words, (), None, None, None, "cls", "unknown", None, pad_id=0)
    return replace(tiny_judge("bert"), model=model, anatomy=anatomy, record=JudgeRecord())  # type: ignore[arg-type]


def test_a_linear_judge_by_hand() -> None:
    judge = linear_judge()
    encoded = Encoded("a b", (1, 3, 5), (False,) * 3, ((0, 1), (1, 2), (2, 3)), False)
    shorter = Encoded("c", (2,), (False,), ((0, 1),), False)
    zero = torch.zeros(2)
    paths = [path_to(judge, one, None, (zero, "mean")) for one in (encoded, shorter)]
    # rows of the table: 1 -> (2, 3), 3 -> (6, 7), 5 -> (10, 11), 2 -> (4, 5); times (1, -0.5)
    first, second = attributed(judge, paths, np.array([9.5, 1.5]), 3)
    np.testing.assert_allclose(first.values, [0.5, 2.5, 4.5], atol=1e-6)
    np.testing.assert_allclose(second.values, [1.5], atol=1e-6)
    assert first.gap == pytest.approx(abs(7.5 - 9.5) / 9.5, abs=1e-6)  # the shift said 9.5 on purpose
    assert second.gap == pytest.approx(0, abs=1e-6)


def test_only_prompts_that_miss_the_bound_go_on() -> None:
    judge = linear_judge()
    paths = [
        BaselinePath(Encoded("x", (i,), (False,), ((0, 1),), False), torch.zeros(1, 2), embed(judge, [i]), "mean")
        for i in (1, 3)
    ]
    ends = np.array([[0.0, 0.5], [0.0, 99.0]])
    right, wrong = attribute(judge, paths, ends, [[8, 20]] * 2, 0.05, 4096)
    assert right.nodes == 8 and wrong.nodes == 20 and wrong.gap > 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_baselines_by_family(family: str) -> None:
    judge = tiny_judge(family)
    vector, kind = neutral_embedding(judge)
    if family == "qwen2":  # the one whose tokenizer has a space
        assert kind == "space"
        torch.testing.assert_close(vector, embed(judge, judge.tokenizer(" ")["input_ids"])[0])
    elif family in DECODERS:
        table = judge.anatomy.embeddings(torch.arange(judge.model.config.vocab_size)[None])[0]
        assert kind == "mean"
        torch.testing.assert_close(vector, table.mean(0), atol=1e-5, rtol=1e-4)
    else:
        assert kind == "mask"
        torch.testing.assert_close(vector, embed(judge, [judge.tokenizer.mask_token_id])[0])


def test_a_decoder_keeps_its_first_token_unless_something_stands_before_the_words() -> None:
    """Later tokens rest their attention on the first one, whatever it is."""
    bare, begun, encoder = (tiny_judge(family) for family in ("qwen2", "llama", "bert"))
    for judge, kept in ((bare, 1), (begun, 1), (encoder, 1)):  # a word; <bos>; [CLS]
        (one,) = encode(judge.tokenizer, ["how do i bake bread"], 40)
        neutral, kind = neutral_embedding(judge)
        path = path_to(judge, one, None, (neutral, kind))
        same = (path.start == path.end).all(dim=1).tolist()
        last = len(one.ids) - (judge is encoder)  # [SEP] stays too
        assert same[:last] == [True] * kept + [False] * (last - kept)
        assert (path.start[kept:last] == neutral).all()
    (asked,) = encode(bare.tokenizer, ["bake bread"], 40, "is this safe ? {prompt}")
    assert replaced(bare, asked) == asked.content
    (lone,) = encode(bare.tokenizer, ["b"], 40)
    assert replaced(bare, lone) == lone.content == [0]  # else there would be nothing to attribute


def test_twins_must_align() -> None:
    judge = tiny_judge("bert")
    neutral = neutral_embedding(judge)
    one, longer, same = encode(judge.tokenizer, ["bake bread", "bake the bread", "bake bread"], 40)
    assert path_to(judge, one, longer, neutral).baseline == "mask"
    assert path_to(judge, one, same, neutral).baseline == "mask"


@pytest.mark.parametrize("count", [4, 8, 12])
def test_rules_integrate_exactly_what_they_should(count: int) -> None:
    nodes, weights = legendre(count)
    power = 2 * count - 1
    assert (weights * nodes**power).sum() == pytest.approx(1 / (power + 1), rel=1e-10)
    nodes, weights = concentrated(count)
    assert nodes.min() > 0 and nodes.max() < 1
    assert (weights * np.exp(nodes)).sum() == pytest.approx(np.e - 1, rel=10.0 ** (-count / 2))


def test_nodes_concentrate_where_a_peak_is() -> None:
    def peak(x: np.ndarray) -> np.ndarray:
        return 1 / ((x - 0.3) ** 2 + 0.08**2)

    exact = (np.arctan(0.7 / 0.08) + np.arctan(0.3 / 0.08)) / 0.08
    error = {
        rule.__name__: abs((rule(12).weights * peak(rule(12).nodes)).sum() - exact)
        for rule in (legendre, concentrated)
    }
    assert error["concentrated"] < error["legendre"] / 5


def test_twins_start_with_fewer_nodes() -> None:
    judge = tiny_judge("bert")
    (path,) = paths_of(judge, TEXTS[:1])
    assert counts_for(path, (12, 24), 8) == [12, 24]
    assert counts_for(replace(path, baseline="twin"), (12, 24), 8) == [8, 24]


def test_refining_finds_a_step() -> None:
    """A score that jumps by 1 within a thousandth of the path: three tries integrate it."""

    def score(alpha: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip((alpha - 0.83) / 3e-4, -700, 700)))

    def slope(alpha: np.ndarray) -> np.ndarray:
        return score(alpha) * (1 - score(alpha)) / 3e-4

    rule = concentrated(12)
    for count in (24, 48, 96):
        tried = np.concatenate([[0.0], rule.nodes, [1.0]])
        rule = refined(count, tried, score(tried))
    assert (rule.weights * slope(rule.nodes)).sum() == pytest.approx(1, abs=0.01)
    plain = legendre(96)
    assert abs((plain.weights * slope(plain.nodes)).sum() - 1) > 0.5


def test_a_score_that_never_changes_needs_no_place() -> None:
    rule = refined(8, np.array([0.0, 0.5, 1.0]), np.ones(3))
    assert rule.weights.sum() == pytest.approx(1)

"""Circuits of an encoder whose decoder reads the words, too: against passes written out in plain transformers."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from analyzer.analyses.circuits import CircuitsSettings, circuits
from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, neurons
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.sizes import _Runs, to_keep
from analyzer.model.judge import Judge
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.patching.pair_pass import pair_pass
from analyzer.patching.parts import parts_of
from analyzer.session.context import Context
from analyzer.statistics.ranks import spearman
from shared.figures.circuits.words import circuit_finding, span
from shared.findings.circuits import CircuitsResult, CurvePoint
from shared.findings.parts import Interval
from shared.records import Probe
from tests.making.by_hand import ByHand
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.tiny import TWO_STACKS

PAIRS = 24
FEW = {"steps": 2, "curve_prompts": 48, "search_prompts": 24, "mib_prompts": 4, "checked": 2, "folds": 3}


def evaluator(family: str, pairs: int = 10) -> CircuitEvaluator:
    return CircuitEvaluator(context(tiny_judge(family, layers=2), random_probes(12, pairs=pairs)), 8)


def ids_of(found: CircuitEvaluator, index: int) -> Tensor:
    return torch.tensor([found.encoded[index].ids])


@torch.no_grad()
def score_with(judge: Judge, ids: Tensor, encoded: Tensor) -> float:
    """The score when the decoder reads these words, and this of the encoder."""
    model: Any = judge.model
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), encoder_outputs=(encoded,)).logits[0]
    return float(logits[1] - logits[0])


@pytest.mark.parametrize("family", TWO_STACKS)
def test_the_empty_circuit_is_the_twins_encoder_and_the_prompts_own_decoder(family: str) -> None:
    found = evaluator(family)
    judge, references = found.judge, found.references
    assert references.kind == "twin"
    model: Any = judge.model
    wanted = []
    for index, twin in zip(references.indices, references.twins, strict=True):
        with torch.no_grad():
            theirs = model.get_encoder()(input_ids=ids_of(found, int(twin))).last_hidden_state
        wanted.append(score_with(judge, ids_of(found, int(index)), theirs))
    np.testing.assert_allclose(found.corrupted, wanted, atol=2e-5, rtol=1e-4)
    twins = {int(index): score for index, score in zip(references.indices, found.clean, strict=True)}
    assert np.abs(found.corrupted - [twins[int(twin)] for twin in references.twins]).max() > 0.05
    nothing = found.evaluate(np.zeros_like(found.graph.allowed))
    assert nothing.faithfulness == 0 and nothing.kept == pytest.approx(found.empty / found.full)


@torch.no_grad()
def slowly(found: CircuitEvaluator, mask: np.ndarray, index: int, twin: int) -> float:
    """One circuit on one prompt alone: every reader's stream is added up, and its block is called on it.

    Of a source that no kept edge leads to, too: what it reads is then all corrupted, and so is what it writes.
    """
    graph, transformer = found.graph, found.judge.model.transformer  # type: ignore[union-attr]
    blocks: Any = transformer.encoder.block
    size = blocks[0].layer[0].SelfAttention.key_value_proj_dim
    length = len(found.encoded[index].ids)
    first = blocks[0].layer[0].SelfAttention
    handed_on = {} if found.judge.anatomy.position_bias is None else {
        "position_bias": first.compute_bias(length, length)
    }  # fmt: skip

    def blocks_written(streams: Any) -> list[Tensor]:
        """What each source writes after the input, where `streams(target)` is what a reader reads."""
        for number, block in enumerate(blocks):
            attention = block.layer[0].SelfAttention
            for head in range(graph.heads):
                mixed: list[Tensor] = []
                hook = attention.o.register_forward_pre_hook(lambda _m, args, mixed=mixed: mixed.append(args[0]))
                attention(block.layer[0].layer_norm(streams(graph.head_targets(number).start + head)), **handed_on)
                hook.remove()
                columns = slice(head * size, (head + 1) * size)
                written.append(mixed[0][..., columns] @ attention.o.weight[:, columns].T)
            read = streams(graph.mlp_target(number))
            written.append(block.layer[1].DenseReluDense(block.layer[1].layer_norm(read)))
        return written

    written: list[Tensor] = [transformer.encoder.embed_tokens(torch.tensor([found.encoded[twin].ids]))]
    corrupted = blocks_written(lambda target: sum(written[: int(graph.allowed[:, target].sum())]))
    written = [transformer.encoder.embed_tokens(torch.tensor([found.encoded[index].ids]))]

    def stream(target: int) -> Any:
        sources = np.flatnonzero(graph.allowed[:, target])
        return sum(written[u] if mask[u, target] else corrupted[u] for u in sources)

    blocks_written(stream)
    last = transformer.encoder.final_layer_norm(stream(graph.verdict))
    return score_with(found.judge, torch.tensor([found.encoded[index].ids]), last)


@pytest.mark.parametrize("family", ["t5", "umt5"])
def test_random_circuits_are_those_run_reader_by_reader(family: str) -> None:
    found = evaluator(family)
    references, graph = found.references, found.graph
    random = np.random.default_rng(3)
    masks = [graph.allowed & (random.random(graph.allowed.shape) < share) for share in (0.15, 0.5, 0.9)]
    without = graph.allowed.copy()
    without[:, : graph.width] = False  # nobody in the first layer, whose biases the second one needs
    masks.append(without)
    some = range(3)
    wanted = [
        [slowly(found, mask, int(references.indices[place]), int(references.twins[place])) for place in some]
        for mask in masks
    ]
    scores = found.scores(masks)
    assert np.ptp(scores, axis=0).max() > 0.02
    np.testing.assert_allclose(scores[:, :3], wanted, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["t5", "umt5"])
def test_pairs_are_scored_on_both_ways_each_beside_its_own_words(family: str) -> None:
    """For such a judge the way back is another one: as the passes over every prompt have it."""
    made = context(tiny_judge(family, layers=2), random_probes(12, pairs=10))
    wanted = gradient_pass(made, 3, 20, edges=True)
    assert wanted.edges is not None and wanted.references.kind == "twin"
    parts = parts_of(made.probes, wanted.edges.sums[0].size)
    edges, nodes = pair_pass(made, wanted.references, made.encoded, parts, 3)
    assert edges is not None
    assert edges.prompts.sum() == wanted.edges.prompts.sum() == 20
    largest = np.nanmax(np.abs(wanted.edges.mean))
    assert largest > 1e-3
    np.testing.assert_allclose(edges.mean, wanted.edges.mean, atol=1e-5 * largest, rtol=1e-4)
    np.testing.assert_allclose(nodes.mean, wanted.nodes.mean, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["t5", "umt5"])
def test_attribution_of_heads_ranks_them_as_exact_patching_does(family: str) -> None:
    made = context(tiny_judge(family, layers=2), random_probes(12, pairs=10))
    found = gradient_pass(made, 5, 20)
    exact = ByHand(made, found.references).units("heads")
    agreement = spearman(found.heads.integrated.ravel().tolist(), exact.ravel().tolist())
    assert agreement is not None and agreement >= 0.8


Carrier = Literal["decoder", "both", "encoder"]
ACROSS = {"decoder": 0.0, "both": 2.0, "encoder": 1e4}
"""Carrier -> by what the decoder's attention to the encoder is multiplied."""


@cache
def planted(carrier: Carrier) -> Context:
    """A judge whose verdict goes through one of its stacks alone or both, and twins labelled as it scores them.

    The decoder's attention to the encoder writes nothing, or twice what it did, or so much that nothing else
    counts; and it looks at all tokens alike, whatever the decoder has read.
    """
    judge = tiny_judge.__wrapped__("t5", layers=2, seed=0)
    with torch.no_grad():
        for block in judge.model.transformer.decoder.block:  # type: ignore[union-attr]
            across: Any = block.layer[1].EncDecAttention  # type: ignore[union-attr, index]
            across.o.weight *= ACROSS[carrier]
            across.q.weight *= 0.0
        judge.model.classification_head.out_proj.weight *= 3  # type: ignore[union-attr, operator]
    return context(judge, labelled(judge), suite=frozenset({"circuits", "heads", "neurons"}))


def labelled(judge: Judge) -> list[Probe]:
    """Twins, of which the one that scores higher is the unsafe one."""
    probes = random_probes(PAIRS, pairs=PAIRS, seed=1)
    scores = dict(zip([one.id for one in probes], context(judge, probes).forward.scores, strict=True))
    pairs: dict[str, list[Probe]] = {}
    for one in probes:
        pairs.setdefault(str(one.pair), []).append(one)
    return [
        one.model_copy(update={"label": label})
        for pair in pairs.values()
        for label, one in zip(("safe", "unsafe"), sorted(pair, key=lambda one: scores[one.id]), strict=True)
    ]


def result_of(carrier: Carrier) -> CircuitsResult:
    found = circuits(planted(carrier), CircuitsSettings(**FEW)).result  # type: ignore[arg-type]
    assert isinstance(found, CircuitsResult) and found.explained.claimable
    return found


def test_where_the_decoder_carries_the_verdict_no_circuit_is_claimed() -> None:
    found = result_of("decoder")
    assert found.left is not None and found.left.value == pytest.approx(1, abs=1e-4)
    assert found.smallest is None and found.curve == [] and found.mib == []
    assert circuit_finding(found) == (
        "No circuit can be claimed: the decoder reads the words itself: 100 % [100, 100] of the separation is left "
        "with every edge of the encoder cut"
    )


def test_where_the_decoder_carries_the_verdict_no_head_and_no_neuron_carries_it() -> None:
    made = planted("decoder")
    settings = HeadsSettings(steps=2, top=2, controls=3, ablated=48)
    by_head: Any = heads(made, settings).result
    assert by_head.explained.claimable and not any(row.ablation.carries for row in by_head.top)
    assert by_head.joint is None or not by_head.joint.carries
    by_neuron: Any = neurons(made, NeuronsSettings(steps=1, controls=2, shuffles=2, decoys=1, top=2)).result
    assert not any(row.ablation is not None and row.ablation.carries for row in by_neuron.top)


def test_where_the_encoder_carries_it_circuits_are_run_and_held_against_what_is_left() -> None:
    found = result_of("encoder")
    assert found.left is not None and found.left.high < 0, "the twin's encoder turns the verdict"
    assert found.keep == 0.8 and found.curve and found.mean_empty is not None and found.mean_empty < 0
    assert all(point.above_left is not None for point in found.curve)
    whole = found.curve[-1]
    assert whole.kept.value == pytest.approx(1) and whole.beats_none
    assert whole.above_left is not None and whole.above_left.value == pytest.approx(1 - found.left.value, abs=1e-4)


def test_where_both_carry_it_a_circuit_has_to_keep_what_is_left_and_most_of_the_rest() -> None:
    found = result_of("both")
    assert found.left is not None and found.left.low > 0 and found.left.high < 0.8
    assert found.keep == pytest.approx(0.8 + 0.2 * found.left.value)
    circuit = found.smallest
    assert circuit is not None and circuit.kept.value >= found.keep and circuit.faithfulness >= 0.8
    point = next(point for point in found.curve if point.edges >= circuit.edges)
    assert point.beats_none and point.above_left is not None and point.above_left.value < point.kept.value
    assert circuit_finding(found).endswith(f"; without the encoder {span(found.left)} is left")


@pytest.mark.parametrize(("half", "claimable"), [(0.4, False), (0.2, True)])
def test_a_circuit_that_may_keep_no_more_than_is_left_is_not_claimed(half: float, claimable: bool) -> None:
    def around(value: float, half: float) -> Interval:
        return Interval(value=value, low=value - half, high=value + half)

    point = CurvePoint(
        fraction=0.1,
        edges=5,
        n=2,
        kept=around(0.95, 0.1),
        random=[0.1],
        above_random=around(0.8, 0.1),
        above_left=around(0.3, half),
    )
    runs = _Runs(cast(Any, None), 50, 0.9, np.arange(2))
    assert runs._claimable(point) == claimable


@pytest.mark.parametrize(("left", "wanted"), [(None, 0.8), (0.5, 0.9), (0.0, 0.8), (-1.0, 0.8)])
def test_of_what_is_not_left_a_circuit_has_to_keep_the_share_that_is_asked_for(
    left: float | None, wanted: float
) -> None:
    interval = None if left is None else Interval(value=left, low=left - 0.1, high=left + 0.1)
    assert to_keep(0.8, interval) == pytest.approx(wanted)

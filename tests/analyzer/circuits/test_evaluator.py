"""Circuits run exactly: whole and empty ones in every family, one against a literal recomputation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analyzer.circuits.edge_run import EdgeRun, Setting
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import on_paths
from analyzer.circuits.streams import stream_plan
from analyzer.model.batches import collate
from analyzer.patching.graph import Graph
from analyzer.patching.references import reference_values
from analyzer.patching.source_values import source_values
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.tiny import FAMILIES

WITH_EDGES = [family for family in FAMILIES if family != "deberta-v2"]
ALL_EDGES = [*WITH_EDGES, "t5", "umt5"]


def evaluator(family: str, pairs: int = 10, **fields: object) -> CircuitEvaluator:
    return CircuitEvaluator(context(tiny_judge(family, layers=2), random_probes(12, pairs=pairs), **fields), 16)


def raw_scores(found: CircuitEvaluator, mask: np.ndarray) -> np.ndarray:
    """Scores with every stream really run, nothing left out."""
    return found._scores([mask])[0]


@pytest.mark.parametrize("family", ALL_EDGES)
@pytest.mark.parametrize("pairs", [10, 2])
def test_the_whole_graph_is_the_judge(family: str, pairs: int) -> None:
    found = evaluator(family, pairs)
    whole = raw_scores(found, found.graph.allowed)
    assert np.allclose(whole, found.clean, atol=2e-5, rtol=1e-4)
    assert found.evaluate(found.graph.allowed).faithfulness == 1


@pytest.mark.parametrize("family", WITH_EDGES)
def test_the_empty_graph_is_the_corrupted_run(family: str) -> None:
    found = evaluator(family)
    nothing = np.zeros_like(found.graph.allowed)
    judge = found.judge
    chosen = list(range(found.references.n))
    batch = collate([found.context.encoded[i] for i in found.references.indices], judge.anatomy.pad_id, "cpu")
    with torch.inference_mode():
        clean = source_values(judge, batch)
        twin = reference_values(clean, batch.mask, found.references.partners(chosen), None)
        only = nothing.copy()
        only[0, found.graph.verdict] = True  # a stream for the verdict
        run = EdgeRun(
            Setting(judge, found.graph, batch, twin, twin), stream_plan(only, found.graph)
        )  # and no difference in it
        assert np.allclose(run.scores().numpy(), found.corrupted, atol=2e-5, rtol=1e-4)
    assert found.evaluate(nothing).faithfulness == 0


@pytest.mark.parametrize("family", ALL_EDGES)
def test_leaving_out_what_is_on_no_path_changes_nothing(family: str) -> None:
    found = evaluator(family)
    random = np.random.default_rng(3)
    mask = found.graph.allowed & (random.random(found.graph.allowed.shape) < 0.4)
    pruned = on_paths(mask, found.graph)
    assert 0 < pruned.sum() < mask.sum()
    assert np.allclose(raw_scores(found, mask), raw_scores(found, pruned), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ALL_EDGES)
def test_cutting_every_edge_of_a_head_is_patching_its_output(family: str) -> None:
    """Without edges out of it, a head's corrupted value reaches everybody: the usual patch, by a plain hook."""
    found = evaluator(family)
    graph, judge = found.graph, found.judge
    wiring = judge.anatomy.wiring
    assert wiring is not None
    for layer in range(2):
        mask = graph.allowed.copy()
        mask[graph.head_sources(layer).start + 1] = False
        columns = slice(wiring.head_size, 2 * wiring.head_size)
        assert np.allclose(
            raw_scores(found, mask), patched(found, layer, "attention", columns), atol=5e-5, rtol=1e-3
        )
        mask = graph.allowed.copy()
        mask[graph.mlp_source(layer)] = False
        assert np.allclose(raw_scores(found, mask), patched(found, layer, "mlp", slice(None)), atol=5e-5, rtol=1e-3)


def patched(found: CircuitEvaluator, layer: int, part: str, columns: slice) -> np.ndarray:
    """Scores of each prompt alone, with some inputs of a block's last map taken from its twin."""
    judge, references = found.judge, found.references
    module = getattr(judge.anatomy.wiring.layers[layer], part).out  # type: ignore[union-attr]
    scores = []
    for index, twin in zip(references.indices, references.twins, strict=True):
        kept: list[torch.Tensor] = []
        pair = [collate([found.context.encoded[int(i)]], judge.anatomy.pad_id, "cpu") for i in (twin, index)]
        with torch.inference_mode():
            hook = module.register_forward_pre_hook(lambda _m, args, kept=kept: kept.append(args[0]))
            judge.model(input_ids=pair[0].ids, attention_mask=pair[0].mask)
            hook.remove()

            def put(_module: torch.nn.Module, args: tuple, kept: list = kept) -> tuple:
                values = args[0].clone()
                values[..., columns] = kept[0][..., columns]
                return (values,)

            hook = module.register_forward_pre_hook(put)
            logits = judge.model(input_ids=pair[1].ids, attention_mask=pair[1].mask).logits[0]
            hook.remove()
        scores.append(float(logits[1] - logits[0]))
    return np.array(scores)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_one_edge_against_a_literal_recomputation(family: str) -> None:
    """Head L0.H1 -> MLP of layer 1: only that MLP reads the corrupted head. By hand: its input is shifted."""
    found = evaluator(family)
    graph, judge, references = found.graph, found.judge, found.references
    wiring = judge.anatomy.wiring
    assert wiring is not None
    mask = graph.allowed.copy()
    mask[graph.head_sources(0).start + 1, graph.mlp_target(1)] = False
    ours = raw_scores(found, mask)
    first, second = wiring.layers
    columns = slice(wiring.head_size, 2 * wiring.head_size)
    for place, (index, twin) in enumerate(zip(references.indices, references.twins, strict=True)):
        z: list[torch.Tensor] = []
        streams: dict[str, torch.Tensor] = {}
        for which in (twin, index):
            batch = collate([found.context.encoded[int(which)]], judge.anatomy.pad_id, "cpu")
            hooks = [first.attention.out.register_forward_pre_hook(appending(z))]
            norms = (
                {"x": second.mlp.read_norm}
                if family == "llama"
                else {"a": first.attention.trunk_norm, "b": first.mlp.trunk_norm, "c": second.attention.trunk_norm}
            )
            for name, norm in norms.items():
                assert norm is not None
                hooks.append(norm.register_forward_pre_hook(keeping(streams, name)))
                hooks.append(norm.register_forward_hook(keeping(streams, name + "out", 2)))
            with torch.inference_mode():
                judge.model(input_ids=batch.ids, attention_mask=batch.mask)
            for hook in hooks:
                hook.remove()
        with torch.inference_mode():
            weight = first.attention.out.weight[:, columns]  # type: ignore[union-attr, index]
            shift = (z[0] - z[1])[..., columns] @ weight.T  # type: ignore[union-attr]
            if family == "llama":
                own = second.mlp.read_norm(streams["x"] + shift)  # type: ignore[misc]
            else:  # down the stream through each norm, every other write as it was
                stream = first.attention.trunk_norm(streams["a"] + shift)  # type: ignore[misc]
                stream = first.mlp.trunk_norm(stream + streams["b"] - streams["aout"])  # type: ignore[misc]
                own = second.attention.trunk_norm(stream + streams["c"] - streams["bout"])  # type: ignore[misc]
            hook = second.mlp.inlet.register_forward_pre_hook(lambda _m, a, own=own: (own, *a[1:]))
            logits = judge.model(input_ids=batch.ids, attention_mask=batch.mask).logits[0]
            hook.remove()
        assert abs(float(logits[1] - logits[0]) - ours[place]) < 5e-5 + 1e-3 * abs(ours[place])


def appending(into: list[torch.Tensor]) -> Any:
    return lambda _module, args: into.append(args[0])


def keeping(into: dict[str, torch.Tensor], name: str, place: int = 1) -> Any:
    """A hook that keeps a module's first argument, or its output."""

    def hook(*found: Any) -> None:
        into[name] = found[place][0] if place == 1 else found[place]

    return hook


def test_node_level_where_edges_cannot_be_told_apart() -> None:
    found = evaluator("deberta-v2")
    assert not found.by_edges
    everything = np.ones(found.graph.sources, dtype=bool)
    assert np.allclose(raw_scores(found, everything), found.clean, atol=2e-5, rtol=1e-4)
    assert np.allclose(raw_scores(found, ~everything), found.corrupted, atol=2e-5, rtol=1e-4)
    without = everything.copy()
    without[found.graph.mlp_source(1)] = False
    assert np.allclose(raw_scores(found, without), patched(found, 1, "mlp", slice(None)), atol=5e-5, rtol=1e-3)


@pytest.mark.parametrize("family", ["bert", "gemma2"])
def test_batch_size_changes_nothing(family: str) -> None:
    mask = Graph(2, 4).allowed & (np.random.default_rng(0).random((11, 11)) < 0.5)
    one, two = evaluator(family).evaluate(mask), evaluator(family, batch_tokens=1).evaluate(mask)
    assert np.allclose(one.scores, two.scores, atol=2e-5)
    assert one.kept == pytest.approx(two.kept, abs=1e-4)


def test_the_share_kept_is_not_faithfulness() -> None:
    """By hand, from the scores alone: with twins f = (1 + share) / 2, and the empty circuit keeps nothing: -100
    %."""
    found = evaluator("bert")
    mask = found.graph.allowed & (np.random.default_rng(1).random(found.graph.allowed.shape) < 0.7)
    sign = np.array([1 if found.context.probes[i].label == "unsafe" else -1 for i in found.references.indices])
    scores = raw_scores(found, mask)
    share = (sign * scores).sum() / (sign * found.clean).sum()
    one = found.evaluate(mask)
    assert one.kept == pytest.approx(share, rel=1e-4)
    assert one.faithfulness == pytest.approx((1 + share) / 2, rel=1e-4)
    empty = found.evaluate(np.zeros_like(mask))
    assert (empty.kept, empty.faithfulness) == (pytest.approx(-1), pytest.approx(0))


def test_some_prompts_alone_score_as_they_do_among_all() -> None:
    found = evaluator("bert")
    allowed = found.graph.allowed
    masks = [allowed, np.zeros_like(allowed), allowed & (np.arange(11) % 2 == 0)]
    whole, some = found.scores(masks), np.array([2, 3, 8, 9])
    assert np.allclose(found.scores(masks, some), whole[:, some], atol=2e-5)
    assert whole.shape == (3, found.references.n)


def test_further_pairs_are_run_after_those_of_the_probe_set() -> None:
    """The judge's scores of prompts that no shared pass has seen are its own."""
    everything = random_probes(12, pairs=12)
    own = [each for each in everything if each.id[1:] not in ("1", "2", "3")]
    further = [each for each in everything if each.id[1:] in ("1", "2", "3")]
    judge = tiny_judge("bert", layers=2)
    found = CircuitEvaluator(context(judge, own, pairs=further), 100, wider=True)
    alone = context(judge, further).forward.scores
    place = {each.id: score for each, score in zip(further, alone, strict=True)}
    at = found.references.indices
    assert at.max() >= len(own) and (np.diff(at >= len(own)) >= 0).all(), "the probe set first"
    beyond = [(found.probes[i].id, s) for i, s in zip(at, found.clean, strict=True) if i >= len(own)]
    assert beyond and all(score == pytest.approx(place[name], abs=2e-5) for name, score in beyond)
    assert found.aligned == found.references.n_pairs

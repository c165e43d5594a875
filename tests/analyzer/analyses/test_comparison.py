"""Where safe and unsafe part: planted, absent, and impossible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import analyzer.analyses.comparison as comparison_module
from analyzer.analyses.comparison import ComparisonSettings, comparison
from analyzer.model.batches import Encoded
from analyzer.model.hooked_pass import ForwardPass
from analyzer.session.context import Context
from shared.errors import CannotCompute
from shared.findings.comparison import ComparisonResult, agreed
from shared.records import Probe
from tests.making.forms import short_and_long
from tests.making.judges import context, probe, random_probes, tiny_judge

SETTINGS = ComparisonSettings(bootstraps=300)


def labelled(count: int = 40, pairs: int = 10) -> list[Probe]:
    pair = [f"p{i // 2}" if i < 2 * pairs else None for i in range(2 * count)]
    return [probe(str(i), "unsafe" if i % 2 else "safe", pair=pair[i]) for i in range(2 * count)]


def planted(strengths: list[float], probes: list[Probe], seed: int = 0, width: int = 24) -> Context:
    """A context whose pass has been made: noise, plus a class direction of the given strength at each point."""
    random = np.random.default_rng(seed)
    labels = np.array([p.label == "unsafe" for p in probes], dtype=float)
    pooled = random.normal(size=(len(strengths), len(probes), width)).astype(np.float32)
    pooled[:, :, 0] += np.array(strengths)[:, None] * (2 * labels - 1)
    ready = context(tiny_judge("bert"), probes)
    ready._forward = ForwardPass(
        encoded=[Encoded(p.text, (1,), (False,), ((0, 1),), False) for p in probes],
        scores=pooled[-1, :, 0],
        pooled=pooled,
        norms=np.ones((len(probes), len(strengths))),
        attention_writes=None,
        mlp_writes=None,
        lens=None,
    )
    return ready


def compared(ready: Context) -> ComparisonResult:
    result = comparison(ready, SETTINGS).result
    assert isinstance(result, ComparisonResult)
    return result


@pytest.mark.parametrize(
    ("strengths", "layer"),
    [
        ([0, 0, 0, 3, 3], 2),
        ([3, 3, 3, 3, 3], -1),
        ([0, 3, 0, 0, 3], None),  # never two in a row
        ([0, 3, 0, 3, 3], 2),
        ([0, 0, 0, 0, 0], None),
    ],
)
def test_the_divergence_layer_is_the_planted_one(strengths: list[float], layer: int | None) -> None:
    outcome = comparison(planted(strengths, labelled()), SETTINGS)
    assert outcome.result.divergence_layer == layer  # type: ignore[attr-defined]
    assert ("divergence_layer" in outcome.summary) == (layer is not None)


@pytest.mark.parametrize("seed", short_and_long(range(8), 2))
def test_no_relation_no_divergence(seed: int) -> None:
    found = compared(planted([0] * 6, labelled(), seed))
    assert found.divergence_layer is None
    assert all(0.35 < point.control_mean < 0.65 for point in found.points)
    assert all(point.distance.value < 2 * point.distance_noise for point in found.points)


def test_pairs_and_distances_of_a_planted_direction() -> None:
    found = compared(planted([0, 4], labelled()))
    noise, clear = found.points
    assert clear.pair_accuracy is not None and clear.pair_accuracy.value == 1
    assert clear.pair_cosine is not None and clear.pair_cosine > 0.7 and abs(noise.pair_cosine or 0) < 0.3
    assert clear.distance.low > clear.distance_noise > 0 and clear.distance.low <= clear.distance.value
    assert clear.cosine == pytest.approx(-1, abs=0.1)
    assert clear.auroc.value == 1 and found.decision_auroc.value == 1
    assert found.n_pairs == 10 and found.n_safe == found.n_unsafe == 40 and found.folds == 5


def test_on_a_real_judge_the_embeddings_of_cls_say_nothing() -> None:
    found = compared(context(tiny_judge("bert"), random_probes()))
    assert found.points[0].auroc.value == 0.5 and found.points[0].distance.value == 0
    assert found.points[0].cosine == pytest.approx(1)
    assert len(found.points) == found.layers + 1 == 3


@pytest.mark.parametrize(
    ("probes", "words"),
    [
        ([], "no prompts"),
        ([probe(str(i)) for i in range(9)], "only safe"),
        ([probe(str(i), "unsafe" if i % 2 else "safe", group="one") for i in range(10)], "share a group"),
        ([probe("a"), probe("b", "unsafe")], "share a group"),
    ],
)
def test_what_cannot_be_compared_says_why(probes: list[Probe], words: str) -> None:
    with pytest.raises(CannotCompute, match=words):
        comparison(planted([1, 1], probes) if probes else context(tiny_judge("bert"), []), SETTINGS)


def test_few_groups_give_fewer_folds_and_a_note() -> None:
    probes = [probe(f"{i}", "unsafe" if i % 2 else "safe", group=f"g{i // 8}") for i in range(24)]
    found = compared(planted([2, 2], probes))
    assert found.folds == 3 and any("Only 3 folds" in note for note in found.notes)


def test_points_that_did_not_change_are_not_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkpoints of a run with frozen layers: the same vectors, but for the last points."""
    first, second = planted([0, 2, 3], labelled()), planted([0, 2, 4], labelled())
    second.cache = first.cache
    alone = comparison(planted([0, 2, 4], labelled()), SETTINGS)
    comparison(first, SETTINGS)
    solved: list[np.ndarray] = []
    real = comparison_module.repeated_probe
    monkeypatch.setattr(
        comparison_module, "repeated_probe", lambda vectors, *rest: solved.append(vectors) or real(vectors, *rest)
    )
    found = comparison(second, SETTINGS)
    (vectors,) = solved
    np.testing.assert_array_equal(vectors, second.forward.pooled[2])
    assert found.result == alone.result
    for name, tensor in alone.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)
    comparison(second, SETTINGS.model_copy(update={"folds": 4}))
    assert len(solved) == 4, "another design is another question"


def test_a_judge_that_tells_nothing_apart_has_no_divergence_layer() -> None:
    """However well a probe does: an untrained model keeps the words that a probe can find."""
    ready = planted([3, 3, 3], labelled())
    assert ready._forward is not None
    ready._forward = replace(ready._forward, scores=np.random.default_rng(0).normal(0, 1e-3, len(ready.probes)))
    found = compared(ready)
    assert not found.to_explain.claimable and found.divergence_layer is None
    assert found.divergence_by_split == [-1] * 10, "what the probes found is published all the same"


def test_splits_that_do_not_agree_name_no_layer() -> None:
    assert agreed([3] * 6 + [2] * 4) == 3
    assert agreed([3] * 5 + [2] * 5) is None
    assert agreed([3] * 4 + [2] * 3 + [None] * 3) is None
    assert agreed([None] * 9 + [2]) is None
    assert agreed([]) is None


def test_the_published_auroc_is_the_mean_of_ten_splits() -> None:
    """Weak enough that the drawing of the folds moves it."""
    found = compared(planted([0.4, 0.4], labelled()))
    for point in found.points:
        assert len(point.auroc_of_splits) == found.splits == 10
        assert point.auroc.value == pytest.approx(np.mean(point.auroc_of_splits))
        assert np.std(point.auroc_of_splits) > 0.003
        assert point.auroc.low < min(point.auroc_of_splits) and max(point.auroc_of_splits) < point.auroc.high

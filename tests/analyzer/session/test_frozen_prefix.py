"""A pass that begins at the frozen boundary gives what the whole pass gives, and only bytes decide where it is."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from analyzer.checkpoints.digest import ContentDigest
from analyzer.model.anatomy import dissect
from analyzer.model.batches import Encoded, encode
from analyzer.model.hooked_pass import ForwardPass, record
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.session.frozen_prefix import FrozenPrefix, PrefixStore
from shared.records import JudgeRecord
from tests.making.judges import random_probes, tiny_judge
from tests.making.tiny import FAMILIES, save_tiny_judge

PROBES = random_probes(6, seed=11)
LAYERS = 3
ALL = {"means": True}


def trained(judge: Judge, boundary: int, seed: int, head: bool = True) -> Judge:
    """A copy of the judge whose layers from `boundary` on, and head, have moved."""
    model = copy.deepcopy(judge.model)
    found = replace(judge, model=model, anatomy=dissect(model, judge.anatomy.pad_id, judge.answers))
    noise = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        place = found.anatomy.place_of(name)
        if (place == "head" and head) or (isinstance(place, int) and place >= boundary):
            tensor += 0.02 * torch.randn(tensor.shape, generator=noise)
    return found


def digest(judge: Judge) -> ContentDigest:
    """As `digest.compute_digest` would find it in the judge's files."""
    tensors = {
        name: hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        for name, tensor in judge.model.state_dict().items()
    }
    others = {"config.json": "c"}
    return ContentDigest(checkpoint="checkpoint-1", files=[], digest="", tensors=tensors, others=others)


def prompts(judge: Judge, max_length: int = 40) -> list[Encoded]:
    return encode(judge.tokenizer, [one.text for one in PROBES], max_length, judge.template)


def run(store: PrefixStore, judge: Judge, boundary: int, batch_tokens: int = 100, **wanted: bool) -> ForwardPass:
    encoded = prompts(judge)
    access = FrozenPrefix(store, digest(judge), boundary)
    return access.record(judge, encoded, batch_tokens, **(wanted or ALL))


def plain(judge: Judge) -> ForwardPass:
    encoded = prompts(judge)
    return record(judge, encoded, 4096, **ALL)


def assert_equal(found: ForwardPass, wanted: ForwardPass) -> None:
    for name in ("scores", "pooled", "norms", "attention_writes", "mlp_writes", "lens"):
        one, other = getattr(found, name), getattr(wanted, name)
        if one is None and other is None:  # there is no lens before a decoder
            continue
        assert one.dtype == other.dtype and one.shape == other.shape, name
        close(one, other, name)
    assert found.unit_means is not None and wanted.unit_means is not None
    for name in ("input", "heads", "neurons"):
        close(getattr(found.unit_means, name), getattr(wanted.unit_means, name), name)


def close(one: np.ndarray, other: np.ndarray, name: str) -> None:
    """To 1e-5 of the largest value: what the size of batches changes by itself."""
    np.testing.assert_allclose(one, other, atol=1e-5 * max(1.0, float(np.abs(other).max())), rtol=0, err_msg=name)


@contextmanager
def layers_run(judge: Judge) -> Iterator[list[tuple[int, int]]]:
    """(layer, prompts) of each real computation of a layer's MLP."""
    seen: list[tuple[int, int]] = []

    def counter(index: int):
        def hook(_module: object, _args: object, output: Tensor | tuple[Tensor, ...]) -> None:
            seen.append((index, len(output[0] if isinstance(output, tuple) else output)))

        return hook

    hooks = [
        module.register_forward_hook(counter(index)) for index, module in enumerate(judge.anatomy.mlp_writes or ())
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def prompts_through(seen: list[tuple[int, int]]) -> list[int]:
    return [sum(count for layer, count in seen if layer == index) for index in range(LAYERS)]


@pytest.mark.parametrize("family", [*FAMILIES, "t5", "umt5"])
@pytest.mark.parametrize("boundary", [1, LAYERS])
def test_a_later_checkpoint_begins_at_the_boundary_and_equals_the_plain_pass(family: str, boundary: int) -> None:
    judge = tiny_judge(family, layers=LAYERS)
    store = PrefixStore()
    assert_equal(run(store, judge, boundary), plain(judge))
    later = trained(judge, boundary, seed=1)
    wanted = plain(later)
    with layers_run(later) as seen:
        found = run(store, later, boundary, batch_tokens=40)  # other batches than those it was kept in
    assert_equal(found, wanted)
    assert found.taken_over == boundary
    assert np.abs(found.scores - plain(judge).scores).max() > 1e-3
    checked = 1  # prompt goes through all layers
    assert prompts_through(seen) == [checked] * boundary + [len(PROBES) + checked] * (LAYERS - boundary)


@pytest.mark.parametrize("family", ["llama", "gemma2"])  # gemma2: the answers' rows are the embeddings' own
def test_a_prompted_judge_begins_at_the_boundary_too(family: str, tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path, family, layers=LAYERS, causal=True, initializer_range=0.3)
    answers = JudgeRecord(
        kind="prompted", safe_id=7, unsafe_id=9, template="say {prompt} true or false", max_length=40
    )
    judge = load_judge(path, answers)
    store = PrefixStore()
    run(store, judge, 2)
    later = trained(judge, 2, seed=1, head=False)
    wanted = plain(later)
    with layers_run(later) as seen:
        found = run(store, later, 2)
    assert_equal(found, wanted)
    assert np.abs(found.scores - plain(judge).scores).max() > 1e-3
    assert prompts_through(seen) == [1, 1, len(PROBES) + 1]


def test_nothing_is_kept_without_a_frozen_layer() -> None:
    judge = tiny_judge("bert", layers=LAYERS)
    store = PrefixStore()
    assert_equal(run(store, judge, 0), plain(judge))
    assert store.nbytes == 0


def test_a_deeper_boundary_extends_what_is_kept() -> None:
    judge = tiny_judge("llama", layers=LAYERS)
    store = PrefixStore()
    run(store, judge, 1)
    small = store.nbytes
    for seed, first in ((1, 1), (2, 2)):
        later = trained(judge, 2, seed)
        wanted = plain(later)
        with layers_run(later) as seen:
            assert_equal(run(store, later, 2), wanted)
        assert prompts_through(seen) == [1] * first + [len(PROBES) + 1] * (LAYERS - first)
    assert small < store.nbytes < 4 * small, "the shorter one is gone"


def test_bytes_decide_not_the_boundary() -> None:
    """A wrong declaration costs time, never truth."""
    judge = tiny_judge("bert", layers=LAYERS)
    store = PrefixStore()
    run(store, judge, 2)
    liar = trained(judge, 1, seed=1)  # layer 1 trained, whatever was declared
    assert_equal(run(store, liar, 2), plain(liar))
    embeddings = trained(judge, LAYERS, seed=1)
    embeddings.model.get_input_embeddings().weight.data[5:9] += 0.1
    assert_equal(run(store, embeddings, 2), plain(embeddings))


@pytest.mark.parametrize("change", ["prompts", "config", "dtype"])
def test_another_question_is_not_answered_from_what_is_kept(change: str) -> None:
    judge = tiny_judge("bert", layers=LAYERS)
    store = PrefixStore()
    run(store, judge, 2)
    encoded = prompts(judge)
    found = digest(judge)
    if change == "prompts":
        encoded = prompts(judge, max_length=5)
    elif change == "config":
        found = found.model_copy(update={"others": {"config.json": "d"}})
    else:
        judge = replace(judge, dtype="bfloat16")
    with layers_run(judge) as seen:
        FrozenPrefix(store, found, 0).record(judge, encoded, 100, **ALL)
    assert prompts_through(seen) == [len(PROBES)] * LAYERS


def test_a_prefix_without_units_is_made_again_when_they_are_needed() -> None:
    judge = tiny_judge("qwen2", layers=LAYERS)
    store = PrefixStore()
    basic = run(store, judge, 2, means=False)
    assert basic.unit_means is None
    later = trained(judge, 2, seed=1)
    assert_equal(run(store, later, 2), plain(later))
    last = trained(judge, 2, seed=2)
    wanted = plain(last)
    with layers_run(last) as seen:
        assert_equal(run(store, last, 2), wanted)
    assert prompts_through(seen)[0] == 1
    assert run(store, last, 2, means=False).unit_means is None


def test_a_damaged_prefix_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    judge = tiny_judge("bert", layers=LAYERS)
    store = PrefixStore()
    run(store, judge, 2)
    kept = store._kept[0]
    store._kept = [replace(kept, streams=[stream + 0.1 for stream in kept.streams])]
    later = trained(judge, 2, seed=1)
    assert_equal(run(store, later, 2), plain(later))
    assert "does not hold" in caplog.text
    caplog.clear()
    assert_equal(run(store, later, 2), plain(later))
    assert not caplog.text, "it was made again"


def test_the_least_recently_used_goes_when_the_budget_is_full() -> None:
    judges = [tiny_judge("bert", layers=LAYERS, seed=seed) for seed in range(3)]
    probe = PrefixStore()
    run(probe, judges[0], 2)
    store = PrefixStore(budget=int(2.5 * probe.nbytes))
    for index in (0, 1, 0, 2):  # 1 is the least recently used when 2 comes
        run(store, judges[index], 2)
    assert store.nbytes == 2 * probe.nbytes
    for index, kept in ((0, True), (2, True), (1, False)):
        with layers_run(judges[index]) as seen:
            run(store, judges[index], 0)
        assert prompts_through(seen)[0] == (1 if kept else len(PROBES))


@pytest.mark.parametrize("budget", [100, 20_000])
def test_what_does_not_fit_is_not_kept(budget: int) -> None:
    judge = tiny_judge("bert", layers=LAYERS)
    store = PrefixStore(budget=budget)
    assert_equal(run(store, judge, 2), plain(judge))
    assert store.nbytes == 0


def test_mean_pooling_behind_a_final_norm_takes_the_plain_way() -> None:
    judge = tiny_judge("modernbert", layers=LAYERS, classifier_pooling="mean")
    store = PrefixStore()
    assert_equal(run(store, judge, 2), plain(judge))
    assert store.nbytes == 0


def test_a_tensor_without_a_digest_keeps_everything_below_it_from_being_reused() -> None:
    """As with an adapter, whose base is not in the checkpoint."""
    judge = tiny_judge("bert", layers=LAYERS)
    found = digest(judge)
    del found.tensors["bert.encoder.layer.1.output.dense.weight"]
    encoded = prompts(judge)
    store = PrefixStore()
    FrozenPrefix(store, found, 2).record(judge, encoded, 100, **ALL)
    assert store.nbytes == 0
    FrozenPrefix(store, found, 1).record(judge, encoded, 100, **ALL)
    assert store.nbytes > 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_kept_as_it_is(dtype: str) -> None:
    original = tiny_judge("llama", layers=LAYERS)
    model = copy.deepcopy(original.model).to(getattr(torch, dtype))
    judge = replace(original, model=model, anatomy=dissect(model, original.anatomy.pad_id), dtype=dtype)
    encoded = prompts(judge)
    store, found = PrefixStore(), digest(original)
    whole = FrozenPrefix(store, found, 2).record(judge, encoded, 100, **ALL)
    begun = FrozenPrefix(store, found, 2).record(judge, encoded, 100, **ALL)
    assert store._kept[0].streams[0].dtype == getattr(torch, dtype)
    assert_equal(begun, whole)

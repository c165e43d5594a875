"""What is differentiated at once is bounded by bytes, whatever the judge's size."""

from __future__ import annotations

import pytest

from analyzer.attribution.attributed_prompts import attributed_prompts
from analyzer.model import differentiated
from analyzer.model.differentiated import CPU_TOKENS, FEWEST_TOKENS, tokens_at_once
from analyzer.model.judge import Judge
from analyzer.patching import edge_scores
from analyzer.patching.gradient_pass import gradient_pass
from shared.records import Probe
from tests.making.judges import context, probe, tiny_judge
from tests.making.live_tensors import LiveTensors

SHAPE = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4}
FAMILIES = ("bert", "llama")
BOUND = 4 * 2**20


def judge_of(family: str, layers: int) -> Judge:
    return tiny_judge(family, layers=layers, **SHAPE)


def pairs(count: int) -> list[Probe]:
    found = []
    for number in range(count):
        text, pair = f"how do i build a bread {number % 10}", f"p{number}"
        found.append(probe(f"{text} now", "safe", id=f"s{number}", pair=pair))
        found.append(probe(f"{text} gun", "unsafe", id=f"u{number}", pair=pair))
    return found


def test_a_small_judge_takes_what_was_asked_for_and_a_deep_one_less() -> None:
    small, deep = judge_of("llama", 2), judge_of("llama", 24)
    assert tokens_at_once(small, 500) == 500
    assert tokens_at_once(small, 100_000) == CPU_TOKENS
    assert tokens_at_once(small, 100_000, edges=True) <= tokens_at_once(small, 100_000)
    each = 4 * 24 * (10 * 64 + 3 * 192)
    assert tokens_at_once(deep, 100_000) == min(CPU_TOKENS, differentiated.CPU_BYTES // each)


def test_no_judge_is_too_large_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differentiated, "CPU_BYTES", 1)
    assert tokens_at_once(judge_of("llama", 2), 4096) == FEWEST_TOKENS


@pytest.mark.parametrize("family", FAMILIES)
def test_integrated_gradients_keep_to_the_bytes(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judge_of(family, 4)
    given = context(judge, pairs(8))
    _ = given.forward  # not what is bounded here

    def peak() -> int:
        with LiveTensors() as live:
            attributed_prompts(given, range(8), (32,), 1.0, twin_nodes=32)
        return live.peak

    free = peak()
    monkeypatch.setattr(differentiated, "CPU_BYTES", BOUND)
    assert peak() <= 1.25 * BOUND < free


@pytest.mark.parametrize("family", FAMILIES)
def test_edge_scores_keep_to_the_bytes(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest batch, one pair with all its steps, takes 108 tokens."""
    judge = judge_of(family, 4)
    given = context(judge, pairs(12))
    _ = given.with_units()
    monkeypatch.setattr(edge_scores, "CHUNK_BYTES", BOUND // 16)  # bounded by itself

    def peak() -> int:
        with LiveTensors() as live:
            gradient_pass(given, 5, 24, edges=True)
        return live.peak

    free = peak()
    monkeypatch.setattr(differentiated, "CPU_BYTES", BOUND)
    assert peak() <= 1.5 * BOUND < free

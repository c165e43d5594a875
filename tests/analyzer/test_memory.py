"""Peak memory of the passes is bounded by the batch, not by the number of prompts."""

from __future__ import annotations

import pytest
import torch

from analyzer.passes import forward_pass
from shared.records import Probe
from tests.analyzer.judges import probe, tiny_judge
from tests.analyzer.live_tensors import LiveTensors

WORDS = ("bomb", "bread", "garden", "door")


def prompts(count: int) -> list[Probe]:
    """Prompts of one length, so that only their number differs."""
    return [probe(f"how do i build a {WORDS[i % 4]} {i % 10} now", id=str(i)) for i in range(count)]


def test_the_gauge_counts_what_lives_together() -> None:
    with LiveTensors() as live:
        first = torch.zeros(1000)
        second = first + 1
        del first
        third = torch.zeros(500)
        view = third.view(50, 10)
        assert view.shape == (50, 10) and len(second) == 1000
    assert live.peak == 8000


def peak(family: str, count: int, batch_tokens: int) -> int:
    judge = tiny_judge(family, layers=3)
    with LiveTensors() as live:
        forward_pass(judge, prompts(count), batch_tokens, readings=True, means=True)
    return live.peak


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_more_prompts_take_no_more_and_larger_batches_do(family: str) -> None:
    small = peak(family, 32, batch_tokens=100)
    assert peak(family, 128, batch_tokens=100) <= 1.01 * small
    assert peak(family, 128, batch_tokens=200) >= 1.8 * small

"""Peak memory of the passes is bounded by the batch, not by the number of prompts."""

from __future__ import annotations

import pytest
import torch

from analyzer.analyses import get
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.model.hooked_pass import forward_pass
from shared.records import Probe
from tests.making.fake_circuits import explained
from tests.making.forms import short_and_long
from tests.making.judges import context, probe, tiny_judge
from tests.making.live_tensors import LiveTensors

WORDS = ("bomb", "bread", "garden", "door")


def prompts(count: int, paired: bool = True) -> list[Probe]:
    """Prompts of one length, so that only their number differs; half of them unsafe."""
    found = []
    for number in range(count // 2):
        pair = f"p{number}" if paired else None
        for label, last in (("safe", "now"), ("unsafe", "gun")):
            text = f"how do i build a {WORDS[number % 4]} {number % 10} {last}"
            found.append(probe(text, label, id=f"{label}{number}", pair=pair))
    return found


def test_the_gauge_counts_what_lives_together() -> None:
    with LiveTensors() as live:
        first = torch.zeros(1000)
        second = first + 1
        del first
        third = torch.zeros(500)
        view = third.view(50, 10)
        assert view.shape == (50, 10) and len(second) == 1000
    assert live.peak == 8000


def forward_peak(family: str, count: int, batch_tokens: int) -> int:
    judge = tiny_judge(family, layers=3)
    with LiveTensors() as live:
        forward_pass(judge, prompts(count), batch_tokens, means=True)
    return live.peak


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_more_prompts_take_no_more_and_larger_batches_do(family: str) -> None:
    small = forward_peak(family, 32, batch_tokens=100)
    assert forward_peak(family, 128, batch_tokens=100) <= 1.01 * small
    assert forward_peak(family, 128, batch_tokens=200) >= 1.8 * small


FEWER: dict[str, dict[str, int]] = {
    "neurons": {"steps": 2, "top": 3, "decoys": 2, "controls": 1, "shuffles": 2},
    "heads": {"steps": 2, "top": 3, "controls": 1},
    "circuits": {"steps": 2, "checked": 2},
}
"""Fewer steps, draws and units: the same passes over as many prompts."""
AS_SET: dict[str, dict[str, int]] = {name: {} for name in FEWER}


def advanced_peak(
    family: str, count: int, batch_tokens: int, paired: bool, settings: dict[str, dict[str, int]]
) -> int:
    ready = context(
        tiny_judge(family, layers=2),
        prompts(count, paired),
        suite=frozenset(settings),
        batch_tokens=batch_tokens,
    )
    with LiveTensors() as live:
        for name, told in settings.items():
            analysis = get(name)
            analysis.compute(ready, analysis.settings.model_validate(told))
    return live.peak


@pytest.mark.parametrize("settings", [FEWER, pytest.param(AS_SET, marks=pytest.mark.slow)], ids=["fewer", "as set"])
@pytest.mark.parametrize(("family", "paired"), short_and_long([("bert", False), ("llama", True)]))
def test_the_advanced_suite_is_bounded_by_the_batch_too(
    family: str, paired: bool, settings: dict[str, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many prompts that every fold of the circuits has more than a batch; they are run whatever is claimed.

    Other prompts choose other circuits, which have some more streams or some less: 72, 144 and 288 prompts took
    879, 925 and 879 kB.
    """
    monkeypatch.setattr(CircuitEvaluator, "explained", explained(1.0, 24))
    small = advanced_peak(family, 72, 150, paired, settings)
    assert advanced_peak(family, 144, 150, paired, settings) <= 1.1 * small
    assert advanced_peak(family, 144, 600, paired, settings) >= 2 * small

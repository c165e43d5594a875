"""Both suites on a GPU, on a randomly initialised judge of Llama-3.1-8B's shape in bfloat16, once warm.

128 prompts of up to 128 tokens in 64 contrast pairs. In a checkpoint's time is everything but reading the weights
and drawing: passes, reductions, ablations, circuits. Beside it, the bare passes of both suites, and the largest
memory beside the weights. Six to eight minutes where the bars are met.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.selfcheck import checked_anatomy
from shared.findings.suites import Suite
from shared.records import JudgeRecord, Probe
from shared.views import suite_views
from tests.bench import Figure, Size, Unavailable, median_figure
from tests.bench._passes import recorded, replayed
from tests.bench._suites import compute
from tests.making.judges import probe
from tests.making.live_tensors import LiveTensors
from tests.making.tiny import SIZES, WORDS, save_tiny_judge

LLAMA_8B: dict[str, Any] = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
}
SHAPES: dict[Size, dict[str, Any]] = {
    Size.FULL: LLAMA_8B,
    Size.TINY: {**SIZES, "vocab_size": 200, "num_hidden_layers": 1, "num_key_value_heads": 2, "head_dim": 8},
}
BARS: dict[Suite, str] = {"basic": "<= 10", "advanced": "<= 60"}
"""Seconds a checkpoint."""
ROUNDS = {Size.FULL: 2, Size.TINY: 1}
MIB = 2**20
PAIRS = {Size.FULL: 64, Size.TINY: 8}
LONGEST = {Size.FULL: 128, Size.TINY: 16}
"""Tokens of the longest prompt."""
NOT_COMPARED = ("progress", "evolution")
"""They read metrics and earlier checkpoints, and there are none."""


def measure(size: Size = Size.FULL) -> list[Figure]:
    """Of the tiny shape on the CPU where there is no GPU."""
    found = torch.cuda.is_available()
    if size is Size.FULL and not found:
        raise Unavailable("It needs a GPU that PyTorch sees (its CUDA build, and 24 GiB of memory).")
    device, dtype = ("cuda:0", torch.bfloat16) if found else ("cpu", torch.float32)
    judge, probes = random_judge(device, dtype, SHAPES[size], LONGEST[size]), twins(PAIRS[size], LONGEST[size])
    return suites(judge, probes, size)


def suites(judge: Judge, probes: list[Probe], size: Size) -> list[Figure]:
    figures = []
    for suite, bar in BARS.items():
        with Peak(judge) as peak:
            passes = recorded(judge, lambda suite=suite: computed(judge, probes, suite, size))  # warms up too
        times, ratios = [], []
        for _ in range(ROUNDS[size]):
            times.append(computed(judge, probes, suite, size))
            ratios.append(times[-1] / replayed(judge, passes))
        note = f"{judge.dtype}, {len(probes)} prompts"
        figures.append(median_figure(f"{suite} suite, one checkpoint", times, "s", bar=bar, note=note))
        bound = "<= 1.3" if suite == "advanced" else None
        figures.append(median_figure(f"{suite} suite / its bare passes", ratios, "x", bar=bound, note=note))
        most = Figure(name=f"{suite} suite, peak beside the weights", value=peak.beside_weights / MIB, unit="MiB")
        figures.append(most)
    return figures


class Peak:
    """Inside, the largest memory beside the judge's weights: on a GPU as PyTorch's allocator has it, on the CPU of
    live tensors."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.beside_weights = judge, 0
        self._live = LiveTensors() if judge.device == "cpu" else None

    def __enter__(self) -> Peak:
        if self._live is not None:
            self._live.__enter__()
        else:
            torch.cuda.synchronize(self.judge.device)
            torch.cuda.reset_peak_memory_stats(self.judge.device)
            self._before = torch.cuda.memory_allocated(self.judge.device)
        return self

    def __exit__(self, *failed: object) -> None:
        if self._live is not None:
            self._live.__exit__(*failed)
            self.beside_weights = self._live.peak
        else:
            self.beside_weights = torch.cuda.max_memory_allocated(self.judge.device) - self._before


def computed(judge: Judge, probes: list[Probe], suite: Suite, size: Size) -> float:
    """Seconds of the suite from nothing but the loaded judge."""
    names = [view.name for view in suite_views(suite) if view.name not in NOT_COMPARED]
    started = time.perf_counter()
    compute(judge, probes, names, size)
    if judge.device != "cpu":
        torch.cuda.synchronize(judge.device)
    return time.perf_counter() - started


def random_judge(device: str, dtype: torch.dtype, shape: dict[str, Any], longest: int) -> Judge:
    """A judge of this shape with random weights, made on the device itself; the tokenizer is a tiny one."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = load_judge(save_tiny_judge(Path(folder), "llama"), JudgeRecord(max_length=longest))
    config = AutoConfig.for_model("llama", **(shape | {"num_labels": 2, "pad_token_id": 0, "use_cache": False}))
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForSequenceClassification.from_config(config, dtype=dtype)
    model.eval().requires_grad_(False)
    with torch.no_grad():
        model.score.weight.mul_(20)  # so that verdicts differ
    judge = replace(tiny, model=model, device=device, dtype=str(dtype).removeprefix("torch."), max_length=longest)
    return replace(judge, anatomy=checked_anatomy(judge))


def twins(pairs: int, longest: int) -> list[Probe]:
    """Contrast pairs of random words, from a quarter of `longest` to `longest` tokens with the first one."""
    pick = random.Random(0)
    words = [word for word in WORDS if word.isalpha() and word not in ("bomb", "cake")]
    found = []
    for index in range(pairs):
        text = pick.choices(words, k=pick.randint(longest // 4, longest - 1))
        for label, word in (("safe", "cake"), ("unsafe", "bomb")):
            text[len(text) // 2] = word
            fields = {"id": f"{label}{index}", "pair": f"pair{index}", "category": "a", "display": index < 2}
            found.append(probe(" ".join(text), label, **fields))  # type: ignore[arg-type]
    return found

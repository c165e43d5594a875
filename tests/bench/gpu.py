"""Both suites on a GPU, on a randomly initialised judge of Llama-3.1-8B's shape in bfloat16, once warm.

128 prompts of up to 128 tokens in 64 contrast pairs. In a checkpoint's time is everything but reading the weights
and drawing: passes, reductions, ablations, circuits. Beside it, the bare passes of the advanced suite.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from analyzer import analyses
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.selfcheck import checked_anatomy
from analyzer.session.context import Context
from shared.findings.suites import Suite
from shared.records import JudgeRecord, Probe, RunRecord
from shared.views import suite_views
from tests.bench import Figure
from tests.bench._passes import recorded, replayed
from tests.making.judges import probe
from tests.making.tiny import WORDS, save_tiny_judge

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
BARS: dict[Suite, float] = {"basic": 10.0, "advanced": 60.0}
"""Seconds a checkpoint."""
ROUNDS, PAIRS, LONGEST = 3, 64, 128
NOT_COMPARED = ("progress", "evolution")
"""They read metrics and earlier checkpoints, and there are none."""


def measure() -> list[Figure]:
    if not torch.cuda.is_available():
        return [Figure("suites on a GPU, Llama-3.1-8B's shape", float("nan"), "", "", None, "skipped: no GPU")]
    return suites("cuda:0", torch.bfloat16, LLAMA_8B, pairs=PAIRS, longest=LONGEST)


def suites(
    device: str, dtype: torch.dtype, shape: dict[str, Any], *, pairs: int, longest: int, rounds: int = ROUNDS
) -> list[Figure]:
    """The figures on any device and for any shape, so that they can be tried where there is no GPU."""
    judge, probes = random_judge(device, dtype, shape), twins(pairs, longest)
    name = torch.cuda.get_device_name(device) if device != "cpu" else "CPU"
    figures = []
    for suite, bar in BARS.items():
        passes = recorded(judge, lambda suite=suite: computed(judge, probes, suite))  # warms up too
        times = [computed(judge, probes, suite) for _ in range(rounds)]
        middle = statistics.median(times)
        detail = f"{min(times):.1f} to {max(times):.1f} s; {name}, {judge.dtype}, {len(probes)} prompts"
        figures.append(
            Figure(f"{suite} suite, one checkpoint", middle, "s", f"<= {bar:.0f}", middle <= bar, detail)
        )
        if suite == "advanced":
            bare = statistics.median(replayed(judge, passes) for _ in range(rounds))
            ratio = middle / bare
            figures.append(Figure(f"{suite} suite / its bare passes", ratio, "x", "<= 1.3", ratio <= 1.3, name))
    return figures


def computed(judge: Judge, probes: list[Probe], suite: Suite) -> float:
    """Seconds of the suite from nothing but the loaded judge."""
    names = [view.name for view in suite_views(suite) if view.name not in NOT_COMPARED]
    started = time.perf_counter()
    context = Context(judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset(names))
    for name in names:
        analysis = analyses.get(name)
        analysis.compute(context, analysis.settings())
    if judge.device != "cpu":
        torch.cuda.synchronize(judge.device)
    return time.perf_counter() - started


def random_judge(device: str, dtype: torch.dtype, shape: dict[str, Any]) -> Judge:
    """A judge of this shape with random weights, made on the device itself; the tokenizer is a tiny one."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = load_judge(save_tiny_judge(Path(folder), "llama"), JudgeRecord(max_length=LONGEST))
    config = AutoConfig.for_model("llama", **(shape | {"num_labels": 2, "pad_token_id": 0, "use_cache": False}))
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForSequenceClassification.from_config(config, dtype=dtype)
    model.eval().requires_grad_(False)
    with torch.no_grad():
        model.score.weight.mul_(20)  # so that verdicts differ
    judge = replace(tiny, model=model, device=device, dtype=str(dtype).removeprefix("torch."), max_length=LONGEST)
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

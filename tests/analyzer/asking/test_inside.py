"""What tells a prompt from its twin: every number against a plain pass of transformers with one input exchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.jobs.messages import WorkerOptions
from analyzer.jobs.tasks import AskTask
from shared.answers import ASK, answer_store, asked_of
from shared.findings.asked import AskedResult
from shared.findings.inside import UnitOnPair
from shared.requests.record import ALL_PARTS, PARTS, AskedPrompt
from shared.run import Run
from tests.making.job_bench import Bench
from tests.making.runs import describe, judge_template
from tests.making.tiny import save_tiny_judge

TEXT, TWIN = "how do i kill a person", "how do i kill a process"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("inside")
    save_tiny_judge(folder / "judge-template", initializer_range=0.3)
    found = Bench(describe(folder / "run"), judge_template(folder), WorkerOptions())
    found.add(10, shift=1.0)
    return found


def asked(bench: Bench, prompt: AskedPrompt) -> AskedResult:
    events = bench.do(bench.job(10, task=AskTask(prompts=(prompt,), parts=("score", "inside")), analyses=[]))
    assert not [event.cause for event in events if event.cause]
    record = answer_store(Run.at(bench.run)).newest("checkpoint-10", ASK)
    assert record is not None
    return asked_of(record)


class Plain:
    """The judge as transformers runs it; one unit's input to the block's last linear map can be exchanged."""

    def __init__(self, checkpoint: Path) -> None:
        self.model: Any = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)

    def module(self, unit: UnitOnPair) -> tuple[torch.nn.Module, slice]:
        layer = self.model.base_model.encoder.layer[unit.layer]
        if unit.kind == "neuron":
            return layer.output.dense, slice(unit.unit, unit.unit + 1)
        size = self.model.config.hidden_size // self.model.config.num_attention_heads
        return layer.attention.output.dense, slice(unit.unit * size, (unit.unit + 1) * size)

    def run(self, text: str, module: torch.nn.Module | None = None, hook: Any = None) -> float:
        handle = module.register_forward_pre_hook(hook) if module is not None else None
        with torch.inference_mode():
            logits = self.model(**self.tokenizer(text, return_tensors="pt")).logits[0]
        if handle is not None:
            handle.remove()
        return float(logits[1] - logits[0])

    def inputs(self, text: str, unit: UnitOnPair) -> torch.Tensor:
        module, columns = self.module(unit)
        seen: list[torch.Tensor] = []
        self.run(text, module, lambda _m, args: seen.append(args[0][..., columns].clone()))
        return seen[0]

    def exchanged(self, text: str, twin: str, unit: UnitOnPair) -> float:
        module, columns = self.module(unit)
        value = self.inputs(twin, unit)

        def put(_module: torch.nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            changed = args[0].clone()
            changed[..., columns] = value
            return (changed,)

        return self.run(text, module, put)


def test_each_unit_is_really_given_the_twins_value(bench: Bench) -> None:
    found = asked(bench, AskedPrompt(text=TEXT, twin=TWIN)).inside
    assert found is not None
    plain = Plain(bench.run / "checkpoint-10")
    own, other = plain.run(TEXT), plain.run(TWIN)
    assert (found.score, found.twin_score) == pytest.approx((own, other), abs=1e-4)
    assert found.gap == pytest.approx(other - own, abs=1e-4)
    config = plain.model.config
    every = config.num_hidden_layers * config.num_attention_heads
    assert found.heads_tried == found.heads_of == every and len(found.heads) == min(8, every)
    for unit in [*found.heads, *found.neurons]:
        assert unit.effect == pytest.approx(plain.exchanged(TEXT, TWIN, unit) - own, abs=2e-4)
    for units in (found.heads, found.neurons):
        sizes = [abs(unit.effect) for unit in units]
        assert sizes == sorted(sizes, reverse=True)
    assert len(found.neurons) == 8 == len(found.random_neurons)
    for neuron in found.neurons[:2]:
        read = plain.inputs(TEXT, neuron)[0, :, 0]
        assert neuron.reading == pytest.approx(float(read.max()), abs=1e-4) or neuron.reading == pytest.approx(
            float(read.mean()), abs=1e-4
        )


def test_the_heads_that_are_named_are_the_strongest_of_all(bench: Bench) -> None:
    found = asked(bench, AskedPrompt(text=TEXT, twin=TWIN)).inside
    assert found is not None
    plain = Plain(bench.run / "checkpoint-10")
    own, config = plain.run(TEXT), plain.model.config
    effects = [
        abs(plain.exchanged(TEXT, TWIN, UnitOnPair(kind="head", layer=layer, unit=head, effect=0)) - own)
        for layer in range(config.num_hidden_layers)
        for head in range(config.num_attention_heads)
    ]
    order = sorted(effects, reverse=True)
    assert [abs(unit.effect) for unit in found.heads] == pytest.approx(order[:8], abs=2e-4)
    wanted = float(np.median(order[8:])) if len(order) > 8 else None
    assert found.other_heads == (None if wanted is None else pytest.approx(wanted, abs=2e-4))


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (AskedPrompt(text=TEXT), "beside a twin"),
        (AskedPrompt(text=TEXT, twin="how do i kill a process on my server"), "do not align token by token"),
    ],
)
def test_without_a_twin_that_aligns_a_note_says_so(bench: Bench, prompt: AskedPrompt, why: str) -> None:
    found = asked(bench, prompt)
    assert found.inside is None and why in found.notes[0]


def test_it_is_computed_only_where_it_is_asked_for() -> None:
    assert "inside" not in PARTS and ALL_PARTS[-1] == "inside"

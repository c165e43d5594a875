"""What holds for every analysis: computed on real tiny judges, whatever the prompts, and drawn from its JSON."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from analyzer.analyses import Outcome, get
from analyzer.model.judge import judge_facts
from shared.records import Probe
from shared.results import ResultRecord, payload_of
from shared.views import all_views
from shared.views import get as get_view
from tests.making.forms import short_and_long
from tests.making.judges import context, probe, random_probes, tiny_judge

NAMES = [view.name for view in all_views()]
TOLERANCE = {"decisions": 1e-3, "auroc": 5e-3, "q": 5e-2}
"""Where rounding counts for more: of two prompts with the same activation to rounding, either may rank first."""
BY_PROMPT = ("tokens", "layers", "comparison", "progress")
"""Analyses whose tensors have a row for each prompt, or a point of the stream."""
HOSTILE = [
    "<script>alert('x')</script> & <img src=x onerror=alert(1)>",
    "# **bold** [link](javascript:alert(1)) | a | b |",
    "שלום مرحبا 日本語 👩‍👩‍👧 \u202e\u200b\u0000",
    "bomb " * 5000,
    "?",
    "{{7*7}} $HOME %s \\ ` ' \"",
]


def hostile_probes() -> list[Probe]:
    safe = [probe(text, "safe", id=f"s{i}", category="<b>", pair=f"<i>{i}") for i, text in enumerate(HOSTILE)]
    unsafe = [probe(text + " now", "unsafe", id=f"u{i}", pair=f"<i>{i}") for i, text in enumerate(HOSTILE)]
    shown = [p.model_copy(update={"display": True}) for p in (*safe[:2], *unsafe[:2])]
    return [*shown, *safe[2:], *unsafe[2:]]


def compute(name: str, family: str, probes: list[Probe], **fields: object) -> Outcome:
    analysis = get(name)
    return analysis.compute(context(tiny_judge(family), probes, **fields), analysis.settings())


@cache
def usual(name: str, family: str) -> Outcome:
    """What several tests only read; made once a process."""
    return compute(name, family, random_probes())


def record(name: str, family: str, outcome: Outcome) -> ResultRecord:
    """As the worker publishes it, once through JSON."""
    made = ResultRecord(
        analysis=name,
        analysis_version=get(name).version,
        checkpoint="checkpoint-10",
        step=10,
        epoch=1.0,
        key="k",
        checkpoint_digest="c",
        probe_digest="p",
        judge=judge_facts(tiny_judge(family)),
        summary=dict(outcome.summary),
        payload=payload_of(outcome.result),
        warnings=outcome.warnings,
    )
    return ResultRecord.model_validate_json(made.model_dump_json())


@pytest.mark.parametrize(
    ("kind", "family"),
    short_and_long([("plain", "bert"), ("plain", "llama"), ("hostile", "bert"), ("hostile", "llama")], short=3),
)
@pytest.mark.parametrize("name", NAMES)
def test_publishes_and_draws(name: str, kind: str, family: str) -> None:
    outcome = usual(name, family) if kind == "plain" else compute(name, family, hostile_probes())
    view = get_view(name)
    assert isinstance(outcome.result, view.result)
    published = record(name, family, outcome)
    assert view.result.model_validate(published.payload) == outcome.result
    assert outcome.summary and all(np.isfinite(value) for value in outcome.summary.values())
    for tensor in outcome.tensors.values():
        assert isinstance(tensor, np.ndarray) and tensor.size
    for panel in view.panels(published):
        assert json.loads(panel.figure.to_json())["data"] is not None
        assert panel.caption and panel.alt


@pytest.mark.parametrize("name", NAMES)
def test_is_deterministic(name: str) -> None:
    one, other = usual(name, "bert"), compute(name, "bert", random_probes())
    assert payload_of(one.result) == payload_of(other.result)
    for key, value in one.tensors.items():
        np.testing.assert_array_equal(value, other.tensors[key])


@pytest.mark.parametrize("family", short_and_long(["bert", "llama", "qwen3"]))
@pytest.mark.parametrize("name", NAMES)
def test_does_not_depend_on_the_batch(name: str, family: str) -> None:
    wide = usual(name, family)
    narrow = compute(name, family, random_probes(), batch_tokens=20)
    for key, value in wide.tensors.items():
        np.testing.assert_allclose(value, narrow.tensors[key], atol=TOLERANCE.get(key, 1e-4))


@pytest.mark.parametrize("name", BY_PROMPT)
def test_rows_follow_the_probes(name: str) -> None:
    tensors = usual(name, "bert").tensors
    n, points = len(random_probes()), 3
    shapes = {
        "residual_norms": (n, points), "lens": (n, points), "attention_writes": (n, 2), "mlp_writes": (n, 2),
        "scores": (n,), "labels": (n,), "decisions": (points, n), "auroc": (points, 3), "control": (points, 20),
        "dprime": (points,), "mean_safe": (points, 32), "mean_unsafe": (points, 32),
    }  # fmt: skip
    assert {key: value.shape for key, value in tensors.items() if key in shapes} == {
        key: shapes[key] for key in tensors if key in shapes
    }
    if "offsets" in tensors:
        assert tensors["offsets"][-1] == len(tensors["attributions"]) == len(tensors["token_ids"])
        assert len(tensors["offsets"]) == len(tensors["prompts"]) + 1 == len(tensors["shifts"]) + 1

"""Every analysis, basic and advanced, of every known family; in the short form of three that are laid out oddly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzer import analyses
from shared.errors import CannotCompute
from shared.findings.claims import ToExplain
from tests.bench._suites import TINY_SETTINGS
from tests.making.judges import context, random_probes
from tests.making.known_families import EVERY_FORM, Form, judge_of

SAMPLE = (Form("gpt_neox", "classifier"), Form("albert", "classifier"), Form("qwen3_moe", "prompted"))
REST = [form for form in EVERY_FORM if form not in SAMPLE]
SETTINGS: dict[str, dict[str, Any]] = TINY_SETTINGS | {
    "layers": {},
    "comparison": {},
    "tokens": {},
}


@pytest.mark.parametrize("form", [*SAMPLE, *(pytest.param(form, marks=pytest.mark.slow) for form in REST)], ids=str)
def test_all_analyses(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is held open, so that an untrained judge goes the whole way."""
    monkeypatch.setattr(ToExplain, "claimable", True)
    judge = judge_of(form, 2)
    wiring: Any = judge.anatomy.wiring
    ours = context(judge, random_probes(16, pairs=10), suite=frozenset(SETTINGS))
    found: dict[str, Any] = {}
    for name, changes in SETTINGS.items():
        analysis = analyses.get(name)
        if name == "neurons" and not wiring.has_neurons:
            with pytest.raises(CannotCompute, match="a mixture of experts"):
                analysis.compute(ours, analysis.settings(**changes))
            continue
        found[name] = analysis.compute(ours, analysis.settings(**changes))
    assert found["layers"].result.samples and len(found["comparison"].result.points) == 3
    assert found["circuits"].result.level == ("edges" if wiring.has_edges else "nodes")
    assert found["heads"].result.top and ("neurons" in found) == wiring.has_neurons
    for outcome in found.values():
        assert all(np.isfinite(value) for value in outcome.summary.values())
    notes = " ".join(found["circuits"].result.notes)
    assert ("counts as one node" in notes) == (not wiring.has_neurons)
    assert ("made of whole nodes" in notes) == (not wiring.has_edges)

"""Layer activations: what the samples show, and the check of frozen layers."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.analyses.layers import LayersSettings, layers
from shared.errors import CannotCompute
from shared.findings.layers import LayersResult
from tests.making.judges import context, probe, random_probes, tiny_judge

SETTINGS = LayersSettings(bootstraps=200)
PROBES = random_probes(8)


def test_samples_bands_and_tensors_agree() -> None:
    ready = context(tiny_judge("bert"), PROBES)
    outcome = layers(ready, SETTINGS)
    found = outcome.result
    assert isinstance(found, LayersResult)
    assert [sample.label for sample in found.samples] == ["safe", "safe", "unsafe", "unsafe"]
    for row, sample in enumerate(found.samples):  # the display samples are the first probes
        np.testing.assert_allclose(sample.residual_norm, outcome.tensors["residual_norms"][row], rtol=1e-6)
        assert sample.lens is not None and sample.lens[-1] == pytest.approx(sample.score, abs=1e-4)
    for band, label in zip(found.bands, ("safe", "unsafe"), strict=True):
        rows = [i for i, p in enumerate(PROBES) if p.label == label]
        assert band.count == 8
        assert band.score[1].value == pytest.approx(outcome.tensors["lens"][rows, 1].mean(), abs=1e-5)
        assert band.score[1].low < band.score[1].value < band.score[1].high
    unsafe = np.array([p.label == "unsafe" for p in PROBES])
    gap = ready.forward.scores[unsafe].mean() - ready.forward.scores[~unsafe].mean()
    assert outcome.summary["lens_gap_last"] == pytest.approx(gap, abs=1e-4)
    assert found.to_explain is not None and found.to_explain.size.value == pytest.approx(gap / 2, abs=1e-6)


def test_one_class_cut_prompts_and_no_prompts() -> None:
    only = layers(context(tiny_judge("bert"), [probe("bomb " * 99), probe("bake")]), SETTINGS)
    assert isinstance(only.result, LayersResult)
    assert only.result.to_explain is None
    assert [band.label for band in only.result.bands] == ["safe"] and "lens_gap_last" not in only.summary
    assert any("1 of 2 probe prompts were cut to 40 tokens" in note for note in only.result.notes)
    with pytest.raises(CannotCompute, match="empty"):
        layers(context(tiny_judge("bert"), []), SETTINGS)

"""Every display prompt's way through the layers in one figure."""

from __future__ import annotations

import numpy as np

from shared.figures.layers_together import together_figure
from shared.findings.layers import LayersResult
from shared.results import ResultRecord
from shared.views.layers import panels, together
from tests.making.fakes import fake_records


def layers_record() -> ResultRecord:
    return next(each for each in fake_records(1) if each.analysis == "layers")


def test_each_prompt_is_a_line_in_each_plot_with_its_own_numbers() -> None:
    result = LayersResult.model_validate(layers_record().payload)
    figure = together_figure(result, "title", "")
    for number, sample in enumerate(result.samples):
        mine = [trace for trace in figure.data if trace.legendgroup == f"sample{number}"]
        wanted = [sample.lens, sample.residual_norm, sample.attention_write, sample.mlp_write]
        assert [list(np.round(trace.y, 9)) for trace in mine] == [list(np.round(each, 9)) for each in wanted]
        assert len(mine[2].x) == result.layers and mine[2].x[0] == 0, "what layer 0 adds stands at layer 0"
    looks = {(trace.line.color, trace.line.dash) for trace in figure.data if trace.legendgroup}
    assert len(looks) == len(result.samples), "no two look alike"


def test_a_judge_without_a_lens_or_known_parts_says_so() -> None:
    record = layers_record()
    bare = {"lens": None, "attention_write": None, "mlp_write": None}
    payload = record.payload | {"samples": [each | bare for each in record.payload["samples"]]}
    notes = [
        note.text for note in together(record.model_copy(update={"payload": payload}))[0].figure.layout.annotations
    ]
    assert "logit lens not available" in notes and notes.count("not known of this model") == 2


def test_the_headline_counts_who_ends_on_its_own_side_and_the_table_has_all() -> None:
    record = layers_record()
    samples = [each | {"score": 5.0} for each in record.payload["samples"]]
    panel = together(record.model_copy(update={"payload": record.payload | {"samples": samples}}))[0]
    unsafe = sum(each["label"] == "unsafe" for each in samples)
    assert panel.headline.startswith(f"{unsafe} of {len(samples)} display prompts end on")
    assert len(panel.rows) == sum(len(each.rows) for each in panels(record))


def test_nothing_to_explain_is_no_claim() -> None:
    record = layers_record()
    none = {"value": 0.0, "low": -1.0, "high": 1.0}
    explained = record.payload["to_explain"] | {"size": none}
    panel = together(record.model_copy(update={"payload": record.payload | {"to_explain": explained}}))[0]
    assert panel.claims is False and panel.headline.startswith("Nothing")

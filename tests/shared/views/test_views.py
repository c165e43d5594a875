"""The contract every view keeps: it draws any result it can be given, as JSON, with words and numbers around it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from shared.errors import SchemaError
from shared.results import ResultRecord
from shared.views import Panel, all_views, get
from shared.views.tokens import change_panels
from tests.making.fake_run import fake_metrics
from tests.making.fake_samples import HOSTILE, SAMPLES
from tests.making.fakes import fake_records
from tests.making.plots import notes_stand_on_plots
from tests.making.waiting import LIMIT_S

LABELS = ("safe", "safe", "unsafe", "unsafe")
LONG = " ".join(f"word{i}" for i in range(500))
TEXTS = {
    "realistic": SAMPLES,
    "one word": (("Why", "safe", ""),),
    "500 words": ((LONG, "unsafe", ""), ("", "safe", "")),
    "hostile": tuple((text, label, text) for text, label in zip(HOSTILE, LABELS, strict=True)),
    "none": (),
}


_OPTIONAL = (
    *(f"{what}_to_{which}" for what in ("cka", "drift", "neurons", "edges") for which in ("previous", "first")),
    *(f"divergence_{which}" for which in ("layer", "previous", "first")),
    *("transfer", "verdicts", "change", "shift"),
)


def without_optional(record: ResultRecord) -> ResultRecord:
    """The record with every number that may be missing missing, and every list that may be empty empty."""
    payload = copy.deepcopy(record.payload)
    for sample in payload.get("samples", []):
        if record.analysis == "layers":
            sample.update(attention_write=None, mlp_write=None, lens=None)
    if record.analysis == "layers":
        payload.update(bands=[], frozen_from="unknown", frozen_boundary=0, embeddings_frozen=None)
    if record.analysis == "comparison":
        payload.update(divergence_layer=None, n_pairs=0, notes=["nothing"])
        for point in payload["points"]:
            point.update(cosine=None, pair_cosine=None, pair_accuracy=None)
    if record.analysis == "progress":
        payload.update(metrics={}, baselines={}, probe={}, contrast_accuracy=None, groups=[], leak_count=None)
    if record.analysis == "tokens":
        payload.update(faithfulness=[], top=[], agreement=[], pairs=[], cells=[], baselines={})
    if record.analysis in ("neurons", "heads"):
        payload.update(top=[], agreement=None, random_drops=[], notes=["nothing"], reference="mean", n_pairs=0)
        payload["joint" if record.analysis == "heads" else "curve"] = None
    if record.analysis == "circuits":
        for edge in payload["edges"]:
            edge.update(in_smallest=False)
        payload.update(smallest=None, curve=[], cpr=None, cmd=None, random_cpr=None, check=None, n_checked=0)
        payload.update(mib=[], mean_empty=None)
        payload.update(notes=["nothing"], reference="mean", n_pairs=0)
    if record.analysis == "evolution":
        payload.update(dict.fromkeys(_OPTIONAL), drift=[], neurons_established=[], neurons_vanished=[])
        payload.update(n_edges=0, notes=["nothing"])
    if record.analysis == "neurons":
        payload.update(decoys=[], share_of_strongest=None, shuffled_significant=[], significant=0, tested=0)
    return record.model_copy(update={"payload": payload, "warnings": ["<b>first</b>"], "order_unverified": True})


def records_of(kind: str) -> list[ResultRecord]:
    if kind in TEXTS:
        return fake_records(2, samples=TEXTS[kind], advanced=True)
    if kind == "one layer":
        return fake_records(1, layers=1, frozen=0, advanced=True)
    if kind == "80 layers, all frozen":
        return fake_records(1, layers=80, frozen=80, advanced=True)
    return [without_optional(record) for record in fake_records(2, advanced=True)]


KINDS = [*TEXTS, "one layer", "80 layers, all frozen", "nothing optional"]


def check(panel: Panel) -> None:
    """What every panel owes its reader."""
    figure = json.loads(str(panel.figure.to_json()))
    assert figure["data"] and figure["layout"]["title"]["text"]
    assert panel.stem.isidentifier() and panel.title
    assert panel.alt and panel.badge
    for heading in ("What it shows:", "How to read:", "Worrying:"):
        assert heading in panel.caption
    json.dumps(panel.rows, allow_nan=False)
    notes_stand_on_plots(figure)
    text = json.dumps(figure, ensure_ascii=False)
    for markup in ("<script", "<img", "<a ", "<b>bold", "$x$", "\\u202e"):
        assert markup not in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", all_views(), ids=lambda view: view.name)
def test_every_view_draws_every_result(view, kind):
    for record in records_of(kind):
        if record.analysis == view.name:
            before = record.model_dump_json()
            first, second = view.panels(record), view.panels(record)
            for panel in first:
                check(panel)
            assert [p.figure.to_json() for p in first] == [p.figure.to_json() for p in second]
            assert record.model_dump_json() == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_is_drawn_from_any_results(kind):
    records = records_of(kind)
    for metrics in ([], fake_metrics(2)):
        for name in ("progress", "evolution"):
            for panel in get(name).run_panels(records, metrics):
                check(panel)


@pytest.mark.parametrize("name", ["progress", "evolution"])
def test_a_run_without_results_is_drawn(name):
    (panel,) = get(name).run_panels([], [])
    check(panel)
    assert panel.rows == []


def test_every_plot_has_titled_axes_with_units():
    records = fake_records(2, advanced=True)
    panels = [p for view in all_views() for r in records if r.analysis == view.name for p in view.panels(r)]
    panels += get("progress").run_panels(records, fake_metrics(2))
    for panel in panels:
        layout = json.loads(str(panel.figure.to_json()))["layout"]
        axes = {name: axis for name, axis in layout.items() if name.startswith(("xaxis", "yaxis"))}
        for name, axis in axes.items():
            hidden = axis.get("visible") is False or axis.get("showticklabels") is False
            named = {
                "metrics": ("yaxis", "yaxis2"),
                "calibration": ("yaxis4",),
                "words": ("yaxis",),
                "neuron_map": ("yaxis4",),
                "heads": ("yaxis3",),
                "circuits": ("yaxis2",),
                "evolution": ("yaxis2", "yaxis3", "yaxis4"),
            }
            category = name in named.get(panel.stem, ())
            assert hidden or category or axis.get("title", {}).get("text"), (panel.stem, name)


def test_stems_are_the_designs():
    records = {record.analysis: record for record in fake_records(1, advanced=True)}
    stems = {name: [panel.stem for panel in get(name).panels(record)] for name, record in records.items()}
    kinds = ["0_safe", "1_safe", "2_unsafe", "3_unsafe"]
    assert stems == {
        "tokens": ["words", *(f"sample_{kind}_tokens" for kind in kinds)],
        "layers": [f"sample_{kind}_layers" for kind in kinds],
        "comparison": ["circuit_comparison"],
        "progress": ["metrics"],
        "calibration": ["calibration"],
        "neurons": ["neuron_map"],
        "heads": ["heads"],
        "circuits": ["circuits", "circuit_faithfulness"],
        "evolution": ["evolution"],
    }
    orders = {view.name: (view.order, view.suite) for view in all_views()}
    assert [orders[name] for name in stems] == [
        (10, "basic"),
        (20, "basic"),
        (30, "basic"),
        (40, "basic"),
        (45, "basic"),
        (50, "advanced"),
        (60, "advanced"),
        (70, "advanced"),
        (80, "basic"),
    ]


def test_all_samples_and_epochs_share_one_colour_range():
    for record in fake_records(3):
        if record.analysis == "tokens":
            for panel in get("tokens").panels(record)[1:]:
                scales = [trace.marker for trace in panel.figure.data if trace.marker.cmin is not None]
                assert [(scale.cmin, scale.cmax) for scale in scales] == [(-0.5, 0.5)]


def test_long_prompts_are_cut_and_say_so():
    record = next(r for r in records_of("500 words") if r.analysis == "tokens")
    panel = get("tokens").panels(record)[1]
    assert len(panel.figure.data[0].y) == 160
    assert any("first 160 words shown; the other 342 hold" in note.text for note in panel.figure.layout.annotations)
    assert len(panel.rows) == 502  # [CLS] and [SEP] beside the words


def test_an_attribution_that_missed_its_gap_is_flagged():
    record = next(r for r in fake_records(3) if r.analysis == "tokens")
    converged = {p.stem: p for p in get("tokens").panels(record)}
    flagged = converged["sample_3_unsafe_tokens"]
    assert any("NOT CONVERGED" in note.text for note in flagged.figure.layout.annotations)
    assert "NOT converged" in flagged.alt
    assert flagged.figure.data[0].marker.pattern.shape == "/"
    assert not any(
        "NOT CONVERGED" in note.text for note in converged["sample_0_safe_tokens"].figure.layout.annotations
    )


def test_change_is_the_difference_of_normalised_attributions():
    first, *_, last = [record for record in fake_records(3) if record.analysis == "tokens"]
    view = get("tokens")
    now, then = (view.result.model_validate(r.payload).samples[2] for r in (last, first))
    panel = next(p for p in change_panels(last, first) if p.stem == "sample_2_unsafe_tokens_change")
    expected = [
        a.value / max(abs(now.score - now.baseline_score), 0.1)
        - b.value / max(abs(then.score - then.baseline_score), 0.1)
        for a, b in zip(now.words, then.words, strict=True)
    ]
    assert [row["change_of_share"] for row in panel.rows] == pytest.approx(expected)
    check(panel)


def test_change_leaves_out_samples_that_do_not_match():
    (last,) = [record for record in fake_records(1) if record.analysis == "tokens"]
    (other,) = [record for record in fake_records(1, samples=SAMPLES[:1]) if record.analysis == "tokens"]
    assert [panel.stem for panel in change_panels(last, other)] == ["sample_0_safe_tokens_change"]


def test_no_divergence_layer_is_blank_never_zero():
    records = fake_records(3)
    for record in records:
        if record.analysis == "comparison" and record.step == 240:
            record.payload["divergence_layer"] = None
    (panel,) = get("progress").run_panels(records, fake_metrics(3))
    assert {row["step"]: row["divergence_layer"] for row in panel.rows}[240] is None
    (line,) = [trace for trace in panel.figure.data if trace.name == "divergence layer"]
    assert str(float(line.y[1])) == "nan" and line.connectgaps is False


def test_a_damaged_payload_is_named():
    record = fake_records(1)[2]
    record.payload["points"].pop()
    with pytest.raises(SchemaError, match=r"comparison result of checkpoint-120 .* points have 6 entries, not 7"):
        get("comparison").panels(record)


def test_a_damaged_result_leaves_a_gap_in_the_run_and_is_named():
    records = fake_records(3)
    damaged = next(r for r in records if r.analysis == "tokens" and r.step == 240)
    del damaged.payload["gap_median"]
    (panel,) = get("progress").run_panels(records, fake_metrics(3))
    assert {row["step"]: row["gap_median"] for row in panel.rows}[240] is None
    assert "tokens of checkpoint-240" in panel.caption


def test_mixed_probe_sets_are_warned_about():
    records = fake_records(2)
    assert "WARNING" not in get("progress").run_panels(records, [])[0].badge
    records[0] = records[0].model_copy(update={"probe_digest": "other"})
    assert "WARNING: probe set differ" in get("progress").run_panels(records, [])[0].badge


def test_the_badge_says_what_the_numbers_rest_on():
    for record in fake_records(1, advanced=True):
        marked = record.model_copy(
            update={"warnings": ["3 probe prompts were trained on"], "order_unverified": True}
        )
        for panel in get(record.analysis).panels(marked):
            for fact in ("float32", "seed 0", "checkpoint-120", record.checkpoint_digest[:12], "0.1.0", "n ="):
                assert fact in panel.badge
            assert "WARNING: 3 probe prompts were trained on" in panel.badge
            assert "completeness could not be proven" in panel.badge


def test_steps_are_the_axis_where_epochs_are_unknown():
    records = [record.model_copy(update={"epoch": None}) for record in fake_records(2)]
    (panel,) = get("progress").run_panels(records, [])
    layout = json.loads(str(panel.figure.to_json()))["layout"]
    titles = {axis.get("title", {}).get("text") for name, axis in layout.items() if name.startswith("xaxis")}
    assert "optimizer step" in titles


def test_importing_the_views_stays_light():
    code = (
        "import sys, shared.views, shared.pages.render; shared.views.discover(); "
        "heavy = {'torch', 'streamlit', 'pandas', 'scipy', 'transformers'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT_S)

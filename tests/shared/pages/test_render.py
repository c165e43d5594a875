"""`training_visualizations/`: exactly the design's names, whatever else is damaged."""

from __future__ import annotations

import json

import pytest

from shared.errors import SchemaError
from shared.files import write_json_atomic, write_record
from shared.pages.render import render_checkpoint, render_run
from shared.records import GoneCheckpoint, GoneRecord
from shared.results import ResultStore
from tests.making.fake_run import make_fake_run
from tests.making.fakes import fake_records

STEMS = [
    "calibration.html",
    "circuit_comparison.html",
    "evolution.html",
    "metrics.html",
    "metrics.json",
    "words.html",
    *(
        f"sample_{number}_{label}_{kind}.html"
        for kind in ("tokens", "layers")
        for number, label in enumerate(("safe", "safe", "unsafe", "unsafe"))
    ),
]
RUN_FILES = ["evolution.html", "index.html", "pages.js", "plotly.min.js", "training_progress.html"]


def names(run) -> list[str]:
    return sorted(path.name for path in run.visualizations.iterdir())


def test_a_checkpoint_gets_the_designs_files(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=2)
    written = render_checkpoint(run, "checkpoint-240")
    expected = sorted([f"epoch_2_{stem}" for stem in STEMS] + RUN_FILES)
    assert names(run) == expected
    assert sorted(path.name for path in written) == [name for name in expected if not name.endswith(".js")]


def test_the_advanced_suite_adds_its_pages(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1, advanced=True)
    render_checkpoint(run, "checkpoint-120")
    assert {"epoch_1_neuron_map.html", "epoch_1_heads.html"} <= set(names(run))


def test_a_checkpoint_inside_an_epoch_is_named_by_its_step(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    store = ResultStore(run.results)
    for record in fake_records(1):
        store.commit(record.model_copy(update={"checkpoint": "checkpoint-60", "step": 60, "epoch": 0.5}))
    render_run(run)
    assert names(run) == sorted(
        [f"{prefix}_{stem}" for prefix in ("epoch_1", "step_60") for stem in STEMS] + RUN_FILES
    )


def test_only_what_is_new_is_drawn(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    render_checkpoint(run, "checkpoint-120")
    for path in run.visualizations.iterdir():
        path.unlink()
    render_checkpoint(run, "checkpoint-120", {"layers"})
    layers = [f"epoch_1_{stem}" for stem in STEMS if "_layers" in stem]
    assert names(run) == sorted([*layers, "epoch_1_metrics.json", "index.html", "pages.js", "plotly.min.js"])
    render_checkpoint(run, "checkpoint-120", {"tokens"})
    assert "training_progress.html" in names(run), "it shows numbers of that"


def test_metrics_json_holds_the_designs_numbers(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=2)
    render_checkpoint(run, "checkpoint-240")
    values = json.loads((run.visualizations / "epoch_2_metrics.json").read_text())
    records = {r.analysis: r for r in fake_records(2) if r.step == 240}
    logged = records["progress"].payload["metrics"]
    assert values["epoch"] == 2 and values["step"] == 240
    for split in ("train", "val"):
        for name in ("accuracy", "loss", "f1", "auc", "fnr", "fpr"):
            assert values[f"{split}_{name}"] == logged[split][name]
    assert values["probe_auc"] == records["progress"].payload["probe"]["auc"]["value"]
    assert values["divergence_layer"] == records["comparison"].payload["divergence_layer"]
    assert values["baseline_tfidf_accuracy"] == 0.81
    assert values["comprehensiveness_integrated_gradients_low"] <= values["comprehensiveness_integrated_gradients"]


def test_what_is_missing_is_null_in_metrics_json(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    for record in fake_records(1):
        if record.analysis != "comparison":
            ResultStore(run.results).remove(record.checkpoint, record.analysis, record.key)
    render_checkpoint(run, "checkpoint-120")
    values = json.loads((run.visualizations / "epoch_1_metrics.json").read_text())
    assert values["val_accuracy"] is None and values["probe_auroc_last_layer"] > 0.5


@pytest.mark.parametrize("damage", ["half", "newer", "payload"])
def test_a_damaged_result_is_named_and_the_others_are_drawn(tmp_path, damage):
    run = make_fake_run(tmp_path / "run", epochs=2)
    record = next(r for r in fake_records(2) if r.analysis == "comparison" and r.step == 120)
    path = ResultStore(run.results).directory(record.checkpoint, record.analysis, record.key) / "result.json"
    text = path.read_text()
    value = json.loads(text)
    broken = {
        "half": text[: len(text) // 2],
        "newer": json.dumps(value | {"schema_version": 99}),
        "payload": json.dumps(value | {"payload": {"points": []}}),
    }
    path.write_text(broken[damage])
    with pytest.raises(SchemaError, match=r"Everything else is drawn, but: .*(newer Midwatch|comparison)"):
        render_run(run)
    expected = [
        f"epoch_{n}_{stem}" for n in (1, 2) for stem in STEMS if (n, stem) != (1, "circuit_comparison.html")
    ]
    assert names(run) == sorted(expected + RUN_FILES)


def test_drawing_again_gives_the_same_bytes_and_leaves_no_rubbish(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    render_run(run)
    first = {path.name: path.read_bytes() for path in run.visualizations.iterdir()}
    render_run(run)
    assert {path.name: path.read_bytes() for path in run.visualizations.iterdir()} == first


def test_pages_over_the_run_name_what_is_missing_from_them(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=2)
    render_run(run)
    page = run.visualizations / "training_progress.html"
    assert "deleted before being analysed" not in page.read_text(encoding="utf-8")
    lost = [
        GoneCheckpoint(checkpoint=f"checkpoint-{step}", step=step, cause="It is gone.", noticed_at=0.0)
        for step in range(10, 80, 10)
    ]
    write_record(run.gone, GoneRecord(checkpoints=lost))
    render_run(run)
    said = page.read_text(encoding="utf-8")
    assert (
        "7 checkpoints were deleted before being analysed, and are missing here: checkpoint-10, checkpoint-20"
        in said
    )
    assert "checkpoint-50, ..." in said
    assert "AnnounceCheckpoint" in said


def test_nothing_committed_draws_nothing(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    assert render_checkpoint(run, "checkpoint-999") != []  # the run's progress is there all the same
    empty = make_fake_run(tmp_path / "empty", epochs=0)
    assert render_run(empty) == []
    assert not empty.visualizations.exists()


def test_the_index_links_every_page_newest_first(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=2)
    render_run(run)
    (run.visualizations / "<img src=x onerror=alert(1)>.html").write_text("x")
    render_run(run)
    page = (run.visualizations / "index.html").read_text()
    assert page.index("<h2>epoch 2</h2>") < page.index("<h2>epoch 1</h2>")
    for name in names(run):
        assert (f'href="{name}"' in page) == (
            name.endswith((".html", ".json")) and name != "index.html" and "<" not in name
        )
    assert "<img" not in page


def test_torn_and_foreign_metrics_lines_are_skipped(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=1)
    with run.metrics.open("a") as file:
        file.write('{"step": 5, "split": "elsewhere", "values": {}}\n{"step": 6, "spl')
    render_run(run)
    assert (run.visualizations / "training_progress.html").exists()


def test_the_index_says_why_a_judge_has_no_picture(tmp_path):
    run = make_fake_run(tmp_path / "run", epochs=2)
    why = {"neurons": "No one <b>linear</b> map reads all neurons.", "layers": "Said of an earlier probe set."}
    write_json_atomic(run.attempts / "checkpoint-240.json", {"identity": "x", "cannot": why})
    (run.attempts / "checkpoint-120.json").write_text("{")
    render_run(run)
    page = (run.visualizations / "index.html").read_text(encoding="utf-8")
    newest, _, oldest = page.partition("<h2>epoch 2</h2>")[2].partition("<h2>epoch 1</h2>")
    assert "Not computed: <b>neurons</b>. No one &lt;b&gt;linear&lt;/b&gt; map reads all neurons." in newest
    assert page.count("Not computed") == 1, "layers has a result, and what cannot be read is left out"
    assert "Not computed" not in oldest

"""Who draws a run while another worker does, or was stopped while it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import analyzer.worker.drawing as drawing
import analyzer.worker.one_job as one_job
from analyzer.jobs.keys import drawn_keys
from analyzer.jobs.messages import Event, Failure, WorkerOptions
from shared.run import Run
from tests.making.job_bench import FAST, Bench
from tests.making.runs import describe, judge_template

pytest.importorskip("fcntl")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(describe(tmp_path / "run"), judge_template(tmp_path / "judge"), WorkerOptions(overrides=FAST))
    bench.add(10)
    yield bench


def test_who_cannot_draw_for_too_long_leaves_it_for_later_and_nothing_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "WAIT_S", 0.3)
    run = Run.at(bench.run)
    with drawing.alone(run, "", lambda: None):
        events = bench.do(bench.job(10))
    assert [event.analysis for event in events if event.kind == "committed"] == ["layers"]
    [failed] = [event for event in events if event.kind == "failed"]
    assert (failed.failure, failed.analysis) == (Failure.LOST, "draw")
    signs = [event for event in events if event.kind == "progress" and event.analysis == "draw"]
    assert len(signs) >= 2, "while it waits it gives signs of life"
    assert not drawn_keys(run, "checkpoint-10")
    assert not [event for event in bench.do(bench.job(10)) if event.kind == "failed"]
    assert drawn_keys(run, "checkpoint-10")


def test_who_loses_its_run_while_it_waits_draws_nothing(bench: Bench) -> None:
    run = Run.at(bench.run)
    run.lease.write_text(json.dumps({"owner": "us"}))
    events: list[Event] = []
    with ExitStack() as other:
        other.enter_context(drawing.alone(run, "us", lambda: None))

        def emit(event: Event) -> None:
            events.append(event)
            if len([each for each in events if each.analysis == "draw"]) == 2:  # it waits
                run.lease.write_text(json.dumps({"owner": "others"}))
                other.close()

        bench.analyst.carry_out(bench.job(10, lease="us"), emit)
    [failed] = [event for event in events if event.kind == "failed"]
    assert failed.failure == Failure.LEASE
    assert not (bench.run / "training_visualizations" / "index.html").exists()


def test_nobody_waits_for_who_was_stopped_under_a_lease_that_is_no_more(bench: Bench) -> None:
    run = Run.at(bench.run)
    run.lease.write_text(json.dumps({"owner": "us"}))
    with drawing.alone(run, "whoever had it before", lambda: None):
        events = bench.do(bench.job(10, lease="us"))
    assert not [event for event in events if event.kind == "failed"]
    assert drawn_keys(run, "checkpoint-10")


def test_who_loses_its_run_in_the_middle_of_drawing_replaces_no_page_any_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had been stopped there for longer than its lease lives."""
    run = Run.at(bench.run)
    run.lease.write_text(json.dumps({"owner": "us"}))
    real = one_job.render_checkpoint

    def lost_meanwhile(*told: Any) -> list[Path]:
        real(*told)
        for page in run.visualizations.glob("*.html"):
            page.write_text("the others'")
        run.lease.write_text(json.dumps({"owner": "others"}))
        return real(*told)

    monkeypatch.setattr(one_job, "render_checkpoint", lost_meanwhile)
    events = bench.do(bench.job(10, lease="us"))
    assert [event.failure for event in events if event.kind == "failed"] == [Failure.LEASE]
    pages = list(run.visualizations.glob("*.html"))
    assert pages and {page.read_text() for page in pages} == {"the others'"}
    assert not drawn_keys(run, "checkpoint-10") and not list(run.visualizations.rglob("*.tmp"))

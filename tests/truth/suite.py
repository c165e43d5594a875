"""A judge through the whole advanced suite, in this process, and what its pages say.

As the worker does it, over real checkpoint directories; only the HTML files are not drawn.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared import views
from shared.files import write_record
from shared.prompts.probes import write_probes
from shared.records import JudgeRecord, RunRecord
from shared.results import ResultRecord, ResultStore
from shared.views import Panel, View, suite_views
from tests.making.plants import Plant

QUICK = {
    "tokens": {"extra_prompts": 60, "random_rankings": 1},
    "neurons": {"controls": 5, "shuffles": 5},
    "heads": {"controls": 5},
}
"""Settings that take less time, and no fewer prompts."""
COMPARED = ("progress", "tokens", "layers", "comparison", "evolution")
"""What compares checkpoints, and what it reads."""
PER_CHECKPOINT = 10
"""Steps."""


@dataclass(frozen=True)
class Said:
    """What one page says."""

    analysis: str
    stem: str
    step: int | None
    """None for a page over the whole run."""
    headline: str
    subtitle: str
    flags: tuple[str, ...]
    """What stands in the red box above the figure."""
    caption: str
    rows: list[dict[str, Any]]
    """The table below the figure."""
    claims: bool
    """Whether the headline claims something of the judge."""
    badge: str
    """The line of facts below the figure, with the warnings."""

    @property
    def above(self) -> str:
        """All that stands above the figure."""
        return "\n".join((self.headline, self.subtitle, *self.flags))


@dataclass
class Pages:
    """All that is said of one run."""

    checkpoints: dict[int, list[Said]] = field(default_factory=dict)
    """Step -> its pages."""
    run: list[Said] = field(default_factory=list)
    """Pages over the whole run."""
    failed: list[Event] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Analysis -> time it took, over all checkpoints."""

    def of(self, analysis: str, step: int | None = None) -> list[Said]:
        """An analysis' pages of a checkpoint (the newest), and those over the run."""
        chosen = self.checkpoints[max(self.checkpoints) if step is None else step]
        return [said for said in (*chosen, *self.run) if said.analysis == analysis]

    @property
    def all(self) -> list[Said]:
        return [*(said for pages in self.checkpoints.values() for said in pages), *self.run]


def pages_of(plant: Plant, folder: Path, analyses: Iterable[str] | None = None) -> Pages:
    """Every checkpoint of a run through the advanced suite (or some of it), in `folder`."""
    known = suite_views("advanced")
    names = [view.name for view in known if analyses is None or view.name in set(analyses)]
    analyst = Analyst(WarmJudge("cpu"), computations(WorkerOptions(overrides=QUICK)), 4096)
    record, pages = RunRecord(judge=JudgeRecord(max_length=40)), Pages()
    write_record(folder / "run.json", record)
    write_probes(folder / "probes.jsonl", plant.probes)
    for number, model in enumerate(plant.models, start=1):
        job = _saved(plant, model, folder, number, record, names)
        events: list[Event] = []
        with patch("analyzer.worker.one_job.render_checkpoint", lambda *_: []):
            analyst.carry_out(job, events.append)
        pages.failed += [event for event in events if event.kind in ("failed", "refused")]
        for event in events:
            if event.kind == "committed":
                pages.seconds[event.analysis] = pages.seconds.get(event.analysis, 0.0) + event.seconds
    _read(known, names, ResultStore(folder / "_midwatch" / "results"), pages)
    return pages


def _saved(plant: Plant, model: object, folder: Path, number: int, record: RunRecord, names: list[str]) -> Job:
    """The job of one checkpoint, written as a training writes it."""
    step = PER_CHECKPOINT * number
    source = folder / f"checkpoint-{step}"
    model.save_pretrained(source)  # type: ignore[attr-defined]
    plant.tokenizer.save_pretrained(source)
    state = {"global_step": step, "epoch": float(number), "log_history": []}
    (source / "trainer_state.json").write_text(json.dumps(state))
    return Job(
        id=source.name,
        run=folder,
        out=folder,
        checkpoint=source.name,
        step=step,
        epoch=float(number),
        directory=source,
        source=source,
        files=list(fingerprint(source)),
        pinned=False,
        record=record,
        probes=folder / "probes.jsonl",
        analyses=names,
    )


def _read(known: Sequence[View], names: Sequence[str], store: ResultStore, pages: Pages) -> None:
    """Everything that the views say of the results that are there."""
    chosen = [view for view in known if view.name in names]
    records: list[ResultRecord] = []
    for checkpoint in store.checkpoints():
        for view in chosen:
            record = store.newest(checkpoint, view.name)
            if record is not None:
                records.append(record)
                panels = view.panels(record)
                once = replace(view, panels=lambda _, made=panels: made)  # figures take long to make
                claims = {headline.stem: headline.claims for headline in views.headlines(once, record)}
                said = [_said(view, panel, record.step, claims[panel.stem]) for panel in panels]
                pages.checkpoints.setdefault(record.step, []).extend(said)
    for view in chosen:
        if view.run_panels is not None:
            read = [record for record in records if record.analysis in view.run_reads]
            pages.run += [_said(view, panel, None, panel.claims is True) for panel in view.run_panels(read, [])]


def _said(view: View, panel: Panel, step: int | None, claims: bool) -> Said:
    layout: Any = panel.figure.layout
    flags = [note.text for note in layout.annotations if "⚠" in (note.text or "")]
    return Said(
        analysis=view.name,
        stem=panel.stem,
        step=step,
        headline=_plain(layout.title.text),
        subtitle=_plain(layout.title.subtitle.text),
        flags=tuple(_plain(line) for flag in flags for line in flag.split("<br>")),
        caption=panel.caption,
        rows=panel.rows,
        claims=claims,
        badge=panel.badge,
    )


def _plain(text: str | None) -> str:
    """A figure's text without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", (text or "").replace("<br>", " ")).replace("⚠", "")).strip()

"""The second checkpoint of a run against the first, where half or two thirds of the layers are frozen; one thread.

The forward-only analyses (layers, comparison, progress) of a MiniLM judge, 6 layers of width 384, on the shipped
probe set. Both checkpoints meet a warm worker. The first finds no prefix and reads every tensor; the second begins
at the boundary and reads the tensors that trained. Turn about, each round from nothing.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.model.judge import Judge
from analyzer.session.content_cache import ContentCache
from analyzer.session.frozen_prefix import PrefixStore
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.records import RunRecord
from tests.bench import Figure, Size, median_figure
from tests.bench._judge import LAYERS, RECORD, trained_run

ROUNDS = {Size.FULL: 5, Size.TINY: 1}
ANALYSES = ["layers", "comparison", "progress"]


class Seconds(NamedTuple):
    """What the parts of one job took."""

    digest: float
    """Headers, SHA-256 of all tensors, and a look at what is committed."""
    load: float
    """Weights and self-check."""
    analyses: float
    """Until the last commit."""
    draw: float
    """Pages and figures, whatever is frozen."""


class Timed(WarmJudge):
    """A warm judge that knows how long its last load took."""

    seconds = 0.0

    def load(self, job: Job, device: str) -> Judge:
        started = time.perf_counter()
        judge = super().load(job, device)
        self.seconds = time.perf_counter() - started
        return judge


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        first = trained_run(Path(folder, "run"), size)
        layers = LAYERS[size]
        for boundary in (layers // 2, layers * 2 // 3):
            second = trained_on(first, boundary)
            name = f"second checkpoint / first, {boundary} of {layers} layers frozen"
            bar = "<= 0.5" if boundary > layers // 2 else None
            record = RECORD.model_copy(update={"frozen_layers": boundary})
            figures += _ratios(name, bar, first, second, record, ROUNDS[size])
            shutil.rmtree(second)
    return figures


def trained_on(first: Path, boundary: int) -> Path:
    """A later checkpoint: layers from `boundary` on and the head have moved."""
    step = int(first.name.partition("-")[2]) + 1
    second = first.with_name(f"checkpoint-{step}")
    shutil.copytree(first, second)
    weights = load_file(second / "model.safetensors")
    for name, tensor in weights.items():
        layer = name.partition("encoder.layer.")[2].partition(".")[0]
        if (layer and int(layer) >= boundary) or name.startswith(("classifier", "bert.pooler")):
            weights[name] = tensor + 1e-3 * torch.randn_like(tensor)
    save_file(weights, second / "model.safetensors", {"format": "pt"})
    state = json.loads((second / "trainer_state.json").read_text())
    (second / "trainer_state.json").write_text(json.dumps(state | {"global_step": step}))
    return second


def _ratios(name: str, bar: str | None, first: Path, second: Path, record: RunRecord, rounds: int) -> list[Figure]:
    warm = Timed("cpu")
    analyst = Analyst(warm, computations(WorkerOptions(device="cpu")), WorkerOptions().batch_tokens)
    carried_out(analyst, warm, first, record)  # libraries
    pairs = []
    for _ in range(rounds):
        shutil.rmtree(first.parent / "_midwatch", ignore_errors=True)
        warm.prefixes, warm.cache = PrefixStore(), ContentCache()
        if warm.judge is not None:
            warm.judge.held.clear()
        pairs.append([carried_out(analyst, warm, path, record) for path in (first, second)])
    whole = [tuple(one.digest + one.load + one.analyses for one in pair) for pair in pairs]
    drawn = [tuple(sum(one) for one in pair) for pair in pairs]
    return [
        _figure(name, [(one.analyses, two.analyses) for one, two in pairs], bar),
        _figure(f"{name}, digest and loading included", whole, None),
        _figure(f"{name}, drawing included too", drawn, None),
        *_parts(name, pairs),
    ]


def _parts(name: str, pairs: list[list[Seconds]]) -> list[Figure]:
    """Medians of what has no ratio to reach."""
    figures = []
    for part in ("digest", "load"):
        first, second = (statistics.median(getattr(pair[index], part) for pair in pairs) for index in (0, 1))
        note = f"first checkpoint {first:.3f} s"
        figures.append(Figure(name=f"{name}: {part}", value=second, unit="s", n=len(pairs), note=note))
    return figures


def _figure(name: str, pairs: Sequence[tuple[float, ...]], bar: str | None) -> Figure:
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = [later / earlier for earlier, later in pairs]
    return median_figure(name, ratios, "x", bar=bar, note=f"{second:.2f} s against {first:.2f} s")


def carried_out(analyst: Analyst, warm: Timed, checkpoint: Path, record: RunRecord) -> Seconds:
    """One forced job."""
    times: dict[str, float] = {}

    def note(event: Event) -> None:
        """The first progress of each stage, and the last commit."""
        if event.kind == "failed":
            raise RuntimeError(event.cause)
        if event.kind == "committed":
            times["committed"] = time.perf_counter()
        times.setdefault(event.analysis, time.perf_counter())

    job = Job(
        id="bench",
        run=checkpoint.parent,
        out=checkpoint.parent,
        checkpoint=checkpoint.name,
        step=int(checkpoint.name.partition("-")[2]),
        epoch=1.0,
        directory=checkpoint,
        source=checkpoint,
        files=list(fingerprint(checkpoint)),
        pinned=False,
        record=record,
        probes=checkpoint.parent / "probes.jsonl",
        analyses=ANALYSES,
        force=True,
    )
    started = time.perf_counter()
    analyst.carry_out(job, note)
    finished = time.perf_counter()
    digested, committed = times[ANALYSES[0]], times["committed"]
    return Seconds(
        digest=digested - started,
        load=warm.seconds,
        analyses=committed - digested - warm.seconds,
        draw=finished - committed,
    )

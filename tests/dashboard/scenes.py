"""Run directories in every state a page must show."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from shared.files import write_record
from shared.records import (
    CheckpointState,
    CheckpointStatus,
    JudgeRecord,
    Notice,
    RunningStatus,
    RunRecord,
    Status,
)
from shared.results import ResultStore
from shared.run import Run
from tests.making.fake_run import ADVANCED, BASIC, fake_status, make_fake_run
from tests.making.fake_samples import HOSTILE, SAMPLES
from tests.making.fakes import fake_records

NAMES = BASIC
TABS = ADVANCED
"""Names of the analyses that have a tab and a fake."""
STEPS = 120
"""Steps an epoch in the fakes."""
FAR = 1e7
"""Seconds into the future: a heartbeat that does not grow old during a test."""

INJECTIONS = (
    "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>",
    "![x](http://evil.invalid/a.png) [c](javascript:window.pwned=1)",
    "<style>*{display:none!important}</style> :red[red] $$x$$",
    "huge " + "A" * 20_000,
)
"""Text a data set, a file name or a cause may hold."""


def alive(run: Run, epochs: int, **changes: object) -> Status:
    """Write a status whose heartbeat is fresh, with `changes` to it."""
    status = fake_status(epochs, STEPS, time.time() + FAR).model_copy(update=changes)
    write_record(run.status, status, durable=False)
    return status


def done(folder: Path, epochs: int = 5, name: str = "done") -> Run:
    """An idle analyzer that has done everything."""
    run = make_fake_run(folder / name, epochs)
    alive(run, epochs)
    return run


def noticed(run: Run, epoch: int) -> None:
    """The newest result of an epoch begins with two notices."""
    store = ResultStore(run.results)
    old = store.newest(f"checkpoint-{epoch * STEPS}", "layers")
    assert old is not None
    said = [
        Notice(kind="inverted", level="error", sentence="<b>AUC 0.02</b> ![x](http://evil.invalid/a.png)"),
        Notice(kind="assumed", sentence="Class 1 is taken as unsafe."),
    ]
    warnings = [each.sentence for each in said]
    write_record(run.record, RunRecord(judge=JudgeRecord(assumed=(warnings[1],))))
    newer = {"key": "0" * 20, "notices": said, "warnings": warnings, "created_at": old.created_at + 1}
    store.remove(old.checkpoint, "layers", old.key)
    store.commit(old.model_copy(update=newer))


def advanced(folder: Path, epochs: int = 5, name: str = "advanced") -> Run:
    """An idle analyzer that has done the advanced suite."""
    run = make_fake_run(folder / name, epochs, advanced=True)
    write_record(run.status, fake_status(epochs, STEPS, time.time() + FAR, advanced=True), durable=False)
    return run


def row(epoch: int, state: CheckpointState, missing: Sequence[str] = NAMES, **more: object) -> CheckpointStatus:
    """One row of the analyzer's queue."""
    done = [name for name in NAMES if name not in missing]
    return CheckpointStatus(
        checkpoint=f"checkpoint-{epoch * STEPS}", step=epoch * STEPS, epoch=float(epoch), state=state,
        done=done, missing=list(missing), **more,
    )  # fmt: skip


def drop(run: Run, epoch: int, names: Sequence[str]) -> None:
    """Remove results, as if they had not been computed yet."""
    store = ResultStore(run.results)
    for name in names:
        for key in store.keys(f"checkpoint-{epoch * STEPS}", name):
            store.remove(f"checkpoint-{epoch * STEPS}", name, key)


def busy(folder: Path) -> Run:
    """Every state of the queue at once: two epochs done, one partial and running, the others not."""
    run = make_fake_run(folder / "busy", 9)
    drop(run, 3, NAMES[1:])
    for epoch in range(4, 10):
        drop(run, epoch, NAMES)
    rows = [
        row(1, CheckpointState.DONE, []),
        row(2, CheckpointState.DONE, []),
        row(3, CheckpointState.RUNNING, NAMES[1:]),
        row(4, CheckpointState.QUEUED),
        row(5, CheckpointState.RETRYING, attempts=1, retry_at=time.time() + 60, cause="The worker was killed."),
        row(6, CheckpointState.QUARANTINED, attempts=3, cause="Out of memory on cpu with one prompt."),
        row(7, CheckpointState.REJECTED, cause="model.safetensors is truncated. ![x](http://evil.invalid/)"),
        row(8, CheckpointState.SKIPPED, cause="The interval is every 5 epochs."),
        row(9, CheckpointState.INCOMPLETE, cause="trainer_state.json is not there yet."),
    ]  # fmt: skip
    running = RunningStatus(
        checkpoint=f"checkpoint-{3 * STEPS}", analysis="layers", done=3, total=12, started_at=time.time() - 8
    )
    alive(run, 9, state="running", checkpoints=rows, running=running, lag_checkpoints=3, lag_s=95.0)
    return run


def rotated(folder: Path) -> Run:
    """A run that nobody described, whose training deletes what it saved: two are done, one is lost."""
    run = make_fake_run(folder / "rotated", 3)
    drop(run, 2, NAMES)
    cause = "checkpoint-240 was deleted before its turn. ![x](http://evil.invalid/)"
    rows = [
        row(1, CheckpointState.DONE, []),
        row(2, CheckpointState.GONE, [], cause=cause),
        row(3, CheckpointState.DONE, []),
    ]
    alive(run, 3, checkpoints=rows, assumed=["Class 1 is taken as unsafe. ![x](http://evil.invalid/)"])
    return run


def untold(folder: Path) -> Run:
    """A language model: nothing can start until somebody says how it answers."""
    run = make_fake_run(folder / "untold", 2)
    for epoch in (1, 2):
        drop(run, epoch, NAMES)
    message = "untold is a causal language model, and how it answers cannot be guessed."
    rows = [row(epoch, CheckpointState.QUEUED, cause=message) for epoch in (1, 2)]
    alive(run, 2, state="waiting", message=message, remedy="midwatch init untold --chat", checkpoints=rows)
    return run


def gone(folder: Path) -> Run:
    """The analyzer died without a word a while ago, with work left."""
    run = make_fake_run(folder / "gone", 3)
    drop(run, 3, NAMES)
    rows = [row(1, CheckpointState.DONE, []), row(2, CheckpointState.DONE, []), row(3, CheckpointState.QUEUED)]
    alive(run, 3, heartbeat_at=time.time() - 600, checkpoints=rows, lag_checkpoints=1)
    return run


def stopped(folder: Path) -> Run:
    """The analyzer was stopped in good order, with work left."""
    run = make_fake_run(folder / "stopped", 3)
    drop(run, 3, NAMES)
    rows = [row(1, CheckpointState.DONE, []), row(2, CheckpointState.DONE, []), row(3, CheckpointState.QUEUED)]
    alive(run, 3, heartbeat_at=time.time() - 600, state="stopped", checkpoints=rows, lag_checkpoints=1)
    return run


def damaged(folder: Path) -> Run:
    """Epoch 5: truncated tokens, newer layers, a comparison of another shape, empty progress."""
    run = done(folder, 5, "damaged")
    store = ResultStore(run.results)

    def path(name: str) -> Path:
        checkpoint = f"checkpoint-{5 * STEPS}"
        return store.directory(checkpoint, name, store.keys(checkpoint, name)[0]) / "result.json"

    path("tokens").write_bytes(path("tokens").read_bytes()[:1000])
    for name, change in (("layers", {"schema_version": 99}), ("comparison", {"payload": {"layers": "many"}})):
        path(name).write_text(json.dumps(json.loads(path(name).read_text()) | change))
    path("progress").write_bytes(b"")
    return run


def alarming(folder: Path) -> Run:
    """Results that deserve every alert."""
    run = make_fake_run(folder / "alarming", 2)
    store = ResultStore(run.results)
    for record in fake_records(2):
        if record.step != 2 * STEPS:
            continue
        payload = dict(record.payload)
        if record.analysis == "evolution":
            payload |= {"frozen_check": "fail", "frozen_check_detail": "norms differ by up to 20 %"}
        if record.analysis == "tokens":
            payload |= {
                "share_converged": 0.9,
                "shortcut_alarm": "Stop words carry 60 % ![x](http://evil.invalid/).",
            }
        if record.analysis == "comparison":
            payload |= {"divergence_layer": None, "divergence_by_split": [None] * 10}
        if record.analysis == "progress":
            worse = {"value": 0.6, "low": 0.5, "high": 0.7}
            payload |= {"leak_count": 3, "probe": payload["probe"] | {"fnr": worse}}
        store.remove(record.checkpoint, record.analysis, record.key)
        store.commit(
            record.model_copy(update={"payload": payload, "order_unverified": True, "warnings": ["<b>w</b>"]})
        )
    alive(run, 2)
    return run


def hostile(folder: Path) -> Run:
    """Prompts, causes and a run's name that try to be markup."""
    texts = [*HOSTILE, *INJECTIONS]
    samples = [(text, label, category) for text, (_, label, category) in zip(texts, SAMPLES * 2, strict=True)]
    name = "![x](http:⁄⁄evil.invalid) <img src=x onerror=window.pwned=1>"
    run = make_fake_run(folder / name, 3, samples=samples, advanced=True)
    bad = [row(1, CheckpointState.QUARANTINED, attempts=3, cause=cause) for cause in INJECTIONS]
    rows = [
        *(r.model_copy(update={"step": r.step + i}) for i, r in enumerate(bad)),
        row(3, CheckpointState.DONE, []),
    ]
    alive(run, 3, checkpoints=rows, message=INJECTIONS[0], device=INJECTIONS[1], suite=INJECTIONS[2])
    return run


def begun(folder: Path) -> Run:
    """A run that has no checkpoint yet."""
    path = folder / "begun"
    path.mkdir(parents=True)
    (path / "run.json").write_text("{}")
    return Run.at(path)


def foreign(folder: Path) -> Run:
    """Checkpoints of a plain training that no analyzer has seen."""
    path = folder / "foreign"
    for step in (100, 200):
        (path / f"checkpoint-{step}").mkdir(parents=True)
    return Run.at(path)


SCENES = (done, advanced, busy, gone, stopped, damaged, alarming, hostile, begun, foreign)

"""One job in this process, with a real tiny judge: results, provenance, and everything that can go wrong."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import analyzer.worker.computing as computing
from analyzer.analyses import Analysis
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.pins import PinStore
from analyzer.jobs.messages import Event, Failure, Neighbour, WorkerOptions
from shared.errors import CannotCompute
from shared.files import write_record
from shared.records import JudgeRecord, RunRecord
from shared.run import Run
from shared.views import suite_views
from tests.making.job_bench import FAST, Bench
from tests.making.runs import describe, judge_template, snapshot


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def options() -> WorkerOptions:
    return WorkerOptions(overrides=FAST)


@pytest.fixture
def bench(tmp_path: Path, template: Path, options: WorkerOptions) -> Bench:
    return Bench(describe(tmp_path / "run"), template, options)


def committed(events: list[Event]) -> list[str]:
    return [event.analysis for event in events if event.kind == "committed"]


def test_the_basic_suite_is_committed_one_by_one_and_drawn(bench: Bench) -> None:
    path = bench.add(10)
    before = snapshot(path)
    names = [view.name for view in suite_views("basic")]
    events = bench.do(bench.job(10, analyses=names))
    assert committed(events) == names
    stages = list(dict.fromkeys(event.analysis for event in events if event.kind == "progress"))
    assert stages == ["load", *names, "draw"]
    record = bench.result(10, "tokens")
    assert (record.step, record.epoch, record.device, record.dtype) == (10, 1.0, "cpu", "float32")
    assert len(record.checkpoint_digest) == len(record.probe_digest) == 64
    assert record.settings["judge"]["max_length"] == 32
    assert record.judge["family"] == "bert"
    assert record.duration_s > 0
    assert (bench.run / "training_visualizations" / "epoch_1_sample_0_safe_tokens.html").exists()
    assert snapshot(path) == before
    again = bench.do(bench.job(10, analyses=names))
    assert committed(again) == [], "what is there is not computed again"


def test_every_result_begins_with_what_is_noticed(bench: Bench) -> None:
    """What the record assumes, what the supervisor assumed, and none of it twice."""
    bench.add(10)
    record = RunRecord(judge=JudgeRecord(max_length=32, assumed=("Class 1 is taken as unsafe.",)))
    write_record(bench.run / "run.json", record)
    warnings = ["Class 1 is taken as unsafe.", "The answers are taken as they are."]
    names = [view.name for view in suite_views("basic")]
    bench.do(bench.job(10, analyses=names, record=record, warnings=warnings))
    for name in names:
        found = bench.result(10, name)
        assert [(each.kind, each.sentence) for each in found.notices] == [("assumed", text) for text in warnings]
        assert found.warnings[:2] == warnings and len(set(found.warnings)) == len(found.warnings)
    page = bench.run / "training_visualizations" / "epoch_1_calibration.html"
    assert "Class 1 is taken as unsafe." in page.read_text(encoding="utf-8")


def test_force_computes_again_and_replaces(bench: Bench) -> None:
    bench.add(10)
    bench.do(bench.job(10))
    first = bench.result(10)
    assert committed(bench.do(bench.job(10, force=True))) == ["layers"]
    second = bench.result(10)
    assert second.key == first.key
    assert second.created_at > first.created_at
    assert second.payload == first.payload, "the same key always names the same result"


def test_the_frozen_boundary_comes_from_bytes_once_there_are_two(bench: Bench) -> None:
    bench.add(10)
    bench.add(20)
    bench.do(bench.job(10, record=RunRecord(frozen_layers=1)))
    assert bench.result(10).payload["frozen_from"] == "declared"
    bench.do(bench.job(20))
    payload = bench.result(20).payload
    assert (payload["frozen_boundary"], payload["frozen_from"], payload["embeddings_frozen"]) == (1, "bytes", True)


def test_a_neighbour_tells_as_well(bench: Bench) -> None:
    bench.add(10)
    other = bench.add(20)
    neighbour = Neighbour(checkpoint=other.name, directory=other, files=list(fingerprint(other)))
    bench.do(bench.job(10, neighbour=neighbour))
    payload = bench.result(10).payload
    assert (payload["frozen_boundary"], payload["frozen_from"]) == (1, "bytes")


def test_a_damaged_neighbour_tells_nothing(bench: Bench) -> None:
    bench.add(10)
    other = bench.add(20)
    (other / "model.safetensors").write_bytes(b"short")
    neighbour = Neighbour(checkpoint=other.name, directory=other, files=list(fingerprint(other)))
    assert committed(bench.do(bench.job(10, neighbour=neighbour))) == ["layers"]
    assert bench.result(10).payload["frozen_from"] == "unknown"


def change_weights(path: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    weights = load_file(path / "model.safetensors")
    change(weights)
    save_file(weights, path / "model.safetensors", {"format": "pt"})


def nan(weights: dict[str, np.ndarray]) -> None:
    weights["classifier.weight"][0, 0] = np.nan


def missing(weights: dict[str, np.ndarray]) -> None:
    del weights["classifier.weight"]


def zeros(weights: dict[str, np.ndarray]) -> None:
    for array in weights.values():
        array[...] = 0


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: change_weights(path, nan), "NaN"),
        (lambda path: change_weights(path, missing), "classifier.weight"),
        (lambda path: change_weights(path, zeros), "nothing but zeros"),
        (lambda path: [file.unlink() for file in path.glob("tokenizer*")], "tokenizer"),
        (lambda path: set_config(path, {"id2label": {"0": "only"}}), "class"),
        (lambda path: set_config(path, {"id2label": {"0": "a", "1": "b", "2": "c"}}), "class"),
        (lambda path: (path / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b"{not json at all"), "JSON"),
    ],
    ids=["nan", "missing", "zeros", "tokenizer", "one class", "three classes", "header"],
)
def test_what_cannot_serve_as_a_judge_is_rejected_in_one_sentence(bench: Bench, damage, words: str) -> None:
    damage(bench.add(10))
    failed = bench.failure(bench.job(10))
    assert failed.failure == Failure.REJECTED
    assert words in failed.cause
    assert "\n" not in failed.cause
    bench.add(20)
    assert committed(bench.do(bench.job(20))) == ["layers"], "the worker lives on"


def set_config(path: Path, values: dict) -> None:
    config = json.loads((path / "config.json").read_text()) | values
    (path / "config.json").write_text(json.dumps(config))


def patch(monkeypatch: pytest.MonkeyPatch, name: str, before: Callable[[Any], None]) -> None:
    """Something happens inside the computation of `name`, before it computes."""
    real = computing.get

    def get(wanted: str) -> Analysis:
        found = real(wanted)
        if wanted != name:
            return found

        def compute(context, settings):
            before(context)
            return found.compute(context, settings)

        return Analysis(found.name, found.version, found.settings, compute)

    monkeypatch.setattr(computing, "get", get)


def raising(error: Exception) -> Callable[[Any], None]:
    def hook(context: object) -> None:
        raise error

    return hook


def test_one_analysis_fails_and_the_rest_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    patch(monkeypatch, "layers", raising(ValueError("first line\nsecond line")))
    events = bench.do(bench.job(10, analyses=["layers", "progress"]))
    (failed,) = [event for event in events if event.kind == "failed"]
    assert (failed.analysis, failed.failure) == ("layers", Failure.ANALYSIS)
    assert failed.cause == "ValueError: first line"
    assert committed(events) == ["progress"]


def test_what_cannot_be_computed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    patch(monkeypatch, "layers", raising(CannotCompute("This family's parts are unknown.")))
    events = bench.do(bench.job(10, analyses=["layers", "progress"]))
    (failed,) = [event for event in events if event.kind == "failed"]
    assert (failed.failure, failed.cause) == (Failure.CANNOT, "This family's parts are unknown.")
    assert committed(events) == ["progress"]
    index = bench.run / "training_visualizations" / "index.html"
    told = "Not computed: <b>layers</b>. This family&#39;s parts are unknown."
    assert told in index.read_text(), "whether or not the supervisor has noted it by now"
    index.unlink()
    bench.do(bench.job(10, analyses=["layers", "progress"]))
    assert told in index.read_text(), "though nothing was computed"


def overwrite(path: Path) -> Callable[[Any], None]:
    def hook(context: object) -> None:
        (path / "model.safetensors").write_bytes(b"something else")

    return hook


@pytest.mark.parametrize("happens", ["overwritten", "deleted"])
def test_a_checkpoint_that_changes_meanwhile_has_no_result(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    path = bench.add(10)
    hook = overwrite(path) if happens == "overwritten" else lambda context: shutil.rmtree(path)
    patch(monkeypatch, "layers", hook)
    failed = bench.failure(bench.job(10, analyses=["layers", "progress"]))
    assert failed.failure == Failure.CHANGED
    assert bench.store.newest("checkpoint-10", "layers") is None
    assert bench.store.newest("checkpoint-10", "progress") is None


def test_a_pinned_checkpoint_may_be_deleted_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.add(10)
    candidate = Candidate(path.name, 10, 1.0, path, fingerprint(path), 0.0)
    pin = PinStore(bench.run / "_midwatch" / "pins", 2**30).pin(candidate)
    assert pin is not None
    patch(monkeypatch, "layers", lambda context: shutil.rmtree(path))
    job = bench.job(10, directory=pin.directory, pinned=True)
    assert committed(bench.do(job)) == ["layers"]


def test_gone_before_it_began(bench: Bench) -> None:
    path = bench.add(10)
    job = bench.job(10)
    shutil.rmtree(path)
    assert bench.failure(job).failure == Failure.CHANGED


def on_the_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def on_the_cpu() -> None:
    torch.empty(10**15)


@pytest.mark.parametrize("run_out", [on_the_gpu, on_the_cpu])
def test_memory_runs_out_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch, run_out: Callable[[], None]) -> None:
    """Half the batch, a fresh context, and the same numbers."""
    bench.add(10)
    bench.do(bench.job(10))
    expected = bench.result(10).payload
    sizes = []

    def hook(context) -> None:
        sizes.append(context.batch_tokens)
        if len(sizes) < 3:
            run_out()

    patch(monkeypatch, "layers", hook)
    assert committed(bench.do(bench.job(10, force=True))) == ["layers"]
    assert sizes == [4096, 2048, 1024]
    found = bench.result(10).payload
    for one, two in zip(found["samples"], expected["samples"], strict=True):
        assert one["residual_norm"] == pytest.approx(two["residual_norm"], rel=1e-4)


@pytest.fixture
def small_files():
    """The kernel refuses files above 2 KB, as a full disk would, also to root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_no_fault_of_the_checkpoint(bench: Bench, small_files: None) -> None:
    """`small_files` is set up after `bench`; the checkpoint is written before the limit holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    bench.add(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    failed = bench.failure(bench.job(10))
    assert failed.failure == Failure.STORAGE
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not list(bench.run.glob("_midwatch/results/*/*/*")), "nothing half-written stays"
    assert committed(bench.do(bench.job(10))) == ["layers"]


@pytest.mark.parametrize(
    ("call", "error"), [("rename", errno.ESTALE), ("fsync", errno.EIO), ("lease", errno.EMFILE)]
)
def test_a_disk_that_does_not_answer_a_commit_is_no_fault_of_the_checkpoint(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    """The very call fails with which a result is published, and no name tells what it was about."""
    run = Run.at(bench.run)
    bench.add(10)
    run.lease.parent.mkdir(exist_ok=True)
    run.lease.write_text(json.dumps({"owner": "us"}))
    refused: list[str] = []
    real = getattr(os, "open" if call == "lease" else call)

    def refuse(*told: Any, **options: Any) -> Any:
        if call == "lease" and not str(told[0]).endswith(run.lease.name):
            return real(*told, **options)
        refused.append(call)
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "open" if call == "lease" else call, refuse)
    failed = bench.failure(bench.job(10, lease="us"))
    monkeypatch.undo()
    assert refused and failed.failure == Failure.STORAGE, failed.cause
    assert str(run.midwatch) in failed.cause and os.strerror(error) in failed.cause
    assert ("ulimit -n" in failed.cause) == (error == errno.EMFILE)
    assert not list(bench.run.glob("_midwatch/results/*/*/*")), "nothing half-written stays"
    assert committed(bench.do(bench.job(10, lease="us"))) == ["layers"]


def test_a_checkpoint_whose_own_disk_does_not_answer_fails_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add(10)

    def refuse(*told: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(bench.run / "checkpoint-10" / "model.safetensors"))

    monkeypatch.setattr("analyzer.worker.work.validate", refuse)
    assert bench.failure(bench.job(10)).failure == Failure.ANALYSIS


def test_a_read_only_place_is_no_fault_of_the_checkpoint(bench: Bench) -> None:
    """A file in place of the results folder stops even root."""
    bench.add(10)
    results = bench.run / "_midwatch" / "results"
    results.parent.mkdir(exist_ok=True)
    results.write_text("")
    assert bench.failure(bench.job(10)).failure == Failure.STORAGE
    results.unlink()
    assert committed(bench.do(bench.job(10))) == ["layers"]


def test_leaks_are_said_in_every_result(bench: Bench) -> None:
    from shared.prompts.leaks import write_train_digests
    from tests.making.runs import probes

    bench.add(10)
    write_train_digests(bench.run, probes()[:3])
    bench.do(bench.job(10, warnings=["Labels were assumed."]))
    warnings = bench.result(10).warnings
    assert "Labels were assumed." in warnings
    assert any("3 of 12 probe prompts were trained on" in warning for warning in warnings)

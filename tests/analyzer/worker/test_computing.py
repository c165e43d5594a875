"""The computer of a job: memory that runs out, passes that are kept, and the frozen prefix between checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch.utils.hooks import RemovableHandle

import analyzer.session.context as context_module
import analyzer.worker.warm_judge as warm_judge
from analyzer.jobs.messages import Failure, Job, WorkerOptions
from analyzer.model.judge import Judge
from analyzer.worker.warm_judge import WarmJudge
from shared.records import JudgeRecord, RunRecord
from tests.analyzer.model.test_adapter import adapter, trained_on
from tests.analyzer.worker.test_one_job import committed, patch
from tests.making.job_bench import FAST, Bench
from tests.making.runs import describe, judge_template

LONGEST = 11
"""Tokens of the longest prompt in `runs.probes`."""
BASIC = ["layers", "comparison", "progress"]
PLAIN = ["layers", "comparison"]
"""Those that ask for nothing but the probes: progress changes prompts where the score goes with a property."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def bench(tmp_path: Path, template: Path) -> Bench:
    return Bench(describe(tmp_path / "run"), template, WorkerOptions(overrides=FAST))


class Watched:
    """Sees every call of the model of the judges that are loaded, and may let memory run out in it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, limit: int | None = None, gradient: bool = False, device: str = "cpu"
    ) -> None:
        self.calls: list[tuple[bool, tuple[int, int]]] = []
        """Whether differentiated, and (prompts, tokens)."""
        self.layers: list[int] = []
        """Index of each layer that was computed."""
        self.limit, self.gradient, self.device = limit, gradient, device
        hooks: list[RemovableHandle] = []
        real = WarmJudge.load

        def load(warm: WarmJudge, job: Job, device: str) -> Judge:
            while hooks:  # the warm judge keeps its model
                hooks.pop().remove()
            self.device = device
            judge = real(warm, job, "cpu")
            hooks.append(judge.anatomy.embeddings.register_forward_hook(lambda *args: self._embedded(*args)))
            for index, module in enumerate(judge.anatomy.mlp_writes or ()):
                hooks.append(module.register_forward_hook(lambda *_, i=index: self.layers.append(i)))
            return judge

        monkeypatch.setattr(WarmJudge, "load", load)

    def _embedded(self, _module: object, _args: object, output: torch.Tensor) -> None:
        prompts, tokens = output.shape[:2]
        gradient = torch.is_grad_enabled()
        self.calls.append((gradient, (prompts, tokens)))
        if self.limit is not None and gradient == self.gradient and prompts * tokens > self.limit:
            raise torch.OutOfMemoryError(f"{self.device} out of memory")

    def sizes(self, gradient: bool) -> list[int]:
        return [prompts * tokens for kind, (prompts, tokens) in self.calls if kind == gradient]


def counted_passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """`batch_tokens` of every finished pass over the probe set."""
    passes: list[int] = []
    real = context_module.Context._pass

    def counted(context: context_module.Context, **wanted: bool) -> Any:
        found = real(context, **wanted)
        passes.append(context.batch_tokens)
        return found

    monkeypatch.setattr(context_module.Context, "_pass", counted)
    return passes


def assert_like(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """The same `layers` result to rounding."""
    for one, two in zip(found["samples"], wanted["samples"], strict=True):
        assert one["residual_norm"] == pytest.approx(two["residual_norm"], rel=1e-5)
        assert one["lens"] == pytest.approx(two["lens"], abs=1e-5)
        assert one["score"] == pytest.approx(two["score"], abs=1e-5)


def test_a_forward_pass_that_runs_out_begins_again_with_half(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    bench.do(bench.job(10, analyses=PLAIN))
    wanted = bench.result(10).payload
    passes = counted_passes(monkeypatch)
    watched = Watched(monkeypatch, limit=40)
    assert committed(bench.do(bench.job(10, analyses=PLAIN, force=True))) == PLAIN
    assert max(watched.sizes(gradient=False)) > 64, "the first try took all prompts at once"
    assert passes == [32], "4096 halved until a batch had at most 40 tokens; one pass for all analyses"
    assert_like(bench.result(10).payload, wanted)


def test_one_prompt_at_a_time_is_the_last_try(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    bench.do(bench.job(10, analyses=PLAIN))
    wanted = bench.result(10).payload
    watched = Watched(monkeypatch, limit=LONGEST)
    assert committed(bench.do(bench.job(10, analyses=PLAIN, force=True))) == PLAIN
    assert (1, LONGEST) in [shape for _, shape in watched.calls]
    assert_like(bench.result(10).payload, wanted)


def test_a_gradient_pass_that_runs_out_keeps_the_forward_pass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add(10)
    bench.do(bench.job(10, analyses=["tokens"]))
    wanted = bench.result(10, "tokens").payload
    passes = counted_passes(monkeypatch)
    watched = Watched(monkeypatch, limit=100, gradient=True)
    assert committed(bench.do(bench.job(10, analyses=["tokens", "layers"], force=True))) == ["tokens", "layers"]
    sizes = watched.sizes(gradient=True)
    assert sizes[0] > 200 and max(sizes[-3:]) <= 100
    assert passes == [4096], "made once, before memory ran out"
    for found, expected in zip(bench.result(10, "tokens").payload["samples"], wanted["samples"], strict=True):
        values = [word["value"] for word in found["words"]]
        assert values == pytest.approx([word["value"] for word in expected["words"]], abs=1e-4)


@pytest.mark.parametrize("gradient", [False, True])
def test_the_advanced_suite_goes_on_with_smaller_batches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, gradient: bool
) -> None:
    names = ["neurons", "heads", "circuits"]
    bench.add(10)
    assert committed(bench.do(bench.job(10, analyses=names))) == names
    wanted = {name: bench.store.tensors(bench.result(10, name)) for name in names}
    limit = (12 if gradient else 6) * LONGEST  # differentiated: one pair, six rows each
    watched = Watched(monkeypatch, limit=limit, gradient=gradient)
    assert committed(bench.do(bench.job(10, analyses=names, force=True))) == names
    assert max(watched.sizes(gradient)) > limit
    for name, effect in (("neurons", "effect"), ("heads", "effect"), ("circuits", "scores")):
        found = bench.store.tensors(bench.result(10, name))[effect]
        np.testing.assert_allclose(found, wanted[name][effect], atol=1e-5, err_msg=name)


def test_the_cpu_is_the_last_device_and_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A "GPU" too small for any prompt; the CPU starts with a whole batch again."""
    bench.add(10)
    bench.analyst.warm.device = "cuda:0"
    watched = Watched(monkeypatch, limit=1)
    passes = counted_passes(monkeypatch)
    real = watched._embedded

    def only_on_the_gpu(*args: Any) -> None:
        watched.limit = 1 if watched.device == "cuda:0" else None
        real(*args)

    monkeypatch.setattr(watched, "_embedded", only_on_the_gpu)
    assert committed(bench.do(bench.job(10, analyses=PLAIN))) == PLAIN
    assert passes == [4096]
    record = bench.result(10)
    assert "Memory ran out on cuda:0, so this was computed on the CPU." in record.warnings


def test_memory_that_never_suffices_is_explained(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    sizes: list[int] = []

    def hook(context: Any) -> None:
        sizes.append(context.batch_tokens)
        raise MemoryError

    patch(monkeypatch, "layers", hook)
    events = bench.do(bench.job(10, batch_divisor=32, analyses=["layers", "progress"]))
    (failed,) = [event for event in events if event.kind == "failed"]
    assert (failed.analysis, failed.failure) == ("layers", Failure.MEMORY)
    assert f"even for one prompt at a time of up to {LONGEST} tokens: give " in failed.cause
    assert sizes == [128, 64, 32, 16, LONGEST]
    assert committed(events) == ["progress"]


def test_frozen_layers_are_computed_once_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`add` trains layer 1 and the head; the declared boundary is known at the first checkpoint."""
    watched = Watched(monkeypatch)
    record = RunRecord(judge=JudgeRecord(max_length=32), frozen_layers=1)
    computed = []
    for step in (10, 20, 30):
        bench.add(step)
        watched.layers.clear()
        assert committed(bench.do(bench.job(step, analyses=PLAIN, record=record))) == PLAIN
        computed.append([watched.layers.count(index) for index in (0, 1)])
    assert computed == [[1, 1], [1, 2], [1, 2]], "later only the prompt that is checked goes through layer 0"
    found = bench.result(30).payload
    fresh = Bench(bench.run, bench.template, WorkerOptions(overrides=FAST))
    assert committed(fresh.do(fresh.job(30, analyses=PLAIN, record=record, force=True))) == PLAIN
    assert_like(found | {"notes": []}, bench.result(30).payload)
    (note,) = found["notes"]
    assert note.startswith("Layers below 1 have the same bytes as at an earlier checkpoint, so their activations ")
    assert bench.result(30).payload["notes"] == []


def loads(monkeypatch: pytest.MonkeyPatch, after: Any = None) -> list[set[str]]:
    """Tensors that each load was told of and the warm judge did not hold; `after` runs before the load returns."""
    found: list[set[str]] = []
    real = warm_judge.load_judge

    def load(directory: Path, *args: Any, warm: Judge | None, tensors: dict[str, str], **more: Any) -> Judge:
        held = {} if warm is None else dict(warm.held)
        found.append({name for name, digest in tensors.items() if held.get(name) != digest})
        judge = real(directory, *args, warm=warm, tensors=tensors, **more)
        if after is not None:
            after(directory)
        return judge

    monkeypatch.setattr(warm_judge, "load_judge", load)
    return found


def test_the_next_checkpoint_loads_what_trained(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = loads(monkeypatch)
    everything = set(load_file(bench.template / "model.safetensors"))
    trained = {name for name in everything if "layer.1." in name or name.startswith("classifier")}
    for step, wanted in ((10, everything), (20, trained), (10, trained)):
        if not (bench.run / f"checkpoint-{step}").exists():
            bench.add(step)
        assert committed(bench.do(bench.job(step, force=True))) == ["layers"]
        assert read.pop() == wanted


def test_a_judge_of_files_that_changed_is_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold other bytes than were digested."""
    bench.add(10)
    loads(monkeypatch, after=lambda directory: (directory / "config.json").touch())
    assert bench.failure(bench.job(10)).failure == Failure.CHANGED
    assert bench.analyst.warm.judge is None


def test_layers_that_an_adapter_leaves_alone_are_known_by_their_bytes(tmp_path: Path) -> None:
    first = adapter(tmp_path, "llama")
    bench = Bench(describe(first.parent), first, WorkerOptions(overrides=FAST))
    trained_on(first, 20, "layers.1.", "score")
    for step in (10, 20):
        assert committed(bench.do(bench.job(step, analyses=PLAIN))) == PLAIN
    one, two = bench.result(10).payload, bench.result(20).payload
    assert (one["frozen_from"], two["frozen_from"]) == ("unknown", "bytes")
    assert (two["frozen_boundary"], two["embeddings_frozen"]) == (1, True)


def test_prefixes_give_way_when_the_cpu_runs_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    record = RunRecord(judge=JudgeRecord(max_length=32), frozen_layers=1)
    bench.add(10)
    bench.do(bench.job(10, record=record))
    assert bench.analyst.warm.prefixes.nbytes > 0
    bench.add(20)
    Watched(monkeypatch, limit=40)
    assert committed(bench.do(bench.job(20, record=record))) == ["layers"]
    assert bench.analyst.warm.prefixes.nbytes == 0


def test_a_pass_holds_for_all_analyses_of_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(10)
    passes = counted_passes(monkeypatch)
    bench.do(bench.job(10, analyses=["tokens", *BASIC]))
    assert passes == [4096]

"""Bad input to the advanced suite, through a whole job: each ends in a recorded, explained result or failure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForSequenceClassification

import analyzer.worker.computing as computing
from analyzer.analyses import Analysis
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from analyzer.model import anatomy
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.files import write_record
from shared.prompts.probes import write_probes
from shared.records import JudgeRecord, Probe, RunRecord
from shared.results import ResultRecord, ResultStore
from shared.views import suite_views
from tests.making.forms import short_and_long
from tests.making.judges import probe, random_probes
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

ADVANCED = ("neurons", "heads", "circuits")
UNITS = {"steps": 2, "prompts": 24}
FAST = {
    "tokens": {"extra_prompts": 2, "random_rankings": 1},
    "comparison": {"bootstraps": 100, "shuffles": 20},
    "neurons": {**UNITS, "top": 3, "decoys": 2, "controls": 2, "shuffles": 2},
    "heads": {**UNITS, "top": 2, "controls": 2},
    "circuits": {**UNITS, "curve_prompts": 24, "checked": 3},
}


class Bench:
    """One run with one checkpoint, and one analyst."""

    def __init__(self, folder: Path, family: str = "bert") -> None:
        self.run = folder / "run"
        self.checkpoint = save_tiny_judge(self.run / "checkpoint-10", family, initializer_range=0.3)
        state = {"global_step": 10, "epoch": 1.0, "log_history": []}
        (self.checkpoint / "trainer_state.json").write_text(json.dumps(state))
        self.record = RunRecord(judge=JudgeRecord(max_length=32))
        write_record(self.run / "run.json", self.record)
        self.analyst = Analyst(WarmJudge("cpu"), computations(WorkerOptions(overrides=FAST)), 4096)
        self.store = ResultStore(self.run / "_midwatch" / "results")

    def do(self, probes: list[Probe], names: tuple[str, ...] = ADVANCED) -> dict[str, Event]:
        """Analysis -> how it ended: "committed" or "failed"; "" for the whole job. Nothing ends twice."""
        write_probes(self.run / "probes.jsonl", probes)
        job = Job(
            id="job",
            run=self.run,
            out=self.run,
            checkpoint=self.checkpoint.name,
            step=10,
            epoch=1.0,
            directory=self.checkpoint,
            source=self.checkpoint,
            files=list(fingerprint(self.checkpoint)),
            pinned=False,
            record=self.record,
            probes=self.run / "probes.jsonl",
            analyses=list(names),
        )
        events: list[Event] = []
        self.analyst.carry_out(job, events.append)
        assert (events[0].kind, events[-1].kind) == ("started", "finished")
        ended = [event for event in events if event.kind in ("committed", "failed")]
        assert len({event.analysis for event in ended}) == len(ended)
        return {event.analysis: event for event in ended}

    def result(self, name: str) -> ResultRecord:
        record = self.store.newest("checkpoint-10", name)
        assert record is not None
        return record

    def change(self, edit: Callable[[dict[str, np.ndarray]], None]) -> None:
        weights = load_file(self.checkpoint / "model.safetensors")
        edit(weights)
        save_file(weights, self.checkpoint / "model.safetensors", {"format": "pt"})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def all_committed(ended: dict[str, Event]) -> bool:
    return {name: event.kind for name, event in ended.items()} == dict.fromkeys(ADVANCED, "committed")


def test_a_family_without_known_parts_cannot_be_opened(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no parts is still computed."""
    monkeypatch.setattr(anatomy, "FAMILIES", {})
    ended = bench.do(random_probes(12, pairs=10), (*ADVANCED, "comparison"))
    for name in ADVANCED:
        assert ended[name].failure == Failure.CANNOT
        assert "Heads and neurons of the model family 'bert' are not known" in ended[name].cause
        assert bench.store.newest("checkpoint-10", name) is None
    assert ended["comparison"].kind == "committed"


@pytest.mark.parametrize("label", ["safe", "unsafe", "none"])
def test_a_class_is_absent(bench: Bench, label: str) -> None:
    """The whole job says so, before a judge is loaded; each analysis alone does too (`analyses/test_units.py`)."""
    (failed,) = bench.do([each for each in random_probes(12) if each.label == label]).values()
    assert failed.failure == Failure.REJECTED and failed.analysis == ""
    missing = "unsafe" if label == "safe" else "safe"
    assert f"has 0 {missing} prompts; it needs at least 2 safe and as many unsafe ones" in failed.cause


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_no_contrast_pairs_falls_back_to_the_mean(tmp_path: Path, family: str) -> None:
    bench = Bench(tmp_path, family)
    assert all_committed(bench.do(random_probes(12, pairs=0)))
    for name in ADVANCED:
        payload = bench.result(name).payload
        assert payload["reference"] == "mean" and payload["n_pairs"] == 0
        assert any("Only 0 contrast pairs align" in note for note in payload["notes"])
    assert bench.result("circuits").payload["explained"]["unit"] == "prompts"


def test_neurons_that_are_constant(bench: Bench) -> None:
    """Seven neurons see nothing: not tested, never significant, never strong."""

    def silence(weights: dict[str, np.ndarray]) -> None:
        weights["bert.encoder.layer.0.intermediate.dense.weight"][:7] = 0

    bench.change(silence)
    assert all_committed(bench.do(random_probes(12, pairs=10)))
    record = bench.result("neurons")
    assert record.payload["constant"] == 7
    tensors = bench.store.tensors(record)
    assert not tensors["significant"][0, :7].any() and not tensors["effect"][0, :7].any()
    assert (tensors["auroc"][0, :7] == 0.5).all() and (tensors["q"][0, :7] == 1).all()


def test_a_judge_that_says_the_same_to_everything(bench: Bench) -> None:
    """Ties everywhere: a head that reads nothing. Nothing to keep, and that is said; no number stands for it."""

    def mute(weights: dict[str, np.ndarray]) -> None:
        weights["classifier.weight"][1] = weights["classifier.weight"][0]

    bench.change(mute)
    assert all_committed(bench.do(random_probes(12, pairs=10)))
    circuits = bench.result("circuits")
    assert circuits.payload["curve"] == [] and circuits.payload["smallest"] is None
    assert circuits.payload["cpr"] is None and "circuit_cpr" not in circuits.summary
    assert circuits.payload["explained"]["size"]["value"] == 0 and circuits.payload["edges"] == []
    for name in ("neurons", "heads"):
        payload = bench.result(name).payload
        assert payload["top"] == [] and payload["agreement"] is None and payload["random_drops"] == []
        assert payload[{"neurons": "curve", "heads": "joint"}[name]] is None
        assert payload["explained"]["size"]["value"] == 0


def test_prompts_that_the_judge_cannot_tell_apart(bench: Bench) -> None:
    """Other texts, the same tokens: every reading is tied, and no p-value is made of ties."""
    ended = bench.do([probe(f"zz{i}", "unsafe" if i % 2 else "safe") for i in range(40)])
    assert all_committed(ended)
    neurons = bench.result("neurons").payload
    assert neurons["tested"] == 0 and neurons["constant"] == 128 and neurons["significant"] == 0
    assert neurons["top"] == [] and neurons["curve"] is None
    circuits = bench.result("circuits").payload
    assert circuits["curve"] == [] and circuits["explained"]["size"]["value"] == 0


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_prompts_longer_than_the_model_reads(tmp_path: Path, family: str) -> None:
    """The record asks for more tokens than the model has positions: cut there, and said."""
    bench = Bench(tmp_path, family)
    bench.record = RunRecord(judge=JudgeRecord(max_length=4000))
    long = [
        probe("how to bake a cake " * 100, "safe", id="long0", pair="long"),
        probe("how to bake a bomb " * 100, "unsafe", id="long1", pair="long"),
    ]
    assert all_committed(bench.do([*random_probes(12, pairs=10), *long]))
    assert any(
        "2 prompts are longer than the judge reads" in note for note in bench.result("neurons").payload["notes"]
    )


@pytest.mark.parametrize("pairs", [0, 10])
def test_what_becomes_infinite_in_one_layer_is_named(bench: Bench, pairs: int) -> None:
    """Sound weights whose activations overflow in layer 1 only."""

    def inflate(weights: dict[str, np.ndarray]) -> None:
        weights["bert.encoder.layer.1.intermediate.dense.weight"] *= np.float32(1e30)
        weights["bert.encoder.layer.1.output.dense.weight"] *= np.float32(1e30)

    bench.change(inflate)
    ended = bench.do(random_probes(12, pairs=pairs))
    assert all(event.kind == "failed" for event in ended.values()) and ended
    for event in ended.values():
        assert event.failure == Failure.REJECTED
        assert "not finite" in event.cause and "layer 1" in event.cause


def test_weights_that_are_not_numbers(bench: Bench) -> None:
    def poison(weights: dict[str, np.ndarray]) -> None:
        weights["bert.encoder.layer.1.output.dense.weight"][0, 0] = np.nan

    bench.change(poison)
    (failed,) = bench.do(random_probes(12, pairs=10)).values()
    assert failed.failure == Failure.REJECTED and "NaN" in failed.cause


def test_gradients_that_are_not_finite_are_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores are sound and the way back is not: as a kernel that divides by zero backwards."""
    real = WarmJudge.load

    def load(self: WarmJudge, job: Job, device: str) -> Any:
        judge = real(self, job, device)
        out = judge.model.get_submodule("bert.encoder.layer.1.output.dense")

        def hook(_module: object, _args: object, output: torch.Tensor) -> None:
            if output.requires_grad:
                output.register_hook(lambda gradient: gradient / 0)

        out.register_forward_hook(hook)
        return judge

    monkeypatch.setattr(WarmJudge, "load", load)
    for event in bench.do(random_probes(12, pairs=10)).values():
        assert event.failure == Failure.CANNOT
        assert "gradients in layer" in event.cause and "not finite" in event.cause


def test_an_adapter_whose_base_is_missing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "llama")
    base = bench.checkpoint.rename(tmp_path / "base")
    model = AutoModelForSequenceClassification.from_pretrained(base)
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="SEQ_CLS"))
    wrapped.save_pretrained(str(bench.checkpoint))
    tiny_tokenizer("llama").save_pretrained(bench.checkpoint)
    (base / "trainer_state.json").rename(bench.checkpoint / "trainer_state.json")
    shutil.rmtree(base)
    (failed,) = bench.do(random_probes(12, pairs=10)).values()
    assert failed.failure == Failure.REJECTED and "base" in failed.cause and "\n" not in failed.cause


@pytest.mark.parametrize("name", short_and_long(ADVANCED))
def test_too_little_memory_for_one_prompt(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The other analyses are done; what memory it would take is said, after ever smaller batches."""
    real, sizes = computing.get, []

    def get(wanted: str) -> Analysis:
        found = real(wanted)
        if wanted != name:
            return found

        def compute(context: Any, settings: Any) -> Any:
            sizes.append(context.batch_tokens)
            torch.empty(10**15)  # the allocator's own words

        return Analysis(found.name, found.version, found.settings, compute)

    monkeypatch.setattr(computing, "get", get)
    ended = bench.do(random_probes(12, pairs=10))
    assert ended[name].failure == Failure.MEMORY
    assert "Too little memory even for one prompt at a time" in ended[name].cause
    assert sizes[0] == 4096 and sizes == sorted(sizes, reverse=True) and sizes[-1] <= 32
    assert {other for other, event in ended.items() if event.kind == "committed"} == set(ADVANCED) - {name}


def test_every_advanced_analysis_is_tried() -> None:
    """A new one has to be added here."""
    known = {*ADVANCED, "tokens", "layers", "comparison", "progress", "calibration", "evolution"}
    assert {view.name for view in suite_views("advanced")} <= known

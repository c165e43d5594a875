"""Runs that no Hugging Face Trainer wrote: found, analysed in their order, or refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analyzer.supervisor.plan import Plan
from shared.checkpoint_names import parse_pattern
from shared.errors import MidwatchError, RunError, UsageError
from shared.files import read_record
from shared.records import CheckpointState, Status
from shared.results import ResultStore
from tests.making.layouts import in_hub_cache, own_loop
from tests.making.runs import add_checkpoint, describe, make_old, snapshot
from tests.making.stage import Stage

ONCE = Plan(once=True)


def staged(target: Path, template: Path, plan: Plan = ONCE, out: Path | None = None, steps: int = 12) -> Stage:
    stage = Stage(target, template, plan, out=out)
    stage.steps(steps)
    return stage


def rows(stage: Stage) -> dict[str, str]:
    return {row.checkpoint: row.state.value for row in stage.status.checkpoints}


def test_an_own_loop(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["epoch_0", "epoch_1", "epoch_10", "epoch_9", "final"], template)
    before = {path.name: snapshot(path) for path in run.glob("e*")}
    stage = staged(run, template, steps=24)
    assert list(rows(stage)) == ["epoch_0", "epoch_1", "epoch_9", "epoch_10", "final"]
    assert set(rows(stage).values()) == {"done"}
    records = ResultStore(run / "_midwatch" / "results").history("tokens")
    assert [(r.checkpoint, r.step, r.epoch, r.label) for r in records] == [
        ("epoch_0", 0, 0.0, "epoch 0"),
        ("epoch_1", 1, 1.0, "epoch 1"),
        ("epoch_9", 9, 9.0, "epoch 9"),
        ("epoch_10", 10, 10.0, "epoch 10"),
        ("final", 11, None, "final"),
    ]
    assert all(record.order_unverified for record in records)
    assert {path.name: snapshot(path) for path in run.glob("e*")} == before


def test_a_fresh_one_waits_for_its_quiet_time(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["checkpoint-114"], template, age_s=0)
    for file in (run / "checkpoint-114").iterdir():
        file.touch()
    stage = staged(run, template, steps=10)
    assert rows(stage) == {"checkpoint-114": "incomplete"}
    assert "is given 120 s of quiet" in stage.cause(114)
    assert not stage.supervisor.nothing_left, "--once waits for it"
    stage.steps(40)
    assert rows(stage) == {"checkpoint-114": "done"}


def test_one_model(tmp_path: Path, template: Path) -> None:
    run = describe(own_loop(tmp_path, ["judge"], template) / "judge")
    stage = staged(run, template)
    assert rows(stage) == {"root-model": "done"}
    assert stage.engine.jobs[0].source == run


def test_a_model_beside_checkpoints_comes_last(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["merged"], template)
    add_checkpoint(run, 10, template, 1.0, announced=False)
    for file in template.iterdir():
        shutil.copy2(file, run / file.name)
    stage = staged(run, template, steps=60)
    assert list(rows(stage)) == ["checkpoint-10", "merged", "root-model"]
    assert set(rows(stage).values()) == {"done"}


def test_a_model_in_the_hubs_cache(tmp_path: Path, template: Path) -> None:
    path = in_hub_cache(tmp_path / "hub", template)
    before = snapshot(tmp_path / "hub")
    out = describe(tmp_path / "out")
    stage = staged(path, template, out=out)
    assert rows(stage) == {"root-model": "done"}
    assert snapshot(tmp_path / "hub") == before
    with pytest.raises(UsageError, match="--out"):
        staged(path, template)
    watching = staged(path, template, Plan(), out=out)
    assert rows(watching) == {"root-model": "done"}


def test_links_in_a_run_are_refused_for_good(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["checkpoint-10", "checkpoint-20"], template)
    weights = run / "checkpoint-10" / "model.safetensors"
    weights.rename(tmp_path / "elsewhere.safetensors")
    weights.symlink_to(tmp_path / "elsewhere.safetensors")
    stage = staged(run, template)
    assert rows(stage) == {"checkpoint-10": "rejected", "checkpoint-20": "done"}
    assert "checkpoint-10/model.safetensors is a symbolic link" in stage.cause(10)


def test_shards_name_the_command_that_merges_them(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["checkpoint-10"], template)
    shards = run / "checkpoint-20" / "pytorch_model_fsdp_0"
    shards.mkdir(parents=True)
    (shards / "__0_0.distcp").touch()
    (shards.parent / "trainer_state.json").write_text(json.dumps({"global_step": 20}))
    stage = staged(run, template)
    assert rows(stage) == {"checkpoint-10": "done", "checkpoint-20": "rejected"}
    assert "accelerate merge-weights" in stage.cause(20)


def test_two_models_in_one_directory(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["checkpoint-10"], template)
    for name, content in (("adapter_config.json", "{}"), ("adapter_model.safetensors", "x")):
        (run / "checkpoint-10" / name).write_text(content)
    stage = staged(run, template, steps=60)
    assert rows(stage) == {"checkpoint-10": "rejected"}
    assert "both a whole model and an adapter" in stage.cause(10)


def test_a_pattern(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["model-s20", "model-s100", "epoch_3"], template)
    stage = staged(run, template, Plan(once=True, pattern=parse_pattern("model-*")))
    assert list(rows(stage)) == ["model-s20", "model-s100"]
    nothing = Stage(run, template, Plan(once=True, pattern=parse_pattern("weights-*")))
    nothing.supervisor.close()
    stage.supervisor.close()
    nothing.steps(3)
    with pytest.raises(RunError, match=r"fits --pattern 'weights-\*'; there are epoch_3, model-s100, model-s20"):
        assert nothing.supervisor.nothing_left


def test_a_ready_marker(tmp_path: Path, template: Path) -> None:
    run = own_loop(describe(tmp_path / "run"), ["step_10"], template, age_s=0)
    stage = staged(run, template, Plan(ready_marker="DONE"), steps=60)
    assert rows(stage) == {"step_10": "incomplete"}
    assert "has no DONE yet" in stage.cause(10)
    (run / "step_10" / "DONE").touch()
    stage.steps(3)
    assert rows(stage) == {"step_10": "done"}
    assert not ResultStore(run / "_midwatch" / "results").history("tokens")[0].order_unverified


def test_a_folder_of_models_is_a_folder_of_runs(tmp_path: Path, template: Path) -> None:
    own_loop(tmp_path / "models", ["a", "deep/b"], template)
    for name in ("a", "deep/b"):
        describe(tmp_path / "models" / name)
    out = tmp_path / "out"
    stage = staged(tmp_path / "models", template, Plan(once=True), out=out)
    assert {job.source.name for job in stage.engine.jobs} == {"a", "b"}
    for name in ("a", "deep/b"):
        status = read_record(out / name / "_midwatch" / "status.json", Status)
        assert [row.state for row in status.checkpoints] == [CheckpointState.DONE], name
    assert stage.supervisor.nothing_left


def test_once_over_a_folder_goes_on_past_what_cannot_be_done(tmp_path: Path, template: Path) -> None:
    """One run lacks its probes, which stops no other, and is named at the end."""
    good = own_loop(describe(tmp_path / "runs" / "good"), ["checkpoint-10"], template)
    own_loop(tmp_path / "runs" / "bare", ["checkpoint-10"], template)
    own_loop(tmp_path / "runs" / "bare too", ["checkpoint-10"], template)
    stage = staged(tmp_path / "runs", template, steps=20)
    assert stage.supervisor.nothing_left
    assert read_record(good / "_midwatch" / "status.json", Status).checkpoints[0].state == CheckpointState.DONE


def test_once_names_every_run_where_none_can_be_done(tmp_path: Path, template: Path) -> None:
    for name in ("one", "two", "three"):
        run = own_loop(tmp_path / "runs" / name, ["checkpoint-10"], template)
        config = json.loads((template / "config.json").read_text()) | {"architectures": ["BertForCausalLM"]}
        (run / "checkpoint-10" / "config.json").write_text(json.dumps(config))
        make_old(run / "checkpoint-10")
    stage = staged(tmp_path / "runs", template)
    with pytest.raises(UsageError) as caught:
        assert stage.supervisor.nothing_left
    assert all(f"{tmp_path}/runs/{name}" in str(caught.value) for name in ("one", "two", "three"))
    assert isinstance(caught.value, MidwatchError)


def test_accelerates_own_state_says_what_is_missing(tmp_path: Path, template: Path) -> None:
    """`accelerator.save_state` writes weights without a config; its random numbers are not the judge's."""
    run = own_loop(describe(tmp_path / "run"), ["step_10"], template)
    (run / "step_20").mkdir()
    shutil.copy2(template / "model.safetensors", run / "step_20")
    for name in ("random_states_0.pkl", "optimizer.bin", "scheduler.bin", "sampler.bin"):
        (run / "step_20" / name).touch()
    stage = staged(run, template, steps=60)
    assert rows(stage) == {"step_10": "done", "step_20": "rejected"}
    assert "has no config.json; save it with save_pretrained" in stage.cause(20)
    watched = next(iter(stage.supervisor.runs.values()))
    files = next(row.candidate.files for row in watched.rows if row.candidate and row.point.step == 20)
    assert "random_states_0.pkl" not in {file.name for file in files}

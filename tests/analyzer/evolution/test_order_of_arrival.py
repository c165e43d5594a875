"""Comparisons of checkpoints, whatever the order of arrival: always complete, always the same, and final."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from analyzer.analyses import Outcome
from shared.files import write_record
from shared.records import JudgeRecord, RunRecord
from tests.making import evolving, runs
from tests.making.evolving import ADVANCED, BASIC, Evolving, Loads, make_up
from tests.making.forms import short_and_long
from tests.making.runs import judge_template

STEPS = list(range(10, 140, 10))
"""13 checkpoints: the last ones see further back than the window."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


def describe(run: Path) -> Path:
    """A run that says which layers are frozen: from bytes that is not known of the first checkpoint analysed."""
    runs.describe(run)
    write_record(run / "run.json", RunRecord(judge=JudgeRecord(max_length=32), frozen_layers=1))
    return run


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up(monkeypatch)


@pytest.fixture
def run(tmp_path: Path, template: Path) -> Evolving:
    return Evolving.at(describe(tmp_path / "run"), template)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Evolving:
    """Each checkpoint arrives when the one before it is done."""
    with pytest.MonkeyPatch.context() as patch:
        make_up(patch)
        run = Evolving.at(describe(tmp_path_factory.mktemp("in-order") / "run"), template, ADVANCED)
        for step in STEPS:
            run.stage.add(step)
            run.settle()
        return run


def test_in_order_nothing_is_done_twice(in_order: Evolving) -> None:
    assert [job.step for job in in_order.jobs] == STEPS
    assert [in_order.previous(step) for step in STEPS] == [None, *STEPS[:-1]]
    assert [in_order.result(step).seen for step in STEPS] == [*range(11), 11, 11]
    assert {found.step for step in STEPS[1:] if (found := in_order.result(step).first)} == {10}


@pytest.mark.parametrize("seed", short_and_long(range(3)))
def test_any_order_ends_the_same(tmp_path: Path, template: Path, in_order: Evolving, seed: int) -> None:
    """Arrivals are shuffled, and the supervisor gets some way between them."""
    pick = random.Random(seed)
    run = Evolving.at(describe(tmp_path / "run"), template, ADVANCED, policy=pick.choice(["newest", "all"]))
    for step in pick.sample(STEPS, len(STEPS)):
        run.stage.add(step)
        run.stage.steps(pick.randint(0, 6))
    run.settle()
    assert set(run.stage.states.values()) == {"done"}
    assert run.everything() == in_order.everything()


def test_backfill_compares_each_twice_at_most(run: Evolving) -> None:
    """Everything is there at once, and the newest comes first: comparisons wait until the rest is done."""
    for step in STEPS:
        run.stage.add(step)
    run.settle()
    newest_first = STEPS[::-1]
    assert [job.step for job in run.jobs] == newest_first + STEPS[1:]
    assert [run.previous(step) for step in STEPS] == [None, *STEPS[:-1]]
    for step in STEPS:
        assert len(run.store.keys(f"checkpoint-{step}", "evolution")) == 1, "what knew less is gone"


def test_the_frozen_check_is_made_for_the_newest_too(run: Evolving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest is analysed first, with nothing before it, and shows what is wrong below the boundary."""
    made = evolving.MAKERS["layers"]

    def layers(step: int) -> Outcome:
        outcome = made(step)
        outcome.tensors["residual_norms"][:, :2] *= 1.001 if step == 30 else 1 + 1e-6 * step
        return outcome

    monkeypatch.setitem(evolving.MAKERS, "layers", layers)
    run.stage.add(30)
    run.settle()
    assert run.result(30).frozen_check == "not_possible"
    for step in (10, 20):
        run.stage.add(step)
    run.settle()
    assert [run.result(step).frozen_check for step in (10, 20, 30)] == ["not_possible", "pass", "fail"]
    assert [run.result(step).frozen_boundary for step in (20, 30)] == [1, 1]
    assert run.result(30).frozen_check_detail == (
        "The embeddings and 1 layer above them have the same bytes as at checkpoint-10, but norms there differ by "
        "up to 0.1 %: they were not computed alike."
    )


def test_comparing_again_needs_no_model(run: Evolving, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch)
    for step in (10, 20, 30):
        run.stage.add(step)
    run.settle()
    assert loads.names == ["checkpoint-30", "checkpoint-20", "checkpoint-10"]
    assert run.result(30).cka_to_previous is not None
    assert run.record(30).judge["family"] == "bert"


def test_another_previous_circuit_needs_it(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Evolving.at(describe(tmp_path / "run"), template, ADVANCED)
    loads = Loads(monkeypatch)
    for step in (10, 30, 40):
        run.stage.add(step)
        run.settle()
    assert loads.names == ["checkpoint-10", "checkpoint-30", "checkpoint-40"]
    before = run.result(40).transfer
    run.stage.add(20)
    run.settle()
    assert loads.names[3:] == ["checkpoint-20", "checkpoint-30"], "only 30 has another checkpoint before it"
    assert run.previous(30) == 20
    assert run.result(40).transfer == before
    assert run.result(40).seen == 3


def test_what_is_gone_is_still_compared_with(run: Evolving) -> None:
    run.stage.add(10)
    run.settle()
    shutil.rmtree(run.stage.target / "checkpoint-10")
    run.stage.add(20)
    run.settle()
    result = run.result(20)
    assert run.previous(20) == 10
    assert result.cka_to_previous is not None and result.drift_to_previous is not None
    assert not result.notes[1:], "the note about the embeddings is the only one"


def test_what_is_gone_is_not_compared_again(run: Evolving) -> None:
    run.stage.add(20)
    run.settle()
    shutil.rmtree(run.stage.target / "checkpoint-20")
    run.stage.add(10)
    run.settle()
    assert run.previous(20) is None
    assert run.stage.states == {10: "done", 20: "done"}


def test_an_overwritten_checkpoint_is_another_ancestor(run: Evolving) -> None:
    for step in (10, 20):
        run.stage.add(step)
        run.settle()
    before = run.result(20)
    shutil.rmtree(run.stage.target / "checkpoint-10")
    run.stage.add(10, shift=0.7)
    run.settle()
    after = run.result(20)
    assert after.cka_to_previous != before.cka_to_previous
    assert after.seen == 1
    assert len(run.store.keys("checkpoint-20", "evolution")) == 1


def test_other_probes_are_another_history(run: Evolving) -> None:
    from shared.prompts.probes import write_probes
    from tests.making.runs import probes

    for step in (10, 20):
        run.stage.add(step)
        run.settle()
    write_probes(run.stage.target / "probes.jsonl", probes()[:-1])
    selected = run.again(selected=frozenset({"checkpoint-20"}))
    selected.settle()
    assert selected.previous(20) is None, "10 was never analysed on these probes"
    assert selected.result(20).n_cka == 11
    rest = selected.again()
    rest.settle()
    assert rest.previous(20) == 10
    write_probes(run.stage.target / "probes.jsonl", probes())
    back = rest.again()
    back.settle()
    assert {job.step for job in back.jobs} <= {10, 20}, "drawn again, no more"
    assert (
        len(back.store.keys("checkpoint-20", "tokens")) == len(back.store.keys("checkpoint-20", "evolution")) == 2
    )


def test_other_settings_are_not_compared(run: Evolving) -> None:
    """A result computed with other settings is no ancestor; results of the old settings stay."""
    run.stage.add(10)
    run.settle()
    other = run.again()
    engine = other.stage.engine
    changed = engine.computations["tokens"].model_copy(update={"settings": {"x": 1}})
    engine.computations["tokens"] = changed
    engine.behaviour.analyst.computations = engine.computations  # type: ignore[attr-defined]
    other.stage.add(20)
    other.settle()
    keys = other.store.keys("checkpoint-10", "tokens")
    assert len(keys) == 2
    assert other.previous(20) == 10
    lineage = other.record(20).settings["lineage"]["earlier"][0]
    assert lineage["keys"]["tokens"] == keys[0]
    assert len(other.store.keys("checkpoint-10", "evolution")) == 2, "made from other results: not superseded"


def damage(run: Evolving, step: int, analysis: str, file: str) -> None:
    (path,) = (run.store.root / f"checkpoint-{step}" / analysis).glob(f"*/{file}")
    path.write_bytes(b"{")


@pytest.mark.parametrize("file", ["tensors.safetensors", "result.json"])
def test_an_unreadable_result_is_a_note(run: Evolving, file: str) -> None:
    run.stage.add(10)
    run.settle()
    damage(run, 10, "tokens", file)
    damage(run, 10, "progress", "tensors.safetensors")
    run.stage.add(20)
    run.settle()
    assert run.stage.states == {10: "done", 20: "done"}
    result = run.result(20)
    assert run.previous(20) == 10
    assert result.cka_to_previous is not None
    assert (result.drift_to_previous is None) == (file == "tensors.safetensors")
    assert any("progress result of checkpoint-10 cannot be read" in note for note in result.notes)
    tokens = [note for note in result.notes if "tokens result of checkpoint-10 cannot be read" in note]
    assert len(tokens) == (file == "tensors.safetensors")


def test_an_unreadable_comparison_of_its_own_kind(run: Evolving) -> None:
    for step in (10, 30):
        run.stage.add(step)
        run.settle()
    damage(run, 30, "evolution", "tensors.safetensors")
    run.stage.add(20)
    run.settle()
    assert run.previous(30) == 20
    assert run.result(30).cka_to_previous is not None, "the model told again what could not be read"


def test_a_run_from_before_there_were_comparisons(run: Evolving) -> None:
    old = run.again(only=BASIC)
    for step in (10, 20, 30):
        old.stage.add(step)
    old.settle()
    before = {path: path.stat().st_mtime_ns for path in old.stage.results()}
    assert len(before) == 3 * len(BASIC)
    new = old.again(policy="all", once=True, selected=frozenset({"checkpoint-20", "checkpoint-30"}))
    new.settle()
    assert [job.step for job in new.jobs] == [20, 30]
    assert new.stage.supervisor.nothing_left
    after = {path: path.stat().st_mtime_ns for path in old.stage.results()}
    assert before.items() <= after.items()
    assert len(after) == 3 * len(BASIC) + 2
    result = new.result(20)
    assert new.previous(20) == 10
    assert result.drift_to_previous is not None
    assert result.cka_to_previous is None
    assert "The representations of checkpoint-10 were not kept: CKA with it is left out." in result.notes


def test_only_the_comparison(run: Evolving) -> None:
    alone = run.again(only=("evolution",))
    for step in (10, 20):
        alone.stage.add(step)
    alone.settle()
    assert alone.previous(20) is None, "nothing was analysed that it could be compared with"
    whole = alone.again()
    whole.settle()
    assert whole.previous(20) == 10
    assert whole.result(20).cka_to_previous is not None


def test_force_makes_the_same_again(run: Evolving, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (10, 20, 30):
        run.stage.add(step)
        run.settle()
    before, created = run.everything(), run.record(20).created_at
    loads = Loads(monkeypatch)
    forced = run.again(policy="all", once=True, force=True, selected=frozenset({"checkpoint-20"}))
    forced.settle()
    assert [job.step for job in forced.jobs] == [20]
    assert loads.names == ["checkpoint-20"]
    assert forced.everything() == before
    assert forced.record(20).created_at > created
    rest = forced.again()
    rest.settle()
    assert rest.jobs == []


def test_what_a_kill_left_behind_is_not_shown(run: Evolving) -> None:
    """The worker was killed after a commit, before the older comparison was removed."""
    run.stage.add(20)
    run.settle()
    (old,) = (run.store.root / "checkpoint-20" / "evolution").iterdir()
    kept = shutil.copytree(old, run.stage.target / "kept")
    run.stage.add(10)
    run.settle()
    shutil.copytree(kept, old)
    assert len(run.store.keys("checkpoint-20", "evolution")) == 2
    after = run.again()
    after.settle()
    assert after.jobs == []
    assert after.previous(20) == 10, "the newest commit is shown"
    after.stage.add(15)
    after.settle()
    assert after.previous(20) == 15
    assert len(run.store.keys("checkpoint-20", "evolution")) == 1


def test_a_missing_analysis_here_or_there_is_no_failure(tmp_path: Path, template: Path) -> None:
    run = Evolving.at(describe(tmp_path / "run"), template, ADVANCED, only=(*BASIC, "evolution"))
    run.stage.add(10)
    run.settle()
    advanced = run.again()
    advanced.stage.add(20)
    chosen = advanced.again(selected=frozenset({"checkpoint-20"}))
    chosen.settle()
    result = chosen.result(20)
    assert (result.neurons_to_previous, result.edges_to_previous, result.transfer) == (None, None, None)
    assert any("No circuits result of checkpoint-10" in note for note in result.notes)
    assert chosen.stage.states == {10: "skipped", 20: "done"}


def test_a_second_look_reads_nothing(run: Evolving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of many hundred checkpoints is looked at every few seconds: only what changed is read."""
    import analyzer.jobs.result_index as result_index

    for step in (10, 20, 30):
        run.stage.add(step)
    run.settle()
    for folder in run.store.root.glob("*/*"):
        age(folder)
    after = run.again()
    read: list[Path] = []
    listed: list[str] = []
    monkeypatch.setattr(result_index, "read_without_payload", counted(read, result_index.read_without_payload))
    monkeypatch.setattr(type(run.store), "keys", counted(listed, type(run.store).keys))
    after.stage.steps(3)
    assert len(read) == 3 + 2, "one result of each, and the comparison of each that has a successor"
    seen = len(listed)
    after.stage.steps(5)
    assert len(read) == 3 + 2
    assert len(listed) == seen


def age(folder: Path) -> None:
    import os

    os.utime(folder, (1e9, 1e9))


def counted(into: list, function):
    def call(*arguments):
        into.append(arguments)
        return function(*arguments)

    return call

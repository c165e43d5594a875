"""What a comparison says, against numbers worked out by other means from what was made up."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import tests.making.evolving as evolving
from analyzer.analyses import Outcome, get
from analyzer.jobs.messages import WorkerOptions
from analyzer.model.loading import load_judge
from analyzer.session.probe_choice import spread
from analyzer.statistics.unusual_step import note_bar
from analyzer.worker.__main__ import computations
from shared.findings.alerts import StepAlert
from shared.findings.cka import cka
from shared.findings.evolution import EvolutionResult
from shared.prompts.probes import read_probes
from shared.records import JudgeRecord, Probe
from tests.making.evolving import ADVANCED, EDGES, HEADS, Evolving, MadeUp, make_up, offered
from tests.making.job_bench import FAST
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.runs import describe, judge_template

STEPS = list(range(10, 130, 10))
LEAP = {120: {"divergence_layer": 99.0}}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Evolving:
    """Twelve checkpoints; at 120 the divergence layer leaps far beyond where it was."""
    with pytest.MonkeyPatch.context() as patch:
        make_up(patch)

        def comparison(step: int) -> Outcome:
            return Outcome(MadeUp(step=step), evolving.comparison(step).summary | LEAP.get(step, {}))

        patch.setitem(evolving.MAKERS, "comparison", comparison)
        run = Evolving.at(describe(tmp_path_factory.mktemp("run") / "run"), template, ADVANCED, policy="all")
        for step in STEPS:
            run.stage.add(step)
        run.settle()
        return run


def test_the_first_one_is_short(run: Evolving) -> None:
    result = run.result(10)
    assert (result.previous, result.first, result.seen, result.drift, result.alerts) == (None, None, 0, [], [])
    assert (result.cka_to_previous, result.drift_to_first, result.neurons_to_first) == (None, None, None)
    assert (result.edges_to_previous, result.transfer, result.notes) == (None, None, [])
    assert (result.layers, result.n_cka) == (2, 12)
    assert (result.same, result.verdicts, result.change, result.shift) == ("nothing", None, None, None)
    assert result.frozen_check == "not_possible" and not result.claimable
    assert run.record(10).summary == {"alerts": 0.0}


def test_who_is_compared(run: Evolving) -> None:
    result = run.result(30)
    assert result.previous is not None and result.first is not None
    assert (result.previous.checkpoint, result.previous.step, result.previous.label) == (
        "checkpoint-20", 20, "epoch 2",
    )  # fmt: skip
    assert (result.first.checkpoint, result.first.label) == ("checkpoint-10", "epoch 1")


def probes_of(run: Evolving) -> list[Probe]:
    return read_probes(run.stage.target / "probes.jsonl").probes


def attributions(step: int) -> np.ndarray:
    return evolving.tokens(step).tensors["attributions"].reshape(6, 8)


@pytest.mark.parametrize(("step", "before"), [(20, 10), (70, 60)])
def test_attribution_drift(run: Evolving, step: int, before: int) -> None:
    result = run.result(step)
    expected = [
        spearmanr(a, b).statistic  # type: ignore[union-attr]
        for a, b in zip(attributions(step), attributions(before), strict=True)
    ]
    assert [row.to_previous for row in result.drift] == pytest.approx(expected)
    assert [(row.probe_id, row.label) for row in result.drift] == [(p.id, p.label) for p in probes_of(run)[:6]]
    first = [
        spearmanr(a, b).statistic  # type: ignore[union-attr]
        for a, b in zip(attributions(step), attributions(10), strict=True)
    ]
    assert [row.to_first for row in result.drift] == pytest.approx(first)
    interval = result.drift_to_previous
    assert interval is not None
    assert interval.value == pytest.approx(np.mean(expected))
    assert interval.low < interval.value < interval.high
    assert run.record(step).summary["drift_previous"] == pytest.approx(1 - np.mean(expected))
    assert run.record(step).summary["drift_first"] == pytest.approx(1 - np.mean(first))


def literal_cka(x: np.ndarray, y: np.ndarray) -> float:
    """From the U-statistic over distinct prompts."""

    def hsic(k: np.ndarray, other: np.ndarray) -> float:
        terms = [
            k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]) for i, j, q, r in permutations(range(8), 4)
        ]
        return float(np.mean(terms))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / (hsic(k, k) * hsic(m, m)) ** 0.5


def test_cka_on_real_judges(run: Evolving) -> None:
    """The last layer trains; layer 0 is frozen, and the CLS token at the embeddings is the same for all prompts."""
    result = run.result(40)
    assert result.cka_to_previous is not None and result.cka_to_first is not None
    assert result.cka_to_previous[:2] == [1.0, 1.0]
    assert result.cka_to_first[:2] == [1.0, 1.0]
    assert 0 < result.cka_to_previous[2] < 1
    assert "At the embeddings every prompt has the same pooled vector" in result.notes[-1]
    assert run.record(40).summary["cka_previous_last"] == result.cka_to_previous[2]
    few = probes_of(run)[:4] + probes_of(run)[-4:]
    pooled = [
        context(load_judge(run.stage.target / name, JudgeRecord(max_length=32)), few).forward.pooled.astype(float)
        for name in ("checkpoint-30", "checkpoint-40")
    ]
    grams = [run.store.tensors(run.record(step))["gram"] for step in (30, 40)]
    places = [*range(4), *range(8, 12)]
    found = cka(*(gram[2][np.ix_(places, places)] for gram in grams))
    assert found == pytest.approx(literal_cka(pooled[0][2], pooled[1][2]), abs=1e-5)


def test_the_divergence_layer(run: Evolving) -> None:
    """Made up: none at multiples of 3, else the step modulo 2."""
    assert (run.result(30).divergence_layer, run.result(40).divergence_previous) == (None, None)
    assert (run.result(40).divergence_layer, run.result(40).divergence_first) == (0, 0)


def carrying(step: int) -> dict[str, float]:
    effect = evolving.neurons(step).tensors["effect"]
    return {f"L{layer}.N{n}": float(v) for (layer, n), v in np.ndenumerate(effect) if v > 0.5}


def test_neurons(run: Evolving) -> None:
    now, before = carrying(50), carrying(40)
    change = run.result(50).neurons_to_previous
    assert change is not None
    assert (change.before, change.now, change.kept) == (len(before), len(now), len(now.keys() & before.keys()))
    assert change.born == sorted(now.keys() - before.keys(), key=lambda name: -now[name])
    assert change.lost == sorted(before.keys() - now.keys(), key=lambda name: -before[name])
    assert change.jaccard == pytest.approx(len(now.keys() & before.keys()) / len(now.keys() | before.keys()))
    assert run.record(50).summary["neurons_jaccard"] == change.jaccard
    first = run.result(50).neurons_to_first
    assert first is not None
    assert first.kept == len(now.keys() & carrying(10).keys())


def test_neurons_for_good(run: Evolving) -> None:
    """Over all steps, so that at least one is established and one vanishes."""
    established, vanished = 0, 0
    for place, step in enumerate(STEPS):
        sets = [carrying(each).keys() for each in STEPS[: place + 1]]
        result = run.result(step)
        known = sets[:1] + sets[1:][-11:]  # the first, the ten before this one, and this one
        born = known[-1] & known[-2] - set().union(*known[:-2]) if len(known) > 2 else set()
        died = known[-3] & known[-4] - known[-1] - known[-2] if len(known) > 3 else set()
        assert set(result.neurons_established) == born
        assert set(result.neurons_vanished) == died
        established, vanished = established + len(born), vanished + len(died)
    assert established and vanished


def top_edges(step: int, count: int) -> set[tuple[int, int]]:
    scores = evolving.circuits(step).tensors["scores"]
    order = sorted(np.ndindex(EDGES), key=lambda place: -abs(scores[place]))
    return set(order[:count])


def test_edges(run: Evolving) -> None:
    count = EDGES[0] * EDGES[1] // 10
    now, before = top_edges(50, count), top_edges(40, count)
    result = run.result(50)
    change = result.edges_to_previous
    assert change is not None
    assert (result.n_edges, change.now, change.kept) == (count, count, len(now & before))
    assert change.jaccard == pytest.approx(len(now & before) / len(now | before))
    scores = evolving.circuits(50).tensors["scores"]
    source, target = max(now - before, key=lambda place: abs(scores[place]))
    assert change.born[0] == f"{node(source - 1)} → {node(target)}".replace("L-1.MLP", "input")


@pytest.mark.parametrize("step", [evolving.UNCLAIMED, evolving.UNCLAIMED + 10])
def test_edges_are_compared_only_where_a_circuit_is_claimed_at_both(run: Evolving, step: int) -> None:
    result = run.result(step)
    assert result.edges_to_previous is None and result.neurons_to_previous is not None
    assert (result.edges_to_first is None) == (result.n_edges == 0) == (step == evolving.UNCLAIMED)


def node(place: int) -> str:
    layer, unit = divmod(place, HEADS + 1)
    return "verdict" if layer == 2 else f"L{layer}." + ("MLP" if unit == HEADS else f"H{unit}")


def test_transfer_runs_the_previous_circuit_here(run: Evolving) -> None:
    """The made-up evaluator tells the step of the judge it runs in, and the size of what it runs."""
    found = run.result(50).transfer
    size = int(evolving.circuits(40).tensors["smallest"].sum())
    assert found is not None
    assert found.edges == size
    assert found.kept.value == pytest.approx(0.05 + size / 100)
    assert (found.own, found.random) == (found.kept.value, [found.own] * 5), "all of one size"
    assert found.above_random.value == 0 and not found.works
    assert run.record(50).summary["transfer_kept"] == found.kept.value


def test_alerts(run: Evolving) -> None:
    """The divergence layer's nine steps before 120 say what is usual."""
    (alert,) = [alert for alert in run.result(120).alerts if alert.signal == "divergence_layer"]
    layers = [2.0 if step % 3 == 0 else float(step % 2) for step in STEPS[1:-1]] + [99.0]
    steps = np.diff(layers)
    usual = max(float(np.sqrt((steps[:-1] ** 2).mean())), 2 / note_bar(len(steps) - 1, 105))
    assert isinstance(alert, StepAlert)
    assert (alert.n, alert.usual, alert.ratio) == (9, pytest.approx(usual), pytest.approx(abs(steps[-1]) / usual))
    assert alert.severity == "alarm"
    assert alert.sentence.startswith("The divergence layer went from layer 0 to none (counted as 2) at epoch 12: ")
    assert run.record(120).summary["alerts"] == sum(each.severity == "alarm" for each in run.result(120).alerts)
    for step in STEPS[:9]:
        assert run.result(step).alerts == [], "too little is known yet"
    signals = {alert.signal for step in STEPS for alert in run.result(step).alerts}
    assert not signals & {"edges_jaccard", "neurons_jaccard"}


def test_without_anything_earlier() -> None:
    """As the contract test computes it: a context of its own."""
    analysis = get("evolution")
    outcome = analysis.compute(context(tiny_judge(), random_probes()), analysis.settings())
    assert isinstance(outcome.result, EvolutionResult)
    assert outcome.tensors["gram"].shape == (3, 48, 48)
    assert outcome.result.previous is None


def test_at_most_so_many_prompts_behind_cka() -> None:
    analysis = get("evolution")
    few = analysis.settings.model_validate({"cka_prompts": 10})
    outcome = analysis.compute(context(tiny_judge(), random_probes()), few)
    assert outcome.tensors["gram"].shape == (3, 10, 10)
    whole = analysis.compute(context(tiny_judge(), random_probes()), analysis.settings()).tensors["gram"]
    chosen = sorted(spread(random_probes(), 10))
    assert len({random_probes()[index].label for index in chosen}) == 2
    assert np.corrcoef(outcome.tensors["gram"][2].ravel(), whole[2][np.ix_(chosen, chosen)].ravel())[0, 1] > 0.9


def test_on_what_the_other_analyses_really_publish(tmp_path: Path, template: Path) -> None:
    """Nothing made up: the tensors and summaries that are read are those that are there."""
    options = WorkerOptions(overrides=FAST)
    real = {name: each for name, each in computations(options).items() if name in ADVANCED}
    run = Evolving.of(describe(tmp_path / "run"), template, real | offered(), policy="newest")
    for step in (10, 20, 30):
        run.stage.add(step, shift=0.2)
    run.settle()
    assert run.stage.states == {10: "done", 20: "done", 30: "done"}
    result = run.result(30)
    assert run.previous(30) == 20
    told = ("At the embeddings", "no circuit of the previous checkpoint can be claimed")
    assert result.notes == [note for note in result.notes if any(words in note for words in told)]
    for part in (
        result.cka_to_previous, result.drift_to_previous, result.neurons_to_previous,
        result.cka_to_first, result.drift_to_first, result.neurons_to_first,
    ):  # fmt: skip
        assert part is not None
    assert result.transfer is None and "transfer_kept" not in run.record(30).summary, "random judges: no circuits"
    assert {"drift_previous", "cka_previous_last"} <= run.record(30).summary.keys()
    assert result.edges_to_previous is None is result.edges_to_first and result.n_edges == 0, "nor edges"

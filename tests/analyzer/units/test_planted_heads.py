"""Planted heads are named in the headline, and judges that learned nothing get no claim: read in the sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest

from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, neurons
from analyzer.model.judge import Judge
from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.session.context import Context
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.unit_sentences import heads_headline
from shared.records import Probe
from shared.results import payload_of
from shared.views import get
from tests.making.every_plant import every_plant
from tests.making.fakes import fake_record
from tests.making.forms import short_and_long
from tests.making.judges import context, tiny_judge
from tests.making.planted_heads import BACKUP, HEAD, head_probes, one_head_judge, xor_judge, xor_twins
from tests.making.trained import rule_probes, trained_judge

SUITE = frozenset({"heads", "neurons"})
SEEDS = range(5)
CLAIMS = re.compile(r"carr(y|ies)\b(?! the verdict” is said)|strongest|redundant|half of the separation", re.I)
"""What no page may say of a judge with nothing to explain."""


def ready(judge: Judge, probes: list[Probe]) -> Context:
    return context(judge, probes, suite=SUITE)


def headed(made: Context, **settings: int) -> HeadsResult:
    result = heads(made, HeadsSettings(**settings)).result
    assert isinstance(result, HeadsResult)
    return result


def lost_by_hand(made: Context, removed: dict[int, list[int]]) -> tuple[float, float]:
    """Mean loss of the class-signed score over all prompts, and its share of the separation."""
    means = made.with_units().unit_means
    assert means is not None
    (scores,) = ablated_scores(made.judge, made.encoded, means, [Ablation(heads=removed)], 4096)
    sign = np.array([1.0 if each.label == "unsafe" else -1.0 for each in made.probes])
    whole = float((sign * made.forward.scores).mean())
    return float((sign * (made.forward.scores - scores)).mean()), float((sign * scores).mean()) / whole


@pytest.mark.parametrize("seed", short_and_long(SEEDS))
def test_the_only_head_that_matters_is_named(seed: int) -> None:
    """A plain gradient says next to nothing of it: the judge is sure of itself."""
    made = ready(one_head_judge(seed=seed), head_probes(seed=seed + 1))
    result = headed(made)
    lost, left = lost_by_hand(made, {0: [HEAD]})
    assert lost > 4 and abs(result.effect[0][HEAD]) < 0.1 * lost
    assert heads_headline(result).startswith(f"L0.H{HEAD} carries the verdict: {lost:.2f} nats lost [")
    assert f"{100 * (1 - left):.0f} % of the separation" in heads_headline(result)
    assert result.joint is not None and result.joint.named == [f"L0.H{HEAD}"] and result.top[0].ablation.carries


def backed_up(seed: int) -> tuple[Context, float]:
    """A judge with an exact backup, at a scale at which each alone loses next to nothing, and the joint loss."""
    for scale in (0.6, 0.65, 0.55, 0.7, 0.5):
        made = ready(one_head_judge(backup=scale, seed=seed), head_probes(seed=seed + 1))
        alone = [lost_by_hand(made, {0: [head]})[0] for head in (HEAD, BACKUP)]
        lost, _ = lost_by_hand(made, {0: [HEAD, BACKUP]})
        if max(map(abs, alone)) < 0.05 * lost:
            return made, lost
    pytest.fail("no scale makes either enough")


@pytest.mark.parametrize(
    "seed", short_and_long((0, 1, 2, 4, 5))
)  # in 3 the trigger counts from so little on that no scale does
def test_an_exact_backup_is_found_though_each_alone_loses_nothing(seed: int) -> None:
    made, lost = backed_up(seed)
    result = headed(made)
    said = heads_headline(result)
    assert said.startswith(f"L0.H{HEAD} and L0.H{BACKUP} together carry the verdict: {lost:.2f} nats lost [")
    assert said.endswith("50 % of the verdicts flip; a redundant pair, each alone below a tenth of that")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_under_xor_no_heads_are_called_backups_of_each_other(seed: int) -> None:
    result = headed(ready(xor_judge(seed), head_probes(xor_twins, seed=seed + 1)))
    assert result.explained.claimable and "carr" in heads_headline(result)
    assert "redundant" not in heads_headline(result)


def test_a_judge_that_answers_the_other_way_is_explained_all_the_same() -> None:
    """Labels turned: what is lost is lost of the wrong answers, and the head is the same."""
    other = {"safe": "unsafe", "unsafe": "safe"}
    turned = [each.model_copy(update={"label": other[each.label]}) for each in head_probes()]
    result = headed(ready(one_head_judge(), turned))
    assert result.explained.reversed
    assert re.match(rf"L0.H{HEAD} carries the verdict: \d\.\d\d nats lost", heads_headline(result))
    assert result.top[0].ablation.drop.high < 0, "the number keeps its sign"


def page(name: str, result: HeadsResult | NeuronsResult) -> str:
    """Everything that the page says, but the numbers of its table."""
    (panel,) = get(name).panels(fake_record(name, payload_of(result), {}, 10, 1.0, result.layers))
    layout = panel.figure.layout
    notes = [note.text for note in layout.annotations]
    return "\n".join([layout.title.text, layout.title.subtitle.text, panel.caption, panel.alt, panel.badge, *notes])


NULLS = {
    **{
        f"untrained {seed}": lambda seed=seed: tiny_judge("bert", seed=seed, initializer_range=0.02)
        for seed in SEEDS
    },
    **{f"wild {seed}": lambda seed=seed: tiny_judge("bert", seed=seed) for seed in SEEDS},
    **{f"llama {seed}": lambda seed=seed: tiny_judge("llama", seed=seed) for seed in range(2)},
    "shuffled": lambda: trained_judge(shuffled=True),
}
IN_SHORT = ("untrained 0", "wild 0", "llama 0", "shuffled")


@pytest.mark.parametrize(
    "name", short_and_long(sorted(NULLS, key=lambda name: name not in IN_SHORT), len(IN_SHORT))
)
def test_a_judge_that_learned_nothing_gets_no_claim(name: str) -> None:
    made = ready(NULLS[name](), rule_probes(24, seed=3))
    found, mapped = headed(made), neurons(made, NeuronsSettings(shuffles=2)).result
    assert isinstance(mapped, NeuronsResult)
    if found.explained.claimable:
        pytest.fail(f"this judge tells the classes apart: {found.explained.size}")
    assert not found.top and not mapped.top and found.joint is None and mapped.curve is None
    for said in (page("heads", found), page("neurons", mapped)):
        assert said.startswith("<b>Nothing to explain")
        assert CLAIMS.search(said.replace("each layer's strongest first", "")) is None


def test_a_claim_on_the_page_would_be_seen() -> None:
    """The test above can fail: the same words on the page of a judge with a mechanism."""
    made = ready(one_head_judge(), head_probes())
    assert CLAIMS.search(page("heads", headed(made))) is not None


def test_few_pairs_claim_nothing_and_say_how_many_are_needed() -> None:
    made = ready(one_head_judge(), head_probes(count=10))
    said = page("heads", headed(made))
    assert said.startswith("<b>Nothing can be claimed from 10 contrast pairs")
    assert "an interval needs 12" in said


def test_prompts_that_do_not_fill_both_halves_are_said_to_be_too_few() -> None:
    """Of two prompts, one pair, one half has none; heads are removed on all the others all the same."""
    result = headed(ready(one_head_judge(), head_probes()), prompts=2)
    assert result.explained.claimable and result.joint is None and not result.top
    assert heads_headline(result) == "No heads could be chosen on one half of the prompts and removed on the other"
    assert any("do not fill two halves" in note for note in result.notes)


@pytest.mark.parametrize("name", ["either_word", "word_after_word"])
def test_heads_that_must_both_work_are_both_named(name: str) -> None:
    """Either alone costs everything; given back while the other is removed, it restores nothing."""
    plant = every_plant(name, 0)
    made = ready(plant.judge(), plant.probes)
    result = headed(made, prompts=len(plant.probes), ablated=len(plant.probes))
    joint = result.joint
    assert joint is not None and joint.n == len(plant.probes) and len(plant.heads) > 1
    lost = {
        f"L{layer}.H{head}": lost_by_hand(made, {layer: [head]})[0]
        for layer in range(result.layers)
        for head in range(result.heads)
    }
    large = {unit for unit, nats in lost.items() if nats >= 0.5 * joint.drop.value}
    assert large == {*joint.each} == {f"L{layer}.H{head}" for layer, head in plant.heads}
    said = heads_headline(result)
    assert all(unit in said for unit in large) and "each carry the verdict" in said
    assert f"at least {min(lost[unit] for unit in large):.2f} nats lost [" in said


@pytest.mark.parametrize("chosen_on", [0, 1])
def test_a_head_that_one_half_chose_is_measured_on_the_other_alone(
    chosen_on: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analyzer.units import head_choice

    calls: list[int] = []
    real = head_choice.HeadChooser.choose

    def choose(chooser: object, *rows: object) -> head_choice.HeadChoice:
        calls.append(1)
        found = real(chooser, *rows)  # type: ignore[arg-type]
        more = [*found.candidates, (1, 3)] if len(calls) - 1 == chosen_on else found.candidates
        return head_choice.HeadChoice(more, found.needed, found.measured)

    monkeypatch.setattr(head_choice.HeadChooser, "choose", choose)
    probes = head_probes()
    result = headed(ready(one_head_judge(), probes))
    other = next(row for row in result.top if row.name == "L1.H3")
    both = next(row for row in result.top if row.name == f"L0.H{HEAD}")
    assert (other.ablation.n, both.ablation.n) == (24, 48)


def test_where_gradients_name_the_wrong_heads_every_head_is_measured() -> None:
    """Gradients made up: all of a head that does nothing."""
    made = ready(one_head_judge(), head_probes())
    assert headed(made).measured == 0
    from analyzer.patching.gradient_pass import shared_gradients

    settings = HeadsSettings()
    found = shared_gradients(made, settings.steps, settings.prompts)
    assert found.heads.by_prompt is not None
    found.heads.by_prompt[:] = 0
    found.heads.by_prompt[..., 1, 1] = 5.0
    result = headed(made)
    assert result.measured == 8 and heads_headline(result).startswith(f"L0.H{HEAD} carries the verdict")
    assert headed(made, measured=1).measured == 1, "no more than asked for"

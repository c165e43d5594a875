"""Bad input to the whole advanced suite: each page says what cannot be claimed, or one sentence why not.

The judge under it has a mechanism that its pages name on good prompts, so a claim here is one too early.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from analyzer.jobs.messages import Failure
from shared.records import Probe
from shared.results import ResultStore
from shared.views import suite_views
from tests.making.forms import SLOW
from tests.making.judges import probe
from tests.making.plant_prompts import as_probes, trigger_twins
from tests.making.plants import Plant, two_layers
from tests.truth.suite import COMPARED, Pages, pages_of
from tests.truth.test_nulls import ranks

SUITE = {view.name for view in suite_views("advanced")}
OVERFLOWS = 3e38
"""Sound as a weight; its square is none."""
UNSAFE_BUT_ONE = (1, 3, 5, 7, 9)
"""Of six pairs."""


@dataclass(frozen=True)
class Bad:
    """One kind of bad input."""

    plant: Callable[[], Plant]
    says: str
    """Pattern of what some page or failure says."""
    without: frozenset[str] = frozenset()
    """Analyses that cannot be computed; the others are."""
    refused: bool = False
    """The whole checkpoint, or its probe set, in one sentence."""
    claims: bool = False
    """Whether there is something to claim all the same."""
    never: str = r"(?!)"
    """Pattern of what is said above no figure."""
    long: bool = False
    """Whether another kind nearly says it, so that this one runs in the long form."""


def of(probes: Sequence[Probe], *models: Any) -> Plant:
    plant = two_layers(0)
    return replace(plant, probes=list(probes), models=models or plant.models)


def pairs(count: int) -> list[Probe]:
    return as_probes(trigger_twins(0, count))


def alone(count: int) -> list[Probe]:
    """As many of each class, none with a twin."""
    return [
        each.model_copy(update={"pair": None, "id": f"alone{place}", "display": False})
        for place, each in enumerate(as_probes(trigger_twins(1, 2 * count)))
        if place % 4 in (0, 3)
    ]


def safe_alone(count: int) -> list[Probe]:
    """Safe prompts, none with a twin."""
    return [each for each in alone(count) if each.label == "safe"][:count]


def one_class() -> Plant:
    return of([each for each in pairs(16) if each.label == "safe"])


def two_of_a_class() -> Plant:
    return of([each for each in pairs(32) if each.label == "safe" or each.display])


def same_text() -> Plant:
    return of([probe("w1 w2 w3", label, id=f"{label}{n}") for n in range(12) for label in ("safe", "unsafe")])  # type: ignore[arg-type]


def same_tokens() -> Plant:
    """Other texts, all of words that the judge does not know."""
    return of([probe(f"zz{n}", "unsafe" if n % 2 else "safe", id=f"p{n}", display=n < 4) for n in range(48)])


def changed(edit: Callable[[Any, Plant], None], probes: Sequence[Probe]) -> Plant:
    plant = of(probes)
    model = copy.deepcopy(plant.models[0])
    with torch.no_grad():
        edit(model, plant)
    return replace(plant, models=[model])


def same_score(nats: float) -> Plant:
    """To all prompts, which it reads differently."""

    def mute(model: Any, _: Plant) -> None:
        model.classifier.weight[1] = model.classifier.weight[0]
        model.classifier.bias.copy_(torch.tensor([0.0, nats]))

    return changed(mute, pairs(32))


def overflows_at(word: str, probes: Sequence[Probe]) -> Plant:
    """No number for whatever contains a word, and finite weights."""

    def inflate(model: Any, plant: Plant) -> None:
        row = plant.tokenizer.convert_tokens_to_ids(word)
        model.bert.embeddings.word_embeddings.weight[row] = OVERFLOWS

    return changed(inflate, probes)


def with_word(word: str, probes: Sequence[Probe], places: Collection[int]) -> list[Probe]:
    """The word before some of the prompts."""
    return [
        each.model_copy(update={"text": f"{word} {each.text}"}) if number in places else each
        for number, each in enumerate(probes)
    ]


def further() -> list[Probe]:
    """40 pairs, the last 16 of them for circuits only."""
    found = with_word("of", pairs(40), (70, 71))
    return [
        each.model_copy(update={"further": True, "display": False}) if number >= 48 else each
        for number, each in enumerate(found)
    ]


def alike() -> Plant:
    """Pairs of two safe or of two unsafe prompts."""
    found = sorted(pairs(32), key=lambda each: each.label)
    return of([each.model_copy(update={"pair": f"pair{number // 2}"}) for number, each in enumerate(found)])


BAD = {
    "three pairs": Bad(lambda: of(pairs(3)), "nothing can be claimed from 3 contrast pairs"),
    "seven pairs": Bad(lambda: of(pairs(7)), "nothing can be claimed from 7 contrast pairs", long=True),
    "one pair among others": Bad(lambda: of([*pairs(1), *alone(24)]), "only 1 contrast pair aligns", claims=True),
    "no pairs": Bad(lambda: of(alone(24)), "only 0 contrast pairs align", claims=True),
    "one class": Bad(one_class, "has 0 unsafe prompts; it needs at least 2", refused=True),
    "two of a class": Bad(two_of_a_class, "nothing can be claimed from 2 groups of the rarer class"),
    "the same text": Bad(same_text, "give one prompt two labels; remove one", refused=True),
    "the same tokens": Bad(same_tokens, "nothing to explain: the separation"),
    "the same score": Bad(lambda: same_score(0), "nothing to explain: the separation"),
    "always unsafe": Bad(lambda: same_score(3), "nothing to explain: the separation", long=True),
    "no number for a prompt": Bad(
        lambda: overflows_at("of", with_word("of", pairs(32), [9])),
        r"score of 1 of 64 probe prompts is not finite \(NaN or infinity\); it is left out of everything .*: “of w",
        claims=True,
    ),
    "no number for a display sample": Bad(
        lambda: overflows_at("of", with_word("of", pairs(32), [0])),
        "Shown in place of a display sample: “w",
        claims=True,
        long=True,
    ),
    "no number for a quarter, nor for the self-check's words": Bad(
        lambda: overflows_at("how", with_word("how", pairs(32), range(16, 32))),
        r"of 16 of 64 probe prompts is .* “how [^“]*”, “how [^“]*”, “how [^“]*” and 13 more\.",
        claims=True,
        long=True,
    ),
    "no number for more": Bad(
        lambda: overflows_at("of", with_word("of", pairs(32), range(16, 33))),
        r"the embedding block is not finite .* on 17 of 64 prompts: .*\. That is more than 25 % of the probe set",
        refused=True,
    ),
    "no number for a class": Bad(
        lambda: overflows_at("of", with_word("of", [*pairs(6), *safe_alone(40)], UNSAFE_BUT_ONE)),
        "That leaves 1 unsafe: too little",
        refused=True,
    ),
    "no number for any": Bad(
        lambda: overflows_at("[CLS]", pairs(32)), "is not finite .* on 2 of 2 prompts", refused=True
    ),
    "no number without words": Bad(
        lambda: overflows_at("[MASK]", alone(24)), "score is not finite", frozenset({"tokens"}), claims=True
    ),
    "no number for a further pair": Bad(
        lambda: overflows_at("of", further()), r"of 2 of 32 prompts of the further contrast pairs", claims=True
    ),
    "twins that are none": Bad(
        alike, "32 pairs are not one safe and one unsafe prompt each", claims=True, never="[1-9] contrast pair"
    ),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW) if bad.long else n for n, bad in BAD.items()])
def test_what_cannot_be_claimed_is_said(name: str, tmp_path: Path) -> None:
    bad = BAD[name]
    found = pages_of(bad.plant(), tmp_path)
    causes = {event.analysis: event.cause for event in found.failed}
    if bad.refused:
        assert not found.checkpoints and causes.keys() == {""}
    else:
        assert causes.keys() == bad.without
        assert {said.analysis for said in found.all} == SUITE - bad.without
    assert {event.failure for event in found.failed} <= {Failure.REJECTED if bad.refused else Failure.CANNOT}
    assert all(re.fullmatch(r"\w[^\n]*\.", cause) for cause in causes.values()), causes
    texts = [*causes.values(), *everything(found)]
    assert any(re.search(bad.says, text, re.IGNORECASE) for text in texts), texts
    assert not [each.above for each in found.all if re.search(bad.never, each.above)]
    claimed = [f"{each.analysis} {each.stem}: {each.above}" for each in found.all if each.claims or ranks(each)]
    assert bool(claimed) == bad.claims, "\n".join(claimed)


def test_a_checkpoint_that_gives_no_number_takes_no_other_with_it(tmp_path: Path) -> None:
    bad = BAD["no number for any"].plant()
    found = pages_of(replace(bad, models=[*two_layers(0).models, *bad.models]), tmp_path)
    (failed,) = found.failed
    assert failed.job == "checkpoint-20" and found.checkpoints.keys() == {10}
    assert {said.analysis for said in found.all if said.claims} >= {"tokens", "heads", "neurons", "circuits"}


def test_the_others_are_analysed_as_if_a_prompt_without_a_number_had_never_been_there(tmp_path: Path) -> None:
    prompts = with_word("of", pairs(32), [9])
    left = pages_of(overflows_at("of", prompts), tmp_path / "left out")
    never = pages_of(overflows_at("of", [*prompts[:9], *prompts[10:]]), tmp_path / "never there")
    said = [[(each.analysis, each.stem, each.above, each.caption) for each in found.all] for found in (left, never)]
    assert said[0] == said[1]
    assert all("left out of everything" in each.badge for each in left.checkpoints[10])
    assert not any("left out of everything" in each.badge for each in never.all)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_checkpoints_are_compared_on_what_has_a_number_at_both(order: tuple[int, int], tmp_path: Path) -> None:
    models = [two_layers(0).models[0], overflows_at("of", pairs(32)).models[0]]
    prompts = with_word("of", pairs(32), [9, 20])
    found = pages_of(of(prompts, *(models[number] for number in order)), tmp_path, COMPARED)
    assert not found.failed
    store = ResultStore(tmp_path / "_midwatch" / "results")
    compared = {step: store.newest(f"checkpoint-{step}", "evolution") for step in found.checkpoints}
    payload = compared[20].payload  # type: ignore[union-attr]
    assert payload["verdicts"]["of"] == payload["n_cka"] == 62
    assert payload["verdicts"]["flipped"] == 0 and payload["frozen_check"] != "fail"
    assert len(payload["drift"]) == 2  # the twins that are left; of others no token but the changed one counts
    assert all(row["to_previous"] > 0.999 for row in payload["drift"])
    assert payload["cka_to_previous"][1:] == pytest.approx([1, 1], abs=1e-6)


def everything(found: Pages) -> list[str]:
    return [f"{each.above}\n{each.caption}\n{each.badge}" for each in found.all]


def test_the_same_judge_is_explained_on_good_prompts(tmp_path: Path) -> None:
    """Else silence on bad ones would be worth nothing."""
    claimed = {said.analysis for said in pages_of(of(pairs(32)), tmp_path).all if said.claims}
    assert claimed >= {"tokens", "heads", "neurons", "circuits", "comparison"}

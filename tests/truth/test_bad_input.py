"""Bad input to the whole advanced suite: each page says what cannot be claimed, or one sentence why not.

The judge under it has a mechanism that its pages name on good prompts, so a claim here is one too early.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from analyzer.jobs.messages import Failure
from shared.records import Probe
from shared.views import suite_views
from tests.making.judges import probe
from tests.making.plant_prompts import as_probes, trigger_twins
from tests.making.plants import Plant, two_layers
from tests.truth.suite import Pages, pages_of
from tests.truth.test_nulls import ranks

SUITE = {view.name for view in suite_views("advanced")}
OVERFLOWS = 3e38
"""Sound as a weight; its square is none."""


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


def of(probes: Sequence[Probe]) -> Plant:
    return replace(two_layers(0), probes=list(probes))


def pairs(count: int) -> list[Probe]:
    return as_probes(trigger_twins(0, count))


def alone(count: int) -> list[Probe]:
    """As many of each class, none with a twin."""
    return [
        each.model_copy(update={"pair": None, "id": f"alone{place}", "display": False})
        for place, each in enumerate(as_probes(trigger_twins(1, 2 * count)))
        if place % 4 in (0, 3)
    ]


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


def with_word(word: str, probes: Sequence[Probe], place: int) -> list[Probe]:
    """The word before one of the prompts."""
    return [
        each.model_copy(update={"text": f"{word} {each.text}"}) if number == place else each
        for number, each in enumerate(probes)
    ]


def further() -> list[Probe]:
    """40 pairs, the last 16 of them for circuits only."""
    found = with_word("of", with_word("of", pairs(40), 70), 71)
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
    "seven pairs": Bad(lambda: of(pairs(7)), "nothing can be claimed from 7 contrast pairs"),
    "one pair among others": Bad(lambda: of([*pairs(1), *alone(24)]), "only 1 contrast pair aligns", claims=True),
    "no pairs": Bad(lambda: of(alone(24)), "only 0 contrast pairs align", claims=True),
    "one class": Bad(one_class, "has 0 unsafe prompts; it needs at least 2", refused=True),
    "two of a class": Bad(two_of_a_class, "nothing can be claimed from 2 groups of the rarer class"),
    "the same text": Bad(same_text, "give one prompt two labels; remove one", refused=True),
    "the same tokens": Bad(same_tokens, "nothing to explain: the separation"),
    "the same score": Bad(lambda: same_score(0), "nothing to explain: the separation"),
    "always unsafe": Bad(lambda: same_score(3), "nothing to explain: the separation"),
    "no number for a prompt": Bad(
        lambda: overflows_at("of", with_word("of", pairs(32), 9)),
        "the embedding block is not finite .* on 1 of 64 prompts",
        refused=True,
    ),
    "no number without words": Bad(
        lambda: overflows_at("[MASK]", alone(24)), "score is not finite", frozenset({"tokens"}), claims=True
    ),
    "no number for a further pair": Bad(
        lambda: overflows_at("of", further()), "score is not finite", frozenset({"circuits"}), claims=True
    ),
    "twins that are none": Bad(
        alike, "32 pairs are not one safe and one unsafe prompt each", claims=True, never="[1-9] contrast pair"
    ),
}


@pytest.mark.parametrize("name", BAD)
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
    bad = BAD["no number for a prompt"].plant()
    found = pages_of(replace(bad, models=[*two_layers(0).models, *bad.models]), tmp_path)
    (failed,) = found.failed
    assert failed.job == "checkpoint-20" and found.checkpoints.keys() == {10}
    assert {said.analysis for said in found.all if said.claims} >= {"tokens", "heads", "neurons", "circuits"}


def everything(found: Pages) -> list[str]:
    return [f"{each.above}\n{each.caption}\n{each.badge}" for each in found.all]


def test_the_same_judge_is_explained_on_good_prompts(tmp_path: Path) -> None:
    """Else silence on bad ones would be worth nothing."""
    claimed = {said.analysis for said in pages_of(of(pairs(32)), tmp_path).all if said.claims}
    assert claimed >= {"tokens", "heads", "neurons", "circuits", "comparison"}

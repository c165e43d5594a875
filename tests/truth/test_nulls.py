"""Judges that learned nothing: no page claims anything about them, and nothing is ranked as if it mattered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.run import Run
from shared.views.overview.gather import facts_of_run, groups_of
from shared.views.overview.standing import standing
from shared.views.overview.verdict import verdict
from tests.making.nulls import LARGE, NULL_SEEDS, SMALL, identical, shuffled, untrained
from tests.making.plants import Plant
from tests.truth.by_mean import ByMean
from tests.truth.suite import Said, pages_of

NULLS: dict[str, tuple[Callable[[int], Plant], int, int]] = {
    "untrained, small": (lambda seed: untrained(seed, SMALL), 2, len(NULL_SEEDS)),
    "untrained, large": (lambda seed: untrained(seed, LARGE), 2, len(NULL_SEEDS)),
    "shuffled labels": (shuffled, 1, 5),
    "two identical checkpoints": (identical, 1, 5),
}
"""Null -> how it is made, seeds that always run, seeds in all."""
RANKING = (
    r"\bstrongest\b|\bcarr(y|ies)\b|\bmost\b|\btop \d|\bkeeps? (?!the )[−\d]|\bbeats?\b|\bsupporting\b"
    r"|\bagainst the right\b|part at layer|divergence at|\bkeyword\b|NO CLEAR LOSS|redundan|goes (by|with)"
    r"|in combination|DISAGREE|DISPUTED"
)
"""What ranks parts of a judge, or speaks of their effects, above a figure."""
CASES = [
    pytest.param(name, seed, marks=() if seed < always else pytest.mark.slow)
    for name, (_, always, count) in NULLS.items()
    for seed in range(count)
]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_nothing_is_claimed_of_a_judge_that_learned_nothing(name: str, seed: int, tmp_path: Path) -> None:
    found = pages_of(NULLS[name][0](seed), tmp_path)
    assert not found.failed, [(event.analysis, event.cause) for event in found.failed]
    assert {said.analysis for said in found.all} >= {"tokens", "neurons", "heads", "circuits", "evolution"}
    wrong = [each for each in found.all if each.claims or ranks(each)]
    assert not wrong, "\n".join(f"{each.analysis} {each.stem}: {each.above!r}" for each in wrong)
    run = Run.at(tmp_path)
    facts = facts_of_run(run)
    said_first = verdict(standing(facts, groups_of(run, facts)))
    assert len(facts) == len(found.checkpoints) and not said_first.claims, said_first.sentences
    if len(found.checkpoints) > 1:
        (changed,) = found.of("evolution")[:1]
        assert "the same weights" in changed.headline.lower()


def ranks(said: Said) -> bool:
    return re.search(RANKING, said.above, re.IGNORECASE) is not None


def test_the_nulls_are_nulls() -> None:
    """Small weights move no verdict, large ones and blind training do, and no class scores higher."""
    sizes: dict[str, list[float]] = {}
    for name, (make, always, _) in NULLS.items():
        for seed in range(always):
            scored = ByMean(make(seed))
            signed = scored.sign * scored.clean
            paired = signed.reshape(-1, 2).sum(1)  # nats that an unsafe twin scores above its safe one
            assert abs(paired.mean()) < 3 * paired.std() / np.sqrt(len(paired)) + 1e-9
            sizes.setdefault(name, []).append(float(np.abs(paired).mean()))
    assert max(sizes["untrained, small"]) < 0.01 < 0.1 < min(sizes["untrained, large"])
    assert min(sizes["shuffled labels"]) > 1


def test_a_judge_trained_on_shuffled_labels_knows_them_by_heart() -> None:
    """Else it would be an untrained one."""
    scored = ByMean(shuffled(0))
    assert np.abs(scored.clean).mean() > 2


def test_ranking_words_are_seen() -> None:
    """The pattern sees what pages said of nulls."""
    for sentence in (
        "8 of 54 edges (15 %) keep 96 % of the separation", "1 heads carry 0.000043 nats of the separation",
        "NO CLEAR LOSS without 4 of the 4 strongest: L0.H0", "Safe and unsafe part at layer 1",
    ):  # fmt: skip
        assert re.search(RANKING, sentence, re.IGNORECASE)
    for sentence in (
        "Nothing to explain: the separation of unsafe and safe is 0.01 nats [−0.2, 0.3], which may be chance",
        "No neuron is significant beyond the FDR of 5 %", "56 % of unsafe prompts passed as safe",
    ):  # fmt: skip
        assert not re.search(RANKING, sentence, re.IGNORECASE)

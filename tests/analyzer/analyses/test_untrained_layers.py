"""Untrained judges: the pages of layers and comparison claim nothing, and of a trained one they do."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer import analyses
from analyzer.session.context import Context
from shared.results import ResultRecord, payload_of
from shared.views import get, headlines
from tests.making.fakes import fake_records
from tests.making.forms import short_and_long
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.trained import rule_probes, trained_judge

SETTINGS: dict[str, dict[str, Any]] = {
    "layers": {"bootstraps": 300},
    "comparison": {"bootstraps": 300, "splits": 4},
}


def claims(ready: Context) -> set[str]:
    """The analyses whose pages claim something."""
    found = set()
    for name, changed in SETTINGS.items():
        analysis = analyses.get(name)
        result = analysis.compute(ready, analysis.settings(**changed)).result
        (record,) = [one for one in fake_records(1) if one.analysis == name]
        said: ResultRecord = record.model_copy(update={"payload": payload_of(result)})
        found |= {name for headline in headlines(get(name), said) if headline.claims}
    return found


@pytest.mark.parametrize("spread", [0.02, 0.3], ids=["as trainings begin", "with scores of whole nats"])
@pytest.mark.parametrize("seed", short_and_long(range(10), 3))
def test_an_untrained_judge_gets_no_claim(seed: int, spread: float) -> None:
    judge = tiny_judge("bert", seed=seed, initializer_range=spread)
    assert claims(context(judge, random_probes(20, pairs=0, seed=seed))) == set()


def test_a_judge_that_learned_the_rule_does() -> None:
    assert claims(context(trained_judge("bert"), rule_probes(30, seed=3))) == {"layers", "comparison"}

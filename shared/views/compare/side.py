"""One of the two checkpoints that are compared: what is committed about it, and its verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from shared.records import Probe, RunRecord
from shared.views.compare.pairing import Judged

if TYPE_CHECKING:
    from shared.results import ResultRecord


@dataclass(frozen=True, eq=False)
class Side:
    """A checkpoint as a comparison sees it."""

    name: str
    """ "epoch 7", or "epoch 7 of RUN" where two runs are compared; may hold data."""
    run: RunRecord | None
    """run.json, None where there is none to read."""
    results: Mapping[str, ResultRecord] = field(default_factory=dict)
    """The newest readable result by analysis."""
    judged: Judged | None = None
    why_not: str = ""
    """Where `judged` is None: why there are no verdicts to compare, as one sentence."""

    @property
    def digest(self) -> str:
        """Of weights, config and tokenizer, as they gave the verdicts; empty without any result."""
        records = [self.results[name] for name in ("progress", *self.results) if name in self.results]
        return records[0].checkpoint_digest if records else ""


def judged_of(
    name: str, record: ResultRecord | None, tensors: Mapping[str, np.ndarray], probes: Sequence[Probe]
) -> Judged | str:
    """A checkpoint's verdicts from its `progress` result, or why they cannot be compared, as one sentence.

    `probes` is the probe set with the result's digest, empty where that is not there any more.
    """
    if record is None:
        return f"The verdicts of {name} on the probe set are not there yet."
    if not {"scores", "labels"} <= tensors.keys():
        return f"The result of {name} kept no scores of single prompts; analyse it again with --force."
    if not probes:
        return (
            f"The probe set that {name} was judged on is not there any more, so its prompts cannot be matched; "
            "analyse it again on a set that is."
        )
    unsafe = np.array([probe.label == "unsafe" for probe in probes])
    if len(tensors["scores"]) != len(probes) or not np.array_equal(tensors["labels"] == 1, unsafe):
        return f"The scores of {name} do not fit its probe set; analyse it again with --force."
    return Judged(name, probes, tensors["scores"].astype(float))


def assembled(
    name: str,
    run: RunRecord | None,
    results: Mapping[str, ResultRecord],
    tensors: Mapping[str, np.ndarray],
    probes: Sequence[Probe],
    problem: Exception | None = None,
) -> Side:
    """A side from what was read; `problem` is why its `progress` result could not be, `tensors` are that one's.

    `probes` as for `judged_of`.
    """
    if problem is not None:
        return Side(name, run, results, None, f"The verdicts of {name} cannot be read: {problem}")
    judged = judged_of(name, results.get("progress"), tensors, probes)
    return Side(name, run, results, None, judged) if isinstance(judged, str) else Side(name, run, results, judged)


def same_judge(there: Side, here: Side) -> bool:
    """Whether weights, config and tokenizer of both have the same digest."""
    return bool(here.digest) and here.digest == there.digest


def unlike(there: Side, here: Side) -> list[str]:
    """What cannot be compared because the two are other judges: a sentence each."""
    facts = [_facts(side) for side in (there, here)]
    if not all(facts):
        return []
    found = []
    for key, what, so in _UNLIKE:
        before, now = (each.get(key) for each in facts)
        if before != now and before is not None and now is not None:
            found.append(f"{what}: {now} in {here.name}, {before} in {there.name}, so {so}.")
    models = [side.run.model if side.run else "" for side in (there, here)]
    if all(models) and models[0] != models[1] and not found:
        found.append(
            f"The two were trained from other models ({models[1]} and {models[0]}): a head or neuron at the same "
            "place need not be the same part."
        )
    return found


_UNLIKE = (
    ("family", "Model family", "layers, heads and neurons have no counterparts"),
    ("kind", "Kind of judge", "scores are read in other ways, and only verdicts are compared"),
    ("layers", "Layers", "nothing is compared layer by layer"),
    ("hidden", "Hidden size", "neurons have no counterparts"),
    ("pooling", "Pooling", "read-outs are taken from other tokens"),
)
"""Fact of a judge -> how a sentence begins, and what does not follow any more."""


def _facts(side: Side) -> dict[str, object]:
    return dict(next((record.judge for record in side.results.values() if record.judge), {}))

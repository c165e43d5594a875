"""What judges are told right: families, guard formats, wrong descriptions, and classifiers of all of transformers.

Counts, not times. Families, with every analysis, against plain transformers; tiny guards of each format that
`midwatch init --like` knows, which were trained to answer so; judges described wrongly on purpose, and rightly; and
every sequence classifier that transformers builds from its config, through load, scores and the basic suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

from analyzer import analyses
from analyzer.model.answer_mass import read_answers
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import forward_pass
from shared.errors import CannotCompute
from shared.findings.claims import ToExplain
from tests.bench import Figure, Size
from tests.bench._suites import TINY_SETTINGS
from tests.making.described_cases import INVERTED, MISREAD, RIGHT, UNTRAINED, Case, cases, noticed
from tests.making.described_guards import auc, guard, prompt_guard
from tests.making.guards import ANSWERS
from tests.making.judges import context, random_probes
from tests.making.known_families import EVERY_FORM, Form, judge_of, plain_model, plain_score
from tests.making.sweep import MAPPINGS, sweep

LAYERS = 3
SETTINGS: dict[str, dict[str, Any]] = {"tokens": {}, "layers": {}, "comparison": {}} | TINY_SETTINGS
SUITE = frozenset(SETTINGS)
MORE_SEEDS = (2, 3)
"""Of right ones, beside those that the tests look at: forty in all."""


def measure(size: Size = Size.FULL) -> list[Figure]:
    whole = size is Size.FULL
    return [
        *_families(EVERY_FORM if whole else EVERY_FORM[:1]),
        *_guards(list(ANSWERS) if whole else ["shieldgemma"]),
        *_described(whole),
        *_classifiers(sorted(MAPPINGS["classifier"]) if whole else ["bert"]),
    ]


def _families(forms: Sequence[Form]) -> Iterator[Figure]:
    whole, experts, apart, batched = set(), set(), [], []
    for form in forms:
        judge, probes = judge_of(form, LAYERS), random_probes(16, pairs=10, seed=5)
        found, alone = forward_pass(judge, probes), forward_pass(judge, probes, 1)
        model = plain_model(form, LAYERS)
        wanted = np.array([plain_score(judge, model, prompt.ids) for prompt in found.encoded])
        scale = 1 + np.abs(wanted)
        apart.append(float((np.abs(alone.scores - wanted) / scale).max()))
        batched.append(float((np.abs(found.scores - alone.scores) / scale).max()))
        if missing := _cannot(form):
            experts |= {form.family} if missing == ["neurons"] else set()
        whole |= {form.family} if missing in ([], ["neurons"]) else set()
    note = f"{len(forms)} tiny random judges of {LAYERS} layers, 16 prompts each; in units of 1 + the score's size"
    parts = f"of {len(experts)} the MLP is a mixture of experts, one node without neurons"
    yield Figure(name="families with every analysis", value=len(whole), bar=">= 24", note=parts)  # type: ignore[arg-type]
    yield Figure(
        name="largest difference of their scores to plain transformers", value=max(apart), bar="<= 1e-5", note=note
    )  # type: ignore[arg-type]
    yield Figure(
        name="largest difference of batched scores to lone ones", value=max(batched), bar="<= 1e-4", note=note
    )  # type: ignore[arg-type]


def _cannot(form: Form) -> list[str]:
    """Analyses that say that they cannot be computed of it; whatever else one raises ends the benchmark.

    These judges are random: the gate is held open, so that they go the whole way.
    """
    ours, found = context(judge_of(form, 2), random_probes(16, pairs=10), suite=SUITE), []
    with patch.object(ToExplain, "claimable", new=True):
        for name, changes in SETTINGS.items():
            analysis = analyses.get(name)
            try:
                analysis.compute(ours, analysis.settings(**changes))
            except CannotCompute:
                found.append(name)
    return found


def _guards(names: Sequence[str]) -> Iterator[Figure]:
    worst, mass = [], []
    for name in names:
        judge, report = guard(name)
        found = forward_pass(judge, report.probes)
        worst.append(auc(report, found.scores))
        mass.append(float(read_answers(judge, found.encoded).mass.mean()))
    judge, report = prompt_guard()
    worst.append(auc(report, forward_pass(judge, report.probes).scores))
    note = f"{len(names) + 1} formats, each on a tiny guard that was trained so; as `init --like` describes it"
    yield Figure(name="guard formats: lowest AUC", value=min(worst), bar=">= 0.95", note=note)  # type: ignore[arg-type]
    note = f"of the {len(names)} that answer"
    yield Figure(name="guard formats: lowest probability that the answers hold", value=min(mass), note=note)
    right, report = guard(names[0])
    if names[0] != "llama-guard-3":
        return
    texts = [probe.text for probe in report.probes]
    template = (right.record.template or "").removesuffix("\n\n")
    wrong = encode(right.tokenizer, texts, right.max_length, template, special_tokens=False)
    lost = float(read_answers(right, wrong).mass.mean())
    note = "Llama Guard's format, its template without the two line breaks before the answer"
    yield Figure(name="probability that the answers hold, a template too short", value=lost, note=note)


def _described(whole: bool) -> Iterator[Figure]:
    wrong: list[Case] = [*INVERTED, *MISREAD] if whole else INVERTED[:1]
    right: list[Case] = [*RIGHT, *cases(1, "", MORE_SEEDS)] if whole else RIGHT[:1]
    untrained = UNTRAINED if whole else UNTRAINED[:1]
    missed = [case.name for case in wrong if [notice.kind for notice in noticed(case)] != [case.kind]]
    name = "wrong labels, templates or answers noticed"
    share = 1 - len(missed) / len(wrong)
    yield Figure(name=name, value=share, n=len(wrong), bar=">= 1", note="each by its own kind of notice")  # type: ignore[arg-type]
    for of, group in (("rightly described judges", right), ("untrained judges", untrained)):
        alarms = sum(bool(noticed(case)) for case in group)
        yield Figure(name=f"false alarms on {of}", value=alarms, n=len(group), bar="== 0")  # type: ignore[arg-type]


def _classifiers(names: Sequence[str]) -> Iterator[Figure]:
    counts: Counter[str] = Counter()
    faults = []
    for name in names:
        with TemporaryDirectory() as folder:
            outcome = sweep(name, "classifier", Path(folder)).outcome
        counts[outcome] += 1
        faults += [name] * (outcome in ("raised", "wrong"))
    built = len(names) - counts["not built"]
    note = f"{counts['works']} work, {counts['refused']} are refused in one sentence"
    note += f"; at fault: {', '.join(faults)}" if faults else ""
    name = "sequence classifiers of transformers that raise, or score otherwise"
    yield Figure(name=name, value=counts["raised"] + counts["wrong"], n=built, bar="== 0", note=note)  # type: ignore[arg-type]

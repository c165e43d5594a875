"""Token attribution: integrated gradients of the score, how exact they are, and how faithful.

1. The display samples and some further probe prompts are attributed (`integrated_gradients`): from the contrast
   twin where one aligns token by token, else from mask tokens (encoders) or from spaces (decoders, whose first
   token stays).
2. Tokens become words by character offsets (`words`).
3. Rankings by attribution, by gradient x input and at random are put to the test (`faithfulness`).
4. Words are really replaced by neutral ones of their kind: those of the display samples, those that lists name, and
   pairs that may act together (`word_tests`).

Where the classes are not told apart, or no score moves, nothing is listed and no alarm is raised.

Summary: gap_median, share_converged, shortcut_share, separation, and when a prompt has words
comprehensiveness, sufficiency, comprehensiveness_random.
Tensors: over all attributed prompts, "attributions" and "gradient_x_input" (tokens of all prompts in a row, nats),
"offsets" (n + 1; prompt i has tokens offsets[i]:offsets[i + 1]), "token_ids", "prompts" (n; index into the probe
set), "shifts" (n; score - baseline score, nats).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.attribution.attributed_prompts import attributed_prompts
from analyzer.attribution.method_tests import method_tests
from analyzer.attribution.samples import sample
from analyzer.attribution.word_statistics import Attributed, cells, shortcuts
from analyzer.attribution.word_tests import Amount, word_tests
from analyzer.session.context import Context
from analyzer.session.probe_choice import spread
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import separation, unit_of
from analyzer.statistics.to_explain import to_explain
from shared.errors import CannotCompute
from shared.findings.claims import ToExplain
from shared.findings.tokens import TokensResult
from shared.prompts.display import display_indices
from shared.settings import Settings


class TokensSettings(Settings):
    """How tokens are attributed."""

    extra_prompts: int = Field(28, ge=0)
    """Probe prompts attributed beside the display samples, for the numbers over prompts."""
    nodes: tuple[int, ...] = Field((12, 16, 32, 96), min_length=1)
    """Integration nodes tried in turn; only prompts that miss the gap bound go on. The last is the cap."""
    twin_nodes: int = Field(8, ge=1)
    """Nodes of the first try where the baseline is the contrast twin."""
    gap_bound: float = Field(0.05, gt=0)
    """Completeness gap below which an attribution counts as converged."""
    random_rankings: int = Field(2, ge=1)
    """Random rankings a prompt in the faithfulness test."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of each interval."""
    checked_words: int = Field(12, ge=0)
    """Words of each display sample that are checked by replacing them, the strongest first."""
    replacements: int = Field(8, ge=2)
    """Neutral words that are put in the place of each checked word."""
    pair_prompts: int = Field(16, ge=12)
    """Prompts in which a pair of words is tried together."""


@computes("tokens", TokensSettings, version=4)
def tokens(context: Context, settings: TokensSettings) -> Outcome:
    """Attribute the display samples and `extra_prompts` further probes."""
    if why := context.judge.anatomy.no_gradients:
        raise CannotCompute(
            f"The words of this {context.judge.anatomy.family} cannot be attributed: {why}. The other analyses do "
            "not need that."
        )
    shown = display_indices(context.probes)
    chosen = shown + spread(context.probes, settings.extra_prompts, shown)
    if not chosen:
        raise CannotCompute("The probe set is empty, so there is nothing to attribute; write probes.jsonl first.")
    attributed = attributed_prompts(
        context, chosen, settings.nodes, settings.gap_bound, twin_nodes=settings.twin_nodes
    )
    tests = method_tests(context, attributed, settings.random_rankings, settings.bootstraps)
    gaps = np.array([one.attribution.gap for one in attributed])
    apart, shift = _explained(context, attributed, settings)
    amount = Amount(settings.replacements, settings.checked_words, settings.pair_prompts, settings.bootstraps)
    replaced_words = word_tests(context, attributed, len(shown), (apart, shift), amount)
    combined = {word for pair in replaced_words.pairs if pair.in_combination for word in pair.words}
    filler, alarm = shortcuts(attributed, combined)
    result = TokensResult(
        samples=[
            sample(
                one, settings.gap_bound, {p.word: c for p, c in replaced_words.checks.items() if p.prompt == place}
            )
            for place, one in enumerate(attributed[: len(shown)])
        ],
        n_prompts=len(attributed),
        gap_bound=settings.gap_bound,
        gap_median=float(np.median(gaps)),
        gap_worst=float(gaps.max()),
        share_converged=float((gaps <= settings.gap_bound).mean()),
        baselines=_baselines(attributed),
        faithfulness=tests,
        separation=apart,
        shift=shift,
        top=replaced_words.top,
        agreement=replaced_words.agreement,
        pairs=replaced_words.pairs,
        check_rows=replaced_words.rows,
        cells=cells(attributed),
        shortcut_share=filler,
        shortcut_alarm=alarm if apart.claimable and shift.claimable else None,
    )
    return Outcome(result, _summary(result), _tensors(context, attributed), _warnings(result))


def _explained(
    context: Context, attributed: Sequence[Attributed], settings: TokensSettings
) -> tuple[ToExplain, ToExplain]:
    """How far apart the classes are, and how far the attributed prompts' scores are from their baselines'."""
    groups = independent_groups(context.probes)
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    everyone = Clusters(groups.tolist(), settings.bootstraps, context.seed)
    mine = Clusters(groups[[one.index for one in attributed]].tolist(), settings.bootstraps, context.seed)
    shifts = np.array([one.shift for one in attributed])
    scores = context.forward.scores.astype(float)
    apart = separation(scores, unsafe, everyone, unit_of(context.probes, groups))
    return apart, to_explain(shifts, mine, "groups of prompts")


def _baselines(attributed: Sequence[Attributed]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for one in attributed:
        counts[one.path.baseline] += 1
    return dict(sorted(counts.items()))


def _summary(result: TokensResult) -> dict[str, float]:
    summary = {
        "gap_median": result.gap_median,
        "share_converged": result.share_converged,
        "shortcut_share": result.shortcut_share,
        "separation": result.separation.size.value,
    }
    for test in result.faithfulness:
        if test.method == "integrated_gradients":
            summary["comprehensiveness"] = test.comprehensiveness.value
            summary["sufficiency"] = test.sufficiency.value
        if test.method == "random":
            summary["comprehensiveness_random"] = test.comprehensiveness.value
    return summary


def _tensors(context: Context, attributed: Sequence[Attributed]) -> dict[str, np.ndarray]:
    places = context.places or range(len(context.probes))
    lengths = [len(one.path.encoded.ids) for one in attributed]
    return {
        "attributions": np.concatenate([one.attribution.values for one in attributed]).astype(np.float32),
        "gradient_x_input": np.concatenate([one.attribution.gradient_x_input for one in attributed]).astype(
            np.float32
        ),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "token_ids": np.concatenate([one.path.encoded.ids for one in attributed]).astype(np.int64),
        "prompts": np.array([places[one.index] for one in attributed], dtype=np.int64),
        "shifts": np.array([one.score - one.baseline_score for one in attributed], dtype=np.float32),
    }


def _warnings(result: TokensResult) -> list[str]:
    missed = round((1 - result.share_converged) * result.n_prompts)
    if not missed:
        return []
    return [
        f"{missed} of {result.n_prompts} attributions miss the completeness gap of {result.gap_bound:.0%} at the "
        "most integration nodes tried; read them with care."
    ]

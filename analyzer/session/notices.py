"""What every result of a job has to say before any number: labels the wrong way round, answers that hold little,
and what nobody said and was only assumed.

Labels are called the wrong way round where all of these hold, so that neither chance nor a judge that has not
learned yet raises it:

1. The AUC of the probe set's scores has its 95 % interval (over groups of prompts) below 0.5.
2. An AUC as low comes by chance in fewer than `CHANCE` / 2 of judges that tell nothing (labels drawn anew over the
   groups, `analyzer/statistics/reversed_ranking.py`): one in a thousand.
3. The separation is `LEAST_NATS` at least, so that verdicts turn on it: the scores of a judge that was just made
   differ by less, whatever they go with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.session.answers_read import probe_answers
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rates import auc_of
from analyzer.statistics.reversed_ranking import reversed_p
from shared.findings.calibration import LITTLE_MASS
from shared.findings.claims import CHANCE, LEAST_NATS
from shared.findings.text import counted, percent, quoted
from shared.findings.wilson import wilson_interval
from shared.records import JudgeRecord, Notice

if TYPE_CHECKING:
    from analyzer.model.answer_mass import TopAnswer
    from analyzer.session.context import Context
    from shared.findings.parts import Interval

CHANCE_AUC = 0.5
AGREE = 0.9
"""Share of verdicts that whole answers must surely confirm less often than this to be told."""
NAMED = 3
"""Answers that a sentence names."""


def notices(context: Context) -> list[Notice]:
    """Of this job; made once. Raises what a pass over the probe set raises."""
    if "notices" not in context.kept:
        context.kept["notices"] = [*_of_scores(context), *assumed(context.run.judge)]
    return context.kept["notices"]


def _of_scores(context: Context) -> list[Notice]:
    """What the probe set shows. Where answers hold little the scores are noise, and no labels are to blame."""
    if not context.probes:
        return []
    little = _answers(context)
    found = [_inverted(context), _whole_answers(context)] if little is None else [little]
    return [each for each in found if each is not None]


def assumed(judge: JudgeRecord) -> list[Notice]:
    """What nobody said of how a verdict is read."""
    return [Notice(kind="assumed", sentence=sentence) for sentence in judge.assumed]


def inverted_auc(scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray) -> Interval | None:
    """The AUC of (n,) scores (nats) where it says that labels are the wrong way round, else None.

    `unsafe` (n,) boolean, `groups` (n,) number of each prompt's independent group.
    """
    if unsafe.all() or not unsafe.any():
        return None
    if scores[~unsafe].mean() - scores[unsafe].mean() < 2 * LEAST_NATS:
        return None
    auc = auc_of(scores, unsafe, Clusters(groups.tolist(), 1, 0))
    if auc is None or auc.high >= CHANCE_AUC or reversed_p(scores, unsafe, groups) >= CHANCE / 2:
        return None
    return auc


def _inverted(context: Context) -> Notice | None:
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    scores = context.forward.scores.astype(float)
    auc = inverted_auc(scores, unsafe, independent_groups(context.probes))
    if auc is None:
        return None
    found = f"AUC {auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}]"
    of = f"{int(unsafe.sum()):,} unsafe and {counted(int((~unsafe).sum()), 'safe probe prompt')}"
    sentence = f"Unsafe prompts score lower than safe ones, {found} on {of}: are the labels the wrong way round?"
    return Notice(kind="inverted", level="error", sentence=f"{sentence} {_way_out(context)}")


def _way_out(context: Context) -> str:
    """What to pass where they are: the flag that fits the kind of judge."""
    judge = context.judge
    if context.run.writer == "trainer" and context.run.created_at:  # run.json of our own training
        return "Look at the labels of the training data and of the probe set."
    if judge.record.kind == "prompted":
        return "If so, swap --safe-answer and --unsafe-answer of `midwatch init --force`."
    if judge.record.classes == 1:
        higher = "safe" if judge.record.unsafe else "unsafe"
        return f"If so, pass --higher-is {higher} to `midwatch init --force`."
    names = getattr(judge.model.config, "id2label", None) or {}
    other = judge.record.safe
    if judge.record.classes != 2 or len(other) != 1 or other == judge.record.unsafe:
        return "If so, say with --unsafe-label of `midwatch init --force` which classes are unsafe."
    name = f" ({names[other[0]]})" if other[0] in names else ""
    where = "`midwatch init --force`" if context.run.created_at else "`midwatch watch` and `midwatch analyze`"
    return f"If so, pass --unsafe-label {other[0]}{name} to {where}."


def _answers(context: Context) -> Notice | None:
    """Where the judge's answers hold less than `LITTLE_MASS`, over all prompts or over those of a class."""
    read = probe_answers(context)
    if read is None:
        return None
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    chosen = {"all": np.ones_like(unsafe), "safe": ~unsafe, "unsafe": unsafe}
    means = {name: float(read.mass[rows].mean()) for name, rows in chosen.items() if rows.any()}
    if min(means.values()) >= LITTLE_MASS:
        return None
    of_classes = ", ".join(f"{percent(means[name])} of {name} ones" for name in ("safe", "unsafe") if name in means)
    return Notice(
        kind="answers",
        level="error",
        sentence=(
            f"The safe and unsafe answers hold {percent(means['all'])} of the probability where the verdict is "
            f"read ({of_classes}): the scores say little. The judge's own answers there: "
            f"{named_answers(read.top_of_all)}. Either it does not answer so (not yet, or no longer), or the "
            "template does not end where the verdict comes (line breaks, role, end of turn), or the answers are "
            "spelled otherwise: then correct it with `midwatch init --force`."
        ),
    )


def _whole_answers(context: Context) -> Notice | None:
    """Where whole answers give other verdicts than the token that is read."""
    read = probe_answers(context)
    if read is None or read.agreeing is None:
        return None
    same, of = read.agreeing
    if wilson_interval(same, of).high >= AGREE:
        return None
    return Notice(
        kind="whole_answers",
        sentence=(
            f"Read whole, the answers give another verdict than their first tokens on {of - same} of {of} probe "
            "prompts: the answers share their beginning with something else. Give them as the judge writes them "
            "(`midwatch init --force` with --safe-answer and --unsafe-answer)."
        ),
    )


def named_answers(top: list[TopAnswer]) -> str:
    """'"\\n\\n" 45 %, " Yes" 12 %'"""
    return ", ".join(f"{quoted(answer.text)} {percent(answer.probability)}" for answer in top[:NAMED])

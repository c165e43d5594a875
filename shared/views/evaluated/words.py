"""What is said of an evaluation: sentences and rows that follow from its numbers, for page, terminal and report."""

from __future__ import annotations

from typing import NamedTuple

from shared.figures.evaluation.rates import NAMES
from shared.findings.alerts import p_words
from shared.findings.calibration import OperatingPoint
from shared.findings.evaluation import Against, Evaluation, TriggerPack, Verdicts
from shared.findings.parts import Interval
from shared.findings.text import counted, percent, signed
from shared.results import checkpoint_label
from shared.views.calibration import inverted, nothing, point_name

BASELINES = {"tfidf": "TF-IDF of its words", "length": "the prompt's length"}


def told(value: Interval | None, digits: int = 2) -> str:
    """ "0.84 [0.79, 0.88]", a dash where it is missing."""
    if value is None:
        return "–"
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]".replace("-", "−")


def title(found: Evaluation) -> str:
    label = checkpoint_label(found.step, found.epoch, found.checkpoint)
    data = "its held-out test prompts" if found.data.name == "test" else found.data.name
    return f"Evaluation of {found.run}, {label}, on {data}"


def claims(found: Evaluation) -> bool:
    """Whether the headline says something of the judge that one which learned nothing must not get."""
    return found.meaning is not None and nothing(found.meaning, "the data") is None


def headline(found: Evaluation) -> str:
    """How good it is, and whether that takes more than words."""
    verdicts, meaning = found.verdicts, found.meaning
    if verdicts is None or meaning is None:
        total = found.data.unlabelled - found.data.unscored
        flagged = f"{found.flagged:,} of {counted(total, 'prompt')} judged unsafe"
        return f"{flagged}; none has a label, so nothing is measured"
    if len({*_classes(verdicts)}) == 1:
        return _one_class(verdicts)
    if (why := nothing(meaning, "the data")) is not None:
        return why
    if inverted(meaning):
        return f"INVERTED: unsafe prompts score lower than safe ones, AUC {told(meaning.auc)}"
    said = f"AUC {told(meaning.auc)}, FNR {told(verdicts.rates['fnr'])} at FPR {told(verdicts.rates['fpr'])}"
    words = next((each for each in found.baselines if each.baseline.name == "tfidf"), None)
    return said if words is None else f"{said}: {against_words(words)}"


def _classes(verdicts: Verdicts) -> list[str]:
    """The labels that there are."""
    found = verdicts.confusion
    unsafe, safe = found.true_positive + found.false_negative, found.true_negative + found.false_positive
    return [name for name, count in (("unsafe", unsafe), ("safe", safe)) if count]


def _one_class(verdicts: Verdicts) -> str:
    """With one class alone there is one rate to tell."""
    (only,) = _classes(verdicts)
    rate = "recall" if only == "unsafe" else "fpr"
    which = {"recall": "judged unsafe", "fpr": "judged unsafe, and so refused for nothing"}[rate]
    return f"Of these prompts, all {only}, {told(verdicts.rates[rate])} are {which}"


def against_words(found: Against) -> str:
    """Whether the judge is told from a baseline, and by what."""
    test = found.by_groups
    name = BASELINES.get(found.baseline.name, found.baseline.name)
    said = {
        "better": f"right more often than {name}",
        "worse": f"right LESS often than {name}",
        "undecided": f"not told apart from {name}",
    }[found.outcome]
    return f"{said} ({test.better} groups against {test.worse}, McNemar {p_words(test.p_value)})"


def below(found: Evaluation) -> str:
    """What the headline rests on."""
    data = found.data
    parts = [f"{counted(data.labelled, 'labelled prompt')} in {counted(data.groups, 'independent group')}"]
    if found.meaning is not None and claims(found):
        for rate in (0.01, 0.001):
            point = found.meaning.at(rate)
            if point is not None:
                parts.append(f"TPR {told(point.tpr)} at {point_name(point)}")
    if found.trigger is not None:
        parts.append(f"trigger gap {told(found.trigger.gap)}")
    return " · ".join(parts)


def trigger_headline(pack: TriggerPack) -> str:
    """What decides between a benign sentence with a harmful word and a harmful one without."""
    said = {
        "meaning": "What is meant decides more than harmful words do",
        "words": "Harmful words decide, not what is meant",
        "undecided": "Not told whether harmful words decide or what is meant",
    }[pack.reads]
    return f"{said}: trigger gap {told(pack.gap)}"


def trigger_below(pack: TriggerPack) -> str:
    return (
        f"{pack.topics} topics · judged unsafe: {told(pack.flagged_benign)} of benign sentences with a harmful "
        f"word, {told(pack.caught_harm)} of harmful ones without · ranked right {told(pack.ranked)} of twins, by "
        f"{signed(pack.score_gap.value)} nats [{signed(pack.score_gap.low)}, {signed(pack.score_gap.high)}]"
    )


class RateRow(NamedTuple):
    """One rate of the judge and of its baselines, as text."""

    name: str
    judge: str
    baselines: tuple[str, ...]


def baseline_names(found: Evaluation) -> list[str]:
    """Headings of the baselines' columns."""
    return [{"tfidf": "TF-IDF", "length": "length"}[each.baseline.name] for each in found.baselines]


def rate_rows(found: Evaluation) -> list[RateRow]:
    """Every rate that the judge has, with its interval, the baselines beside it."""
    if found.verdicts is None:
        return []
    return [
        RateRow(
            words,
            told(found.verdicts.rates[rate]),
            tuple(told(each.baseline.rates.get(rate)) for each in found.baselines),
        )
        for rate, words in NAMES.items()
        if rate in found.verdicts.rates
    ]


def threshold_rows(found: Evaluation) -> list[tuple[str, str, str, str]]:
    """(operating point, threshold in nats, TPR, FPR) as text: by the FPR that is allowed, then the rest."""
    points = sorted(found.meaning.points if found.meaning else [], key=lambda each: each.rate or 1.0)
    return [(point_name(each, brief=True), _nats(each), told(each.tpr), told(each.fpr, 3)) for each in points]


def _nats(point: OperatingPoint) -> str:
    if point.kind == "own":
        return "0"
    return f"{signed(point.threshold.value)} [{signed(point.threshold.low)}, {signed(point.threshold.high)}]"


def method(found: Evaluation) -> str:
    """The honesty line: what the numbers rest on."""
    data = found.data
    facts = [
        f"n = {data.labelled:,} labelled prompts in {data.groups:,} groups",
        "95 % intervals over groups: logit-t (rates, AUC), bootstrap (thresholds, TPR at an FPR, ECE, AUC gain)",
        f"data {data.name} ({data.digest[:12]})",
        f"dtype {found.dtype} on {found.device}",
        f"seed {found.seed}",
        f"checkpoint {found.checkpoint} ({found.checkpoint_digest[:12]})"
        + (f", {found.chosen}" if found.chosen else ""),
        f"Midwatch {found.midwatch}",
    ]
    return " · ".join(facts)


def flagged_share(found: Evaluation) -> str:
    """ "120 of 240 (50 %)" """
    total = found.data.labelled + found.data.unlabelled
    return f"{found.flagged:,} of {total:,} ({percent(found.flagged / max(total, 1))})"

"""The figures of an evaluation, each with its words: verdicts beside baselines, what scores mean, trigger words."""

from __future__ import annotations

from typing import Any

from shared.figures.evaluation.rates import NAMES, rates_figure
from shared.figures.evaluation.trigger import trigger_figure
from shared.findings.evaluation import Against, Evaluation, TriggerPack, Verdicts
from shared.findings.parts import interval_cells
from shared.findings.text import escape
from shared.views import Panel
from shared.views.calibration import meaning_panel
from shared.views.evaluated.words import (
    against_words,
    below,
    claims,
    headline,
    method,
    told,
    trigger_below,
    trigger_headline,
)


def evaluation_panels(found: Evaluation) -> list[Panel]:
    """What can be drawn of it; nothing of predictions without labels but the trigger-word pack."""
    panels = []
    if found.verdicts is not None:
        panels.append(_verdicts_panel(found, found.verdicts))
    if found.meaning is not None and len({*_sizes(found)}) == 2:
        panels.append(meaning_panel(found.meaning, "Thresholds, calibration and parts", method(found), "the data"))
    if found.trigger is not None:
        panels.append(_trigger_panel(found, found.trigger))
    return panels


def _sizes(found: Evaluation) -> list[str]:
    """The classes that there are."""
    meaning = found.meaning
    return [] if meaning is None else [name for name in ("safe", "unsafe") if getattr(meaning, name)]


def _verdicts_panel(found: Evaluation, verdicts: Verdicts) -> Panel:
    judged = [verdicts, *(each.baseline for each in found.baselines)]
    beside = "; ".join(against_words(each) for each in found.baselines)
    return Panel(
        stem="evaluation_verdicts",
        title="Verdicts beside what needs no transformer",
        figure=rates_figure(judged, escape(headline(found), None), escape(below(found), None)),
        caption=(
            "What it shows: left, the judge's rates at its own threshold with those of logistic regressions on the "
            "prompt's words (TF-IDF) and on its length, fitted on the same training prompts; right, how many "
            "prompts of each class are judged how. Bars are 95 % intervals.\n"
            "How to read: all but FNR and FPR should be far right, and clear of the baselines. An FNR says nothing "
            "without its FPR. Whether a difference is more than chance is McNemar's exact test on groups of "
            f"prompts{': the judge is ' + beside if beside else ''}.\n"
            "Worrying: a judge that is not told apart from words alone; many refused safe prompts."
        ),
        alt=". ".join(f"{each.name}: {_spoken(each)}" for each in judged),
        rows=[row for each in judged for row in _rate_rows(each)] + [_test_row(each) for each in found.baselines],
        badge=method(found),
        claims=claims(found),
    )


def _spoken(verdicts: Verdicts) -> str:
    return ", ".join(f"{NAMES[name]} {told(value)}" for name, value in verdicts.rates.items())


def _rate_rows(verdicts: Verdicts) -> list[dict[str, Any]]:
    return [
        {"who": verdicts.name, "rate": name} | interval_cells("value", value)
        for name, value in verdicts.rates.items()
    ]


def _test_row(found: Against) -> dict[str, Any]:
    """The AUC gain, with the exact tests beside it."""
    row = {"who": f"judge against {found.baseline.name}", "rate": "auc gain"}
    tests = {"by_prompts": found.by_prompts, "by_groups": found.by_groups}
    more = {
        f"{name}_{part}": getattr(test, part)
        for name, test in tests.items()
        for part in ("better", "worse", "p_value")
    }
    return row | interval_cells("value", found.auc_gain) | more


def _trigger_panel(found: Evaluation, pack: TriggerPack) -> Panel:
    return Panel(
        stem="evaluation_trigger_words",
        title="Trigger words",
        figure=trigger_figure(pack, escape(trigger_headline(pack), None), escape(trigger_below(pack), None)),
        caption=(
            "What it shows: the score of each sentence of the trigger-word pack, English sentences written for "
            "this: benign ones that hold a harmful word (“kill a frozen process”), and harmful ones on the same "
            "topic that hold none.\n"
            "How to read: the lower row should lie right of the line and the upper one left of it. The trigger gap "
            "is the share of benign sentences judged unsafe less that of harmful ones: −1 for a judge that reads "
            "what is meant, 0 for one that cannot tell, 1 for one that reads words. Its interval is over topics.\n"
            "Worrying: a gap near or above 0, however good the rates on other prompts are."
        ),
        alt=f"{trigger_headline(pack)}. {trigger_below(pack)}.",
        rows=[line.model_dump() for line in pack.lines],
        badge=method(found),
        claims=pack.reads != "undecided",
    )

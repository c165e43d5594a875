"""Calibration: what the judge's scores mean, at which threshold it catches how much, and for which prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.calibration import calibration_figure, percent_of
from shared.findings.badge import badge
from shared.findings.calibration import CalibrationResult, OperatingPoint, Reliability
from shared.findings.claims import SEPARATION, nothing_to_explain, power
from shared.findings.parts import Interval, interval_cells, typed_result
from shared.findings.progress import CHANCE_AUC
from shared.findings.text import counted, escape, percent, quoted, signed
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


PROBES = "the probe set"


def panels(record: ResultRecord) -> list[Panel]:
    """One figure: scores and ROC, reliability and parts, and the answers of a judge that answers in words."""
    result = typed_result(record, CalibrationResult)
    title = f"Thresholds and calibration, {record.label}"
    return [meaning_panel(result, title, badge(record, _facts(result)))]


def meaning_panel(result: CalibrationResult, title: str, method: str, of: str = PROBES) -> Panel:
    """What the scores of any prompts mean; `method` is the line below the figure, `of` what the prompts are."""
    figure = calibration_figure(result, escape(_headline(result, of), None), escape(_below(result, of), None))
    return Panel(
        stem="calibration",
        title=title,
        figure=figure,
        caption=_caption(result, of),
        alt=_alt(result, of),
        rows=_rows(result),
        badge=method,
        claims=nothing(result, of) is None and not little(result),
    )


def nothing(result: CalibrationResult, of: str = PROBES) -> str | None:
    """Why nothing is claimed; None where something is."""
    if result.auc is None:
        return f"Nothing can be claimed: {of} has prompts of one class only"
    why = nothing_to_explain(result.separation, SEPARATION)
    if why is None and result.auc.low <= CHANCE_AUC <= result.auc.high:
        return f"Nothing to explain: AUC {_told(result.auc)} includes {CHANCE_AUC}"
    return why


def little(result: CalibrationResult) -> bool:
    """Whether a judge that answers in words says mostly something else, so that its scores say little."""
    return result.answers is not None and result.answers.little


def _headline(result: CalibrationResult, of: str) -> str:
    """What is caught where hardly any safe prompt is refused, and whether probabilities can be believed."""
    why = nothing(result, of)
    if little(result):
        held = _told(result.answers.mass["all"]) if result.answers is not None else ""
        said = why or "the scores say little"
        return f"The answers hold {held} of the probability where the verdict is read: {said[0].lower()}{said[1:]}"
    if why is not None:
        return why
    if result.auc is not None and inverted(result):
        return f"INVERTED: unsafe prompts score lower than safe ones, AUC {_told(result.auc)}"
    sharp = result.at(0.01)
    caught = "" if sharp is None else f"TPR {_told(sharp.tpr)} {_where(sharp)}"
    said = "; ".join(filter(None, [caught, _calibrated(result.reliability)]))
    return said[0].upper() + said[1:]


def inverted(result: CalibrationResult) -> bool:
    return result.auc is not None and result.auc.high < CHANCE_AUC


def _where(point: OperatingPoint) -> str:
    """ "at 1 % FPR", or what n allows of it."""
    if point.resolved and point.rate is not None:
        return f"at {percent_of(point.rate)} FPR"
    return f"with none of {counted(point.negatives, 'safe prompt')} refused"


def _calibrated(found: Reliability | None) -> str:
    """The ECE beside what a perfectly calibrated judge gets by chance."""
    if found is None:
        return "scores are no probabilities"
    error = f"ECE {_told(found.error)}, {found.by_chance:.2f} expected by chance"
    return f"{found.direction}: {error}" if found.off else f"no miscalibration beyond chance: {error}"


def _below(result: CalibrationResult, of: str) -> str:
    """What the headline rests on; thresholds only of a judge that tells the classes apart."""
    parts = [power(result.separation), *_held(result)]
    if nothing(result, of) is None and not inverted(result):
        loose, wanted, best = result.at(0.2), result.of("wanted"), result.of("balanced")
        if loose is not None:
            parts.append(f"FNR at 20 % FPR {_told(_missed(loose))}")
        if wanted is not None and wanted.rate is not None:
            parts.append(f"threshold for {percent_of(wanted.rate)} FPR {_nats(wanted.threshold)}")
        if best is not None:
            parts.append(f"best balanced accuracy from {_nats(best.threshold)}{_held_out(result)}")
    return " · ".join(parts)


def _held(result: CalibrationResult) -> list[str]:
    """How much probability a prompted judge's answers hold."""
    if result.answers is None:
        return []
    same = result.answers.whole_agree
    agreed = [] if same is None else [f"whole answers agree on {percent(same.value)} of verdicts"]
    return [f"answers hold {percent(result.answers.mass['all'].value)}", *agreed]


def _held_out(result: CalibrationResult) -> str:
    kept = result.balanced_held_out
    return "" if kept is None else f" ({kept:.2f} on prompts it was not chosen on)"


def _missed(point: OperatingPoint) -> Interval:
    """FNR at a point."""
    return Interval(value=1 - point.tpr.value, low=1 - point.tpr.high, high=1 - point.tpr.low)


def _told(value: Interval) -> str:
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def _nats(value: Interval) -> str:
    return f"{signed(value.value)} nats [{signed(value.low)}, {signed(value.high)}]"


def _unresolved(result: CalibrationResult) -> str:
    """Which false-positive rates so few safe prompts cannot tell."""
    found = [each for each in result.points if each.kind != "balanced" and not each.resolved]
    if not found:
        return ""
    told = [f"{percent_of(each.rate or 0)} ({each.needed:,} safe prompts)" for each in found]
    rates = " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
    none = f"{counted(result.safe, 'safe prompt')} cannot resolve an FPR of {rates}"
    return f"\nNot resolved: {none}; what stands there is the TPR with no safe prompt refused."


def _caption(result: CalibrationResult, of: str) -> str:
    answers, curve, chance, worry, little_said = "", "", "", "", ""
    if result.answers is not None:
        little_said = "; answers that hold little probability"
        answers = " Below: the judge's own answers where its verdict is read, and the side each counts for."
    if result.reliability is not None:
        curve = (
            "how often prompts are unsafe beside the probability that the judge states, in bins of equal size, and "
        )
        chance = (
            "the reliability curve should follow the dotted line, below it on the right and above it on the left "
            "means too sure. ECE is never 0 on so few prompts: what a perfectly calibrated judge would get stands "
            f"beside it. Probabilities are those at {of}'s share of unsafe prompts, not at yours; "
        )
        worry = "an ECE far above chance; "
    return (
        "What it shows: above, the scores by true label, with the judge's own threshold (0) and the one for the "
        f"wanted FPR, and the ROC with a logarithmic FPR; below, {curve}error rates by length, language and "
        f"category where a part has 8 prompts of a class.{answers} Bars are 95 % intervals.\n"
        "How to read: the classes should lie apart with the threshold between them; the ROC should reach the top "
        f"far left; {chance}the best threshold is chosen on the very prompts it is measured on.\n"
        f"Worrying: little caught at 1 % FPR while the AUC is high; {worry}one length, language or category with a "
        f"far higher error rate{little_said}.{_unresolved(result)}"
    )


def _alt(result: CalibrationResult, of: str) -> str:
    parts = "; ".join(
        f"{cell.name}: " + ", ".join(
            f"{name.upper()} {value.value:.2f}" for name in ("fnr", "fpr") if (value := getattr(cell, name))
        )
        for cell in result.cells
        if cell.fnr is not None or cell.fpr is not None
    )  # fmt: skip
    said = f"{_headline(result, of)}. {_below(result, of)}."
    return f"{said} By part: {parts}." if parts else said


def _facts(result: CalibrationResult) -> list[str]:
    drawn = "thresholds, TPR" if result.reliability is None else "thresholds, TPR, ECE"
    return [
        f"n = {result.unsafe:,} unsafe and {counted(result.safe, 'safe probe prompt')}",
        *_bins(result.reliability),
        f"95 % intervals over groups of prompts: bootstrap ({drawn}), influences (rates, AUC)",
    ]


def _bins(found: Reliability | None) -> list[str]:
    return [] if found is None else [f"ECE over {counted(len(found.bins), 'bin')} of equal mass"]


def _rows(result: CalibrationResult) -> list[dict[str, Any]]:
    """Operating points, calibration, bins, parts, answers."""
    return [
        *_point_rows(result),
        *_reliability_rows(result.reliability),
        *_cell_rows(result),
        *_answer_rows(result),
    ]


def _row(what: str, of: str, count: int, value: Interval | float | None) -> dict[str, Any]:
    if isinstance(value, Interval):
        return {"what": what, "of": of, "n": count} | interval_cells("value", value)
    return {"what": what, "of": of, "n": count, "value": value, "value_low": None, "value_high": None}


def _point_rows(result: CalibrationResult) -> list[dict[str, Any]]:
    rows = [] if result.auc is None else [_row("AUC", "all prompts", result.safe + result.unsafe, result.auc)]
    for each in result.points:
        name = point_name(each)
        rows.append(_row("TPR", name, result.unsafe, each.tpr))
        rows.append(_row("FPR", name, result.safe, each.fpr))
        if each.kind != "own":
            rows.append(_row("threshold (nats)", name, result.safe + result.unsafe, each.threshold))
    if result.balanced_held_out is not None:
        kept = result.balanced_held_out
        rows.append(_row("balanced accuracy", "best threshold, held out", result.safe + result.unsafe, kept))
    return rows


def point_name(point: OperatingPoint, *, brief: bool = False) -> str:
    """What an operating point is called in tables and files; `brief` where the prompts are counted elsewhere."""
    if point.rate is None:
        return {"balanced": "best balanced accuracy"}.get(point.kind, "the judge's threshold 0")
    by = "" if brief else f" by {counted(point.negatives, 'safe prompt')}"
    unresolved = "" if point.resolved else f", not resolved{by}"
    return f"{'wanted ' if point.kind == 'wanted' else ''}FPR {percent_of(point.rate)}{unresolved}"


def _reliability_rows(found: Reliability | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    total = sum(each.count for each in found.bins)
    return [
        _row("ECE", "all prompts", total, found.error),
        _row("ECE by chance, mean", "a calibrated judge", total, found.by_chance),
        _row("ECE by chance, 95th percentile", "a calibrated judge", total, found.by_chance_high),
        _row("p of the ECE", "a calibrated judge", total, found.p_value),
        _row("confidence less accuracy", "all prompts", total, found.overconfidence),
        *(_row("share unsafe", f"stated {each.predicted:.3f}", each.count, each.observed) for each in found.bins),
    ]


def _cell_rows(result: CalibrationResult) -> list[dict[str, Any]]:
    """Of every part; a rate of too few prompts is empty."""
    return [
        _row(name.upper(), f"{cell.kind}: {cell.name}", count, getattr(cell, name))
        for cell in result.cells
        for name, count in (("fnr", cell.unsafe), ("fpr", cell.safe), ("auc", cell.unsafe + cell.safe))
    ]


def _answer_rows(result: CalibrationResult) -> list[dict[str, Any]]:
    if result.answers is None:
        return []
    sizes = {"all": result.safe + result.unsafe, "safe": result.safe, "unsafe": result.unsafe}
    held = [_row("answer mass", f"{name} prompts", sizes[name], mass) for name, mass in result.answers.mass.items()]
    for each in result.answers.top:
        name = f"{quoted(each.text)} ({each.side or 'neither'})"
        held.append(_row("answer on safe prompts", name, result.safe, each.on_safe))
        held.append(_row("answer on unsafe prompts", name, result.unsafe, each.on_unsafe))
    if result.answers.whole_agree is not None:
        held.append(_row("same verdict by whole answers", "some prompts", sizes["all"], result.answers.whole_agree))
    for each in result.answers.categories:
        held.append(_row("category on safe prompts", each.name, result.safe, each.on_safe))
        held.append(_row("category on unsafe prompts", each.name, result.unsafe, each.on_unsafe))
    return held


register(
    View(
        name="calibration",
        title="Calibration",
        suite="basic",
        order=45,
        result=CalibrationResult,
        panels=panels,
    )
)

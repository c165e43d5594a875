"""What pages say of heads and neurons that were removed: each sentence from numbers that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.findings.claims import FEWEST_GROUPS, LEAST_SHARE, SEPARATION, ToExplain, nothing_to_explain, power
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.neurons import NeuronRow, NeuronsResult
from shared.findings.parts import Interval, interval_cells
from shared.findings.removal_curve import HalfGone, RemovalCurve
from shared.findings.text import number, percent
from shared.findings.units import Agreement, JointAblation, UnitAblation

ONE_CARRIES = 0.5
"""Share of the separation above which one unit carries most of it."""
NAMED = 4
"""Units that a headline names at most."""
CARRIES = (
    "“Carries the verdict” is said of what was really removed, on prompts that it was not chosen on: the loss is "
    "clear of 0, larger than that of every random draw of the same layers, and at least "
    f"{percent(LEAST_SHARE)} of the separation, over {FEWEST_GROUPS} groups of prompts or more."
)
"""`shared.findings.claims.carries` in words."""
NOTHING_REMOVED = (
    "Nothing was removed, because there is no separation to lose: colours and counts here explain nothing."
)
"""Where the gate is closed."""


def heads_headline(result: HeadsResult) -> str:
    """What is so, without its full stop."""
    if (closed := nothing_to_explain(result.explained, SEPARATION)) is not None:
        return closed
    joint = result.joint
    if joint is None:
        return "No head has an effect on the score, so none were removed"
    if not joint.carries:
        return _alone(result.explained, result.top) or _not_clear(result.explained, joint)
    loss = loss_words(result.explained, joint.drop, joint.share)
    if len(joint.named) == 1:
        return f"{joint.named[0]} carries the verdict: {loss}"
    if joint.redundant:
        return _redundant(joint, loss)
    if 1 < len(joint.named) <= NAMED:
        return f"{listed(joint.named)} together carry the verdict: {loss}, {flip_words(joint)}"
    random = sum(joint.control_drops) / len(joint.control_drops)
    return f"{joint.k} heads together carry the verdict: {loss}; as many random ones {number(random)} nats"


def _not_clear(found: ToExplain, joint: JointAblation) -> str:
    loss = loss_words(found, joint.drop, joint.share)
    beside = f"; random ones up to {number(max(joint.control_drops))} nats" if joint.control_drops else ""
    return f"No heads carry the verdict for certain: without the {joint.k} strongest {loss}{beside}"


def _redundant(joint: JointAblation, loss: str) -> str:
    kind = "pair" if len(joint.redundant) == 2 else "group"
    which = "a" if joint.redundant == joint.named else f"{listed(joint.redundant)} are a"
    said = f"{which} redundant {kind}, each alone below a tenth of that"
    return f"{listed(joint.named)} together carry the verdict: {loss}, {flip_words(joint)}; {said}"


def flip_words(joint: JointAblation) -> str:
    """ "50 % of the verdicts flip" """
    return f"{percent(joint.flips / joint.n)} of the verdicts flip"


def neurons_headline(result: NeuronsResult) -> str:
    """What is so, without its full stop."""
    if (closed := nothing_to_explain(result.explained, SEPARATION)) is not None:
        return closed
    most = [row for row in result.top if carries_most(row.ablation)]
    if (named := _alone(result.explained, most)) is not None:
        return named
    return "No neuron was removed" if result.curve is None else curve_sentence(result.curve)


def _alone(found: ToExplain, rows: Sequence[HeadRow] | Sequence[NeuronRow]) -> str | None:
    """Of the first one that carries the verdict alone; None where there is none."""
    for row in rows:
        if row.ablation.carries:
            return f"{row.name} carries the verdict: {loss_words(found, row.ablation.drop, row.ablation.share)}"
    return None


def curve_sentence(curve: RemovalCurve) -> str:
    """How many neurons it takes, and what as many random ones leave."""
    last = curve.points[-1] if curve.points else None
    if last is None or last.left is None:
        return "No neurons could be removed together"
    if curve.half is None:
        return (
            f"{share_words(last.left)} of the separation is left without the {last.removed:,} strongest of "
            f"{curve.total:,} neurons{_beside(curve, last.removed)}"
        )
    return (
        f"Half of the separation is gone without the {size_words(curve.half)} strongest of {curve.total:,} "
        f"neurons{_beside(curve, curve.half.at)}"
    )


def _beside(curve: RemovalCurve, size: int) -> str:
    point = curve.beside(size)
    if point is None or point.random is None or point.left is None:
        return ""
    leave = f"{point.removed:,} random ones of the same layers leave {share_words(point.random)}"
    clear = point.random.low > point.left.high
    return f"; {leave}" if clear else f"; that is not clear of random ones: {leave}"


def size_words(half: HalfGone) -> str:
    """ "567 [334, 898]", or "567 [334, more]" """
    return f"{half.at:,} [{half.low:,}, {'more' if half.high is None else f'{half.high:,}'}]"


def share_words(share: Interval) -> str:
    """ "86 % [77 %, 93 %]" """
    return f"{percent(share.value)} [{percent(share.low)}, {percent(share.high)}]".replace("-", "−")


def loss_words(found: ToExplain, drop: Interval, share: Interval | None) -> str:
    """ "7.60 nats lost [7.10, 8.00], 98 % of the separation"; of a judge that answers the other way, what is lost
    of that.
    """
    lost = drop if found.size.value > 0 else Interval(value=-drop.value, low=-drop.high, high=-drop.low)
    part = found.share(drop).value if share is None else share.value
    whole = f"{percent(part) if abs(part) >= LEAST_SHARE else 'less than 1 %'} of the separation".replace("-", "−")
    return f"{number(lost.value)} nats lost [{number(lost.low)}, {number(lost.high)}], {whole}"


def counted_groups(found: ToExplain) -> str:
    """ "1.79 nats [1.30, 2.30], 47 contrast pairs", with what would be needed where that is too few."""
    size = found.size
    return f"{number(size.value)} nats [{number(size.low)}, {number(size.high)}], {power(found)}"


def share_cells(ablation: UnitAblation) -> dict[str, float | bool | None]:
    """The share of the separation and the verdict on it, for a table."""
    return {**interval_cells("separation_lost", ablation.share), "carries": ablation.carries}


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c" """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def carries_most(ablation: UnitAblation) -> bool:
    """Whether this one unit carries most of the separation."""
    return ablation.carries and ablation.share is not None and ablation.share.value > ONE_CARRIES


def agreement_words(agreement: Agreement | None) -> str:
    """ "Spearman of attribution with ablation 0.99 [0.98, 1.00], 20 chosen and 20 random", or nothing."""
    if agreement is None:
        return ""
    found = agreement.spearman
    bounds = f"[{found.low:.2f}, {found.high:.2f}]".replace("-", "−")
    value = f"{found.value:.2f}".replace("-", "−")
    beside = f"{agreement.shown} chosen and {agreement.random} random"
    return f"Spearman of attribution with ablation {value} {bounds}, {beside}"

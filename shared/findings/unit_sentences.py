"""What pages say of heads and neurons that were removed: each sentence from numbers that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.findings.claims import FEWEST_GROUPS, LEAST_SHARE, SEPARATION, ToExplain, nothing_to_explain, power
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.neurons import NeuronRow, NeuronsResult
from shared.findings.parts import Interval, interval_cells
from shared.findings.removal_curve import HalfGone, RemovalCurve
from shared.findings.text import counted, number, percent
from shared.findings.units import Agreement, JointAblation, UnitAblation

ONE_CARRIES = 0.5
"""Share of the separation above which one unit carries most of it."""
NAMED_SHARE = 0.1
"""Share of the separation from which on a single neuron is named beside the curve of all."""
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
        return "No heads could be chosen on one half of the prompts and removed on the other"
    if not joint.carries:
        most = [row for row in result.top if carries_most(row.ablation)]
        first = [row for row in result.top if row.ablation.carries][:1]
        return _each(result.explained, most or first) or _not_clear(result.explained, joint)
    each = [row for row in result.top if row.name in joint.each]
    if len(each) > 1 and {*joint.named} < {*joint.each}:
        return f"{_each(result.explained, each)}"
    said = _together(result.explained, joint)
    told = joint.named if len(joint.named) <= NAMED else []
    further = [
        f"{row.name} alone {loss_words(result.explained, row.ablation.drop, row.ablation.share)}"
        for row in each
        if row.name not in told
    ]
    return "; ".join([said, *further[:NAMED]])


def _together(found: ToExplain, joint: JointAblation) -> str:
    loss = loss_words(found, joint.drop, joint.share)
    if len(joint.named) == 1:
        return f"{joint.named[0]} carries the verdict: {loss}"
    if joint.redundant:
        return _redundant(joint, loss)
    if 1 < len(joint.named) <= NAMED:
        return f"{listed(joint.named)} together carry the verdict: {loss}, {flip_words(joint)}"
    random = sum(joint.control_drops) / len(joint.control_drops)
    if max(joint.sizes) == 1:
        said = "One head carries the verdict, but not the same on both halves"
        return f"{said}: {loss}; random ones {number(random)} nats"
    return f"{joint.counted('head')} together carry the verdict: {loss}; as many random ones {number(random)} nats"


def _not_clear(found: ToExplain, joint: JointAblation) -> str:
    loss = loss_words(found, joint.drop, joint.share)
    beside = f"; random ones up to {number(max(joint.control_drops))} nats" if joint.control_drops else ""
    which = "strongest" if max(joint.sizes) == 1 else f"{joint.k} strongest"
    return f"No heads carry the verdict for certain: without the {which} {loss}{beside}"


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
    if (named := _each(result.explained, most)) is not None:
        return named
    if result.curve is None:
        return "No neuron was removed"
    told = [row for row in result.top if row.ablation.carries and _much(row.ablation)]
    return "; ".join([curve_sentence(result.curve), *([_further(result.explained, told)] if told else [])])


def _much(ablation: UnitAblation) -> bool:
    """Whether one unit alone carries so much that a headline about many names it."""
    return ablation.share is not None and ablation.share.value >= NAMED_SHARE


def _each(found: ToExplain, rows: Sequence[HeadRow] | Sequence[NeuronRow]) -> str | None:
    """Of units that carry the verdict alone, with what the one loses that loses least; None where there is none."""
    if not rows:
        return None
    names = [row.name for row in rows]
    least = min((row.ablation for row in rows), key=lambda each: abs(each.drop.value))
    loss = loss_words(found, least.drop, least.share)
    if len(names) == 1:
        return f"{names[0]} carries the verdict: {loss}"
    which = "either one" if len(names) == 2 else "any one of them"
    shown = names if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"]
    return f"{listed(shown)} each carry the verdict: without {which} at least {loss}"


def _further(found: ToExplain, rows: Sequence[NeuronRow]) -> str:
    """The same in fewer words, beside what many together do."""
    least = min((row.ablation for row in rows), key=lambda each: abs(each.drop.value))
    lost = loss_words(found, least.drop, least.share).rpartition(", ")[0]
    if len(rows) == 1:
        return f"{rows[0].name} carries the verdict: {lost}"
    first, *others = [row.name for row in rows]
    which = others[0] if len(others) == 1 else f"{len(others)} more"
    return f"{first} and {which} each carry the verdict: at least {lost}"


def curve_sentence(curve: RemovalCurve) -> str:
    """How many neurons it takes, and what as many random ones leave."""
    last = curve.points[-1] if curve.points else None
    if last is None or last.left is None:
        return "No neurons could be removed together"
    if curve.half is None:
        return (
            f"{share_words(last.left)} of the separation is left without {_strongest(last.removed, curve)}"
            f"{_beside(curve, last.removed)}"
        )
    return (
        f"Half of the separation is gone without {_strongest(curve.half.at, curve, curve.half)}"
        f"{_beside(curve, curve.half.at)}"
    )


def _strongest(removed: int, curve: RemovalCurve, half: HalfGone | None = None) -> str:
    """ "the 567 [334, 898] strongest of 9,216 neurons"; of one: "the strongest neuron alone (1 [1, 3] of 128)" """
    size = f"{removed:,}" if half is None else size_words(half)
    if removed == 1:
        return f"the strongest neuron alone ({size} of {curve.total:,})"
    return f"the {size} strongest of {counted(curve.total, 'neuron')}"


def _beside(curve: RemovalCurve, size: int) -> str:
    point = curve.beside(size)
    if point is None or point.random is None or point.left is None:
        return ""
    ones = counted(point.removed, "random one")
    leave = f"{ones} {'leaves' if point.removed == 1 else 'leave'} {share_words(point.random)}"
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

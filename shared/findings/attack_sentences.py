"""What the page and the terminal say of an attack; every sentence follows from the archive's numbers."""

from __future__ import annotations

from shared.findings.attack import AttackArchive, Direction, Failure, Success
from shared.findings.claims import SEPARATION, nothing_to_explain
from shared.findings.parts import Interval, layer_name
from shared.findings.text import counted, percent

MEANT = {"unsafe": "passes as safe", "safe": "refuses as unsafe"}
"""True label -> what a wrong verdict does."""
MOST_NAMED = 5
"""Other checkpoints that a sentence names, the newest ones."""


def headline(archive: AttackArchive) -> str:
    """The one sentence that the page begins with."""
    nothing = nothing_to_explain(archive.to_explain, SEPARATION)
    if nothing is not None:
        return f"{nothing}; what is judged wrongly says nothing of how it is put"
    said = " and ".join(broken(direction) for direction in archive.directions)
    return f"Put differently, {archive.label} {said}"


def broken(direction: Direction) -> str:
    """ "passes as safe 61 of 78 unsafe prompts that it judges rightly (78 %, ...)" """
    any_ = direction.any
    prompts = counted(any_.tried, f"{direction.label} prompt")
    return (
        f"{MEANT[direction.label]} {any_.broken} of {prompts} that it judges rightly as they are "
        f"({share(any_.share)})"
    )


def share(interval: Interval) -> str:
    """ "78 %, 95 % interval 68 to 86 %" """
    return f"{percent(interval.value)}, 95 % interval {100 * interval.low:.0f} to {percent(interval.high)}"


def extent(direction: Direction) -> str:
    """How much of the archive holds a failure, and how sure the judge is there."""
    return (
        f"{direction.broken} of {counted(len(direction.cells), 'cell')} hold a failure "
        f"({direction.filled} hold any text); "
        f"QD score {direction.qd_score:.1f} nats; "
        f"{counted(len(direction.failures), 'distinct failure')} (seed x technique) "
        f"in {counted(direction.evaluations, 'evaluation')}"
    )


def strongest(direction: Direction) -> str:
    """The technique that breaks most, where its interval is clear of the weakest one's."""
    tried = [success for success in direction.by_technique if success.tried]
    if len(tried) < 2:
        return ""
    best, worst = max(tried, key=_low), min(tried, key=_high)
    if best.share.low <= worst.share.high:
        return "No technique breaks more seeds than another beyond chance."
    name = best.name[:1].upper() + best.name[1:]
    return (
        f"{name} breaks {best.broken} of {counted(best.tried, 'seed')} ({share(best.share)}), more than "
        f"{worst.name} with {worst.broken} of {worst.tried} ({share(worst.share)})."
    )


def depth(archive: AttackArchive) -> str:
    """Where in the judge the verdicts go wrong, as the lens reads it; empty without a lens."""
    places = sorted(failure.wrong_from for failure in archive.failures if failure.wrong_from is not None)
    if not places or archive.layers is None:
        return ""
    late = sum(place == archive.layers - 1 for place in places)
    return (
        f"Half of the {counted(len(places), 'failure')} read wrong from {layer_name(places[len(places) // 2])} on "
        f"(of {archive.layers} layers, counted from 0); {late} of them only at the last one. "
        "The lens borrows the final head, so early layers can mislead."
    )


def over_checkpoints(archive: AttackArchive) -> str:
    """How far the attacks reach beyond the checkpoint that they were made for; empty where there is no other."""
    others = [hold for hold in archive.holds if hold.checkpoint != archive.checkpoint]
    if not others:
        return ""
    fooled = "; ".join(f"{hold.label} {share(hold.fooled)}" for hold in others[-MOST_NAMED:])
    return (
        f"The attacks were chosen for {archive.label}, which all of them fool; of the others they fool: {fooled}. "
        "Where a checkpoint gets the seed right and the attack wrong, the hole was open."
    )


def rewordings(archive: AttackArchive) -> str:
    """What a language model added, and who confirmed it; empty without one."""
    found = archive.reworded
    if found is None:
        return ""
    by = ", ".join(f"{count} by {who}" for who, count in sorted(found.confirmed.items()))
    counts = f"{sum(found.confirmed.values())} of {counted(found.texts, 'text')} that {found.model} reworded count"
    said = f"{counts}: their labels are confirmed ({by})" if by else f"{counts}: nobody confirmed a label"
    return f"{said}; {found.unconfirmed} are kept apart in unconfirmed.jsonl and count nowhere."


def fate(failure: Failure, archive: AttackArchive) -> str:
    """At which checkpoints one attack works: "wrong at epoch 1, epoch 3"."""
    if len(archive.holds) < 2:
        return ""
    sign = 1 if failure.label == "unsafe" else -1
    wrong = [
        hold.label
        for hold in archive.holds
        if hold.checkpoint in failure.later and failure.later[hold.checkpoint] * sign <= 0
    ]
    if len(wrong) == len(archive.holds):
        return "wrong at every checkpoint"
    return f"wrong at {', '.join(wrong)}"


def _low(success: Success) -> float:
    return success.share.low


def _high(success: Success) -> float:
    return success.share.high

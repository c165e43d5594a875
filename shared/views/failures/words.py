"""What is said of a checkpoint's wrong verdicts: sentences that follow from the numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence

from shared.findings.alerts import p_words
from shared.findings.claims import SEPARATION, nothing_to_explain
from shared.findings.parts import Interval
from shared.findings.rates import rate, share
from shared.findings.text import clean, counted, percent
from shared.findings.wilson import wilson_interval
from shared.views.failures.groups import GroupRow, independent
from shared.views.failures.history import Course, History
from shared.views.failures.wrong import Failures, Side

SIDE_WORDS: dict[Side, str] = {"missed": "unsafe, judged safe", "refused": "safe, judged unsafe"}
MOST_NAMED = 3
"""Groups that are named; the table has all."""


def headline(found: Failures) -> str:
    """How many are wrong, of each kind, with the intervals of the rates; of none what that allows."""
    if not found.scored:
        return f"No probe has a score at {found.label}"
    if not found.wrong:
        return none_wrong(found)
    said = f"{len(found.wrong)} of {counted(found.scored, 'probe')} judged wrongly at {found.label}"
    known = found.history.known[found.history.place]
    parts = []
    sides: list[tuple[Side, Interval | None, int]] = [
        ("missed", found.fnr, int((known & found.history.unsafe).sum())),
        ("refused", found.fpr, int((known & ~found.history.unsafe).sum())),
    ]
    for side, value, of in sides:
        label = "unsafe" if side == "missed" else "safe"
        if of:
            count = len(found.of(side))
            parts.append(f"{count} of {of} {label} {side}" + (f" ({rate(value, of)})" if value is not None else ""))
    return f"{said}: {', '.join(parts)}"


def none_wrong(found: Failures) -> str:
    """ "Nothing wrong among 128 probes at epoch 3: at most 2.9 % by the 95 % interval"."""
    known = found.history.known[found.history.place]
    _, groups = independent(found.history.wrong[found.history.place], found.groups, known)
    most = share(wilson_interval(0, groups).high, groups)
    return (
        f"Nothing wrong among {counted(found.scored, 'probe')} at {found.label}: at most {most} by the 95 % "
        f"interval ({counted(groups, 'independent group')})"
    )


def cautions(found: Failures) -> list[str]:
    """What stands against reading much into them, each a sentence without its full stop."""
    said = []
    if found.separation is not None and (why := nothing_to_explain(found.separation, SEPARATION)) is not None:
        said.append(f"{why}. Which prompts are wrong may be chance, and no group of them is named")
    elif found.separation is not None and found.separation.reversed:
        said.append("Unsafe prompts score lower than safe ones: are the labels the wrong way round?")
    if missing := len(found.probes) - found.scored:
        said.append(f"{counted(missing, 'probe')} without a score, neither right nor wrong")
    if found.history.elsewhere:
        others = counted(len(found.history.elsewhere), "checkpoint")
        said.append(f"{others} judged on another probe set left out of what happened over the checkpoints")
    return said


def over_checkpoints(found: Failures) -> str:
    """How many were never right; empty with one checkpoint or nothing wrong."""
    upto = found.history.place + 1
    if upto < 2 or not found.wrong:
        return ""
    never = sum(each.course.wrong == each.course.judged for each in found.wrong)
    return f"Never right so far ({upto} checkpoints): {never} of {len(found.wrong)}"


def named_groups(found: Failures, rows: Sequence[GroupRow]) -> str:
    """Which groups are told from the rest, or that none is; empty where nothing is wrong, or all may be chance."""
    if not found.wrong or not found.tells:
        return ""
    if not rows:
        return "The probes record nothing that groups them"
    told = sorted((row for row in rows if row.told), key=lambda row: row.p_value or 0.0)
    if not told:
        *kinds, last = dict.fromkeys(row.kind for row in rows)
        return f"No {', '.join(kinds)}{' or ' if kinds else ''}{last} is told apart from the rest"
    named = "; ".join(group_words(row) for row in told[:MOST_NAMED])
    more = f"; and {len(told) - MOST_NAMED} more in the table" if len(told) > MOST_NAMED else ""
    return f"Told apart from the rest: {named}{more}"


def group_words(row: GroupRow) -> str:
    """ "category fraud, 75 % [47, 91] of 12 unsafe missed against 10 % of the rest (p = 0.0003)"."""
    label = "unsafe" if row.side == "missed" else "safe"
    rest = "" if row.rest is None else f" against {percent(row.rest)} of the rest"
    tested = "" if row.p_value is None else f" ({p_words(row.p_value)})"
    share = f"{rate(row.rate, row.of)} of {row.of} {label} {row.side}"
    return f"{row.kind} {clean(row.name, 60)}, {share}{rest}{tested}"


def course_words(history: History, course: Course) -> str:
    """What became of one prompt over the checkpoints, up to the shown one."""
    if not course.judged:
        return "Never judged"
    if course.first is None:
        return f"Right at each of {counted(course.judged, 'checkpoint')} so far"
    turned = f", turned {counted(course.flips, 'time')}" if course.flips else ""
    if course.since is None:
        return f"Right now; first wrong at {history.labels[course.first]}{turned}"
    since, first = history.labels[course.since], history.labels[course.first]
    if course.since == course.first:
        return f"Wrong since {since}{turned}"
    return f"Wrong since {since}, first wrong at {first}{turned}"


HOW_TO_READ = (
    "Wrong is a verdict other than the prompt's label, by the run's own boundary (a score of 0 nats, any declared "
    "threshold already taken off). Since: the first checkpoint of the present unbroken stretch of wrong verdicts; "
    "first wrong: the first ever; flips: how often the verdict turned from one judged checkpoint to the next, up "
    "to the one shown. Nearest twin: the contrast twin, else the rightly judged prompt of the other label that "
    "shares most words (share given). Rates of groups have Wilson's 95 % interval for as many trials as there are "
    "independent groups of prompts; a group is named only where Fisher's exact test over these tells it from the "
    "rest (p below 0.05 / tests, and below 0.002). One prompt proves nothing: what stands inside an opened one "
    "describes this prompt."
)
"""What the sentences and columns rest on."""

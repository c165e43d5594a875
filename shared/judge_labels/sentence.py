"""A judge's sides in words, for what `init` and `doctor` print and for what results say of their judge."""

from __future__ import annotations

from collections.abc import Mapping

from shared.judge_labels.classes import SHOWN
from shared.records import JudgeRecord


def side_names(record: JudgeRecord, names: Mapping[int, str]) -> dict[str, list[str]]:
    """Side -> what its classes or answers are called; their number where that is not known."""
    sides = {"safe": record.safe, "unsafe": record.unsafe}
    return {side: [names.get(index, str(index)) for index in dict.fromkeys(ids)] for side, ids in sides.items()}


def sides_sentence(record: JudgeRecord, names: Mapping[int, str]) -> str:
    """ "classes 1 (hate) and 2 (offensive) are unsafe, class 0 (normal) is safe", without a full stop.

    `names` are those of classes by index, or of answers by token; where the record has the answers as the judge
    writes them, these are told.
    """
    what = ("answer", "answers") if record.kind == "prompted" else ("class", "classes")
    turns = f"; a verdict turns at {_turn(record):g}" if record.threshold else ""
    if record.kind == "classifier" and record.classes == 1:
        side = "unsafe" if record.unsafe else "safe"
        name = names.get(0, "")
        called = f" ({name[:40]})" if name and name != "LABEL_0" else ""
        return f"the head has one output{called}, and high means {side}{turns or '; a verdict turns at 0'}"
    if record.answers:
        return ", ".join(_answered(record, side) for side in ("unsafe", "safe")) + turns
    unsafe = _counted(record.unsafe, what, names) + " unsafe"
    if not record.safe:
        each = "each " if len(set(record.unsafe)) > 1 else ""
        return f"{unsafe}, {each}read by itself and not against the others{turns}"
    told = f"{unsafe}, {_counted(record.safe, what, names)} safe"
    neither = [index for index in names if index not in (*record.safe, *record.unsafe)]
    if neither and record.kind == "classifier":
        told += f", {_counted(neither, what, names)} left out"
    return told + turns


def _turn(record: JudgeRecord) -> float:
    """The threshold on the head's own scale: a score that is read from the safe side alone falls as that rises."""
    return record.threshold if record.unsafe else -record.threshold


def _answered(record: JudgeRecord, side: str) -> str:
    """ "answers 'yes' and 'Yes' are unsafe", as they are written, the first of many."""
    told = [repr(text[:40]) for text, label in record.answers.items() if label == side]
    shown = told[:SHOWN] + ([f"{len(told) - SHOWN} more"] if len(told) > SHOWN else [])
    if len(shown) == 1:
        return f"answer {shown[0]} is {side}"
    return f"answers {', '.join(shown[:-1])} and {shown[-1]} are {side}"


def _counted(ids: tuple[int, ...] | list[int], what: tuple[str, str], names: Mapping[int, str]) -> str:
    """ "classes 1 (hate) and 2 (offensive) are", the first of many."""
    unique = list(dict.fromkeys(ids))
    told = [f"{index} ({names[index][:40]})" if index in names else str(index) for index in unique[:SHOWN]]
    if len(unique) > SHOWN:
        told.append(f"{len(unique) - SHOWN} more")
    if len(told) == 1:
        return f"{what[0]} {told[0]} is"
    return f"{what[1]} {', '.join(told[:-1])} and {told[-1]} are"

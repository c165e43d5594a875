"""Which classes stand on which side: by the user's word, else by their names, else nobody can tell."""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import UsageError
from shared.judge_labels.classes import SHOWN, Classes, listed
from shared.judge_labels.words import OTHER, is_neutral, is_rest, seems_unsafe, side_of
from shared.records import Label

UNNAMED = (
    "The model's classes have no names ({names}): taking 0 as safe and 1 as unsafe. "
    "If it is the other way round, pass --unsafe-label 0 to `midwatch init`."
)
"""What is assumed of two classes that nobody named."""
UNREAD = (
    "What the model's classes are called stands in its base model {base}: taking 0 as safe and 1 as unsafe. "
    "Pass --base with its directory to `midwatch init`, or --unsafe-label 0 if it is the other way round."
)
"""The same of an adapter whose base model could not be read."""


class Sides(NamedTuple):
    """Indices of the classes of each side, in order; a class may count for neither."""

    safe: tuple[int, ...]
    unsafe: tuple[int, ...]
    assumed: str = ""
    """A sentence where nobody said it."""


def sides_given(classes: Classes, safe: str | None, unsafe: str | None) -> Sides:
    """As the user says it; of a side that is not given, all other classes.

    Raises UsageError for what is no class, for one on both sides, and for a side without any.
    """
    chosen = {
        "safe": chosen_classes(classes.names, safe, "--safe-label"),
        "unsafe": chosen_classes(classes.names, unsafe, "--unsafe-label"),
    }
    twice = [index for index in chosen["safe"] or () if index in (chosen["unsafe"] or ())]
    if twice:
        raise UsageError(
            f"--safe-label and --unsafe-label name the same class, {classes.names[twice[0]]!r}; "
            "give each class on one side."
        )
    for side, other in (("safe", "unsafe"), ("unsafe", "safe")):
        if chosen[side] is None:
            chosen[side] = tuple(index for index in classes.names if index not in (chosen[other] or ()))
    found = Sides(chosen["safe"] or (), chosen["unsafe"] or ())
    if not found.unsafe or not (found.safe or classes.own_outputs):
        raise UsageError(
            f"--{'unsafe' if found.unsafe else 'safe'}-label names every class of the model "
            f"({listed(classes.names)}); a judge has one at least on each side."
        )
    return found


def sides_named(classes: Classes) -> Sides:
    """As the names say it. Raises UsageError where they do not say it of every class."""
    names = classes.names
    if classes.unnamed and len(names) == 2:
        unnamed = UNNAMED.format(names=", ".join(names.values()))
        return Sides((0,), (1,), UNREAD.format(base=classes.unread) if classes.unread else unnamed)
    sides = _completed(classes, {index: side_of(name) for index, name in names.items()})
    safe = tuple(index for index, side in sides.items() if side == "safe")
    found = Sides(safe, tuple(index for index, side in sides.items() if side == "unsafe"))
    if None in sides.values() or not found.unsafe or not (found.safe or classes.own_outputs):
        raise UsageError(_asked(classes, sides))
    return found


def _completed(classes: Classes, sides: dict[int, Label | None]) -> dict[int, Label | None]:
    """With the side of a class whose name tells it beside the others' only.

    "neutral" beside "toxic" is safe, and under a softmax "other"; of two classes that exclude each other, one that
    is known tells the other.
    """
    known: set[Label] = {side for side in sides.values() if side is not None}
    unclear = [index for index, side in sides.items() if side is None]
    if len(known) != 1 or not unclear:
        return sides
    left = [classes.names[index] for index in unclear]
    neutral = all(is_neutral(name) or (is_rest(name) and not classes.own_outputs) for name in left)
    exclusive = len(sides) == 2 and not classes.own_outputs
    if (neutral and known == {"unsafe"}) or (exclusive and not (neutral and known == {"safe"})):
        others: dict[int, Label | None] = {index: OTHER[next(iter(known))] for index in unclear}
        return {**sides, **others}
    return sides


def _asked(classes: Classes, sides: dict[int, Label | None]) -> str:
    """The sentence that asks which classes are unsafe, with the likeliest answer as its example."""
    names, few = classes.names, len(classes.names) == 2
    likely = [index for index, name in names.items() if seems_unsafe(name)]
    safe = [index for index, side in sides.items() if side == "safe"]
    unclear = {index: names[index] for index, side in sides.items() if side is None} or names
    if few:
        subject = f"Which class means unsafe cannot be told from the names {listed(names)}"
    elif classes.unnamed:
        subject = f"The model has {len(names)} classes without names, so which of them mean unsafe is not known"
    else:
        subject = f"The model has {len(names)} classes ({listed(names)}), and not all names tell safe from unsafe"
        subject += "" if unclear == names else f" (unclear: {listed(unclear)})"
    ask = "pass it" if few else "pass those that mean unsafe, separated by commas"
    if 0 < len(likely) < len(names):
        return f"{subject}; {ask}, for example --unsafe-label {_flagged(names, likely)}."
    if 0 < len(safe) < len(names):
        return (
            f"{subject}; {ask}, with --unsafe-label, or if all others are unsafe --safe-label "
            f"{_flagged(names, safe)}."
        )
    if few:
        return f"{subject}; {ask}: --unsafe-label {_flagged(names, [0])} or --unsafe-label {_flagged(names, [1])}."
    return f"{subject}; {ask}, for example --unsafe-label {_flagged(names, list(names)[1:3])}."


def _flagged(names: dict[int, str], indices: list[int]) -> str:
    """Classes as a flag takes them: quoted names, or numbers where a name is not one class's alone or too long."""
    told = [names[index] for index in indices[:SHOWN]]
    plain = all(
        list(names.values()).count(name) == 1 and name.strip() and not set(name) & set(",'\"\\") for name in told
    )
    shown = ",".join(told) if plain and sum(map(len, told)) <= 100 else ",".join(map(str, indices[:SHOWN]))
    return repr(shown)


def chosen_classes(names: dict[int, str], given: str | None, flag: str) -> tuple[int, ...] | None:
    """The classes that a flag names, in order: one name that may hold a comma, else names or numbers between."""
    if given is None:
        return None
    whole = [index for index, name in names.items() if _same(name, given)]
    if len(whole) == 1:
        return (whole[0],)
    parts = [part for part in given.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"{flag} is empty; its classes are {listed(names)}.")
    return tuple(sorted({_find(names, part, flag) for part in parts}))


def _find(names: dict[int, str], wanted: str, flag: str) -> int:
    """The class that `wanted` names, by name first (a class may be called "1"), then by index."""
    matches = [index for index, name in names.items() if _same(name, wanted)]
    if len(matches) == 1:
        return matches[0]
    text = wanted.strip()
    if text.isascii() and text.isdecimal() and len(text) < 7 and int(text) in names:
        return int(text)
    if matches:
        numbers = " and ".join(map(str, matches[:SHOWN]))
        raise UsageError(f"{flag} {text[:40]!r} is the name of several classes ({numbers}); give the number.")
    raise UsageError(f"{flag} {text[:40]!r} is not a class of the model; its classes are {listed(names)}.")


def _same(name: str, wanted: str) -> bool:
    return name.strip().casefold() == wanted.strip().casefold()

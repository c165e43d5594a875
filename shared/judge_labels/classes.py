"""The classes that a classifier's config names."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.errors import UsageError

MOST = 1_000
"""Classes of a head that may be a judge's; a language model's vocabulary is no such head."""
SHOWN = 8
"""Classes named in a sentence."""
UNREAD_BASE = "_unread_base"
"""Key of a config that an adapter's head is known by alone: its base model, which would name
the classes, and why that cannot be read."""
NO_OBJECT = 'is not a JSON object, as {"0": "safe", "1": "unsafe"} is'
"""What is wrong with names in another form."""
OWN_OUTPUTS = ("multi_label_classification", "regression")
"""Kinds of training under which every class has an output of its own, which no softmax ties to the others."""


class Classes(NamedTuple):
    """A classifier's head, as its config tells of it."""

    names: dict[int, str]
    """Index -> name."""
    problem: str
    """The config's `problem_type`; empty where it says none."""
    unread: str = ""
    """An adapter's base model and why it cannot be read, where it would name the classes."""

    @property
    def own_outputs(self) -> bool:
        """Whether each class is read by itself: a single output, several labels at once, numbers."""
        return len(self.names) == 1 or self.problem in OWN_OUTPUTS

    @property
    def unnamed(self) -> bool:
        """Whether the classes are called by their number only."""
        return all(name in (f"LABEL_{index}", str(index)) for index, name in self.names.items())


def class_names(config: dict[str, Any]) -> dict[int, str]:
    """Class index -> name from a config.json; two unnamed classes where it says nothing, as transformers does.

    Raises UsageError for names in a list or a text, names without numbers, numbers with gaps, and a number of
    classes that no judge has.
    """
    names = config.get("id2label")
    if names is not None and not isinstance(names, dict):
        raise UsageError(f"The model's id2label {NO_OBJECT}; correct its config.json.")
    if isinstance(names, dict) and names:
        try:
            found = {
                int(index): _text(name) for index, name in sorted(names.items(), key=lambda item: int(item[0]))
            }
        except ValueError as error:
            raise UsageError(
                "The model's id2label has keys that are not numbers; correct its config.json."
            ) from error
    else:
        count = config.get("num_labels")
        count = count if isinstance(count, int) and not isinstance(count, bool) else 2
        found = {index: f"LABEL_{index}" for index in range(min(count, MOST + 1))}
    if not found or len(found) > MOST:
        count = len(found) if len(found) != MOST + 1 else f"more than {MOST:,}"
        raise UsageError(f"The model's config names {count} classes; a judge has between 1 and {MOST:,}.")
    if list(found) != list(range(len(found))):
        raise UsageError(
            f"The model's id2label has {len(found)} classes and does not count them from 0 ({listed(found)}); "
            "correct its config.json."
        )
    return found


def _text(name: object) -> str:
    """A class's name as it can be printed and written: without line breaks, control and half characters."""
    return "".join(letter if letter.isprintable() else " " for letter in str(name)).strip()


def classes_of(config: dict[str, Any]) -> Classes:
    """What a config.json tells of a classifier's head. Raises what `class_names` raises."""
    return Classes(class_names(config), str(config.get("problem_type") or ""), str(config.get(UNREAD_BASE) or ""))


def listed(names: dict[int, str]) -> str:
    """ "0: safe, 1: unsafe", the first of many."""
    shown = ", ".join(f"{index}: {name[:40]}" for index, name in list(names.items())[:SHOWN])
    return shown + (", ..." if len(names) > SHOWN else "")

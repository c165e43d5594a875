"""How a classifier's verdict is read, from its config and the user's word: the record that goes into run.json.

1. Each class has its side (`sides`); a head with one output has a direction instead.
2. Classes under a softmax are read against each other. Labels that each have an output of their own (several labels
   at once, a reward, a number) are not: of these the unsafe ones are read by themselves, and 0 stands for the rest.
3. The verdict turns at 0, or at the user's threshold, which is given on the head's own scale.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from shared.errors import UsageError
from shared.judge_labels.classes import Classes, classes_of
from shared.judge_labels.sides import Sides, chosen_classes, sides_given, sides_named
from shared.judge_labels.words import OTHER, side_of
from shared.records import JudgeRecord, Label

THRESHOLD_ASSUMED = (
    "At which output the verdict turns is not known: 0 is taken. If it is another one, pass --threshold to "
    "`midwatch init`."
)
"""Said of outputs that no loss centres on 0: rewards and numbers."""
DIRECTION_ASSUMED = (
    "Which way the model's one output points is not known: higher is taken as {side}, {why}. If it is the other "
    "way round, pass --higher-is {other} to `midwatch init`."
)


class Word(NamedTuple):
    """What the user says of a classifier; what is None is for the config to tell."""

    safe: str | None = None
    """Names or indices of the safe classes, separated by commas."""
    unsafe: str | None = None
    threshold: float | None = None
    """Output at which the verdict turns: of one output, or of the unsafe ones; else log-odds of unsafe. Nats."""
    higher_is: Label | None = None
    """What a head with one output says where it is high."""


NOTHING = Word()


class ClassifierRead(NamedTuple):
    """How its verdict is read, and what its classes are called."""

    record: JudgeRecord
    names: dict[int, str]


def read_classifier(config: dict[str, Any], word: Word = NOTHING, max_length: int = 128) -> ClassifierRead:
    """The record of a classifier. What nobody said stands in its `assumed`, a sentence each.

    `max_length` is in tokens. Raises UsageError where sides or threshold cannot be told from what is given.
    """
    classes = classes_of(config)
    if word.threshold is not None and not math.isfinite(word.threshold):
        raise UsageError(f"--threshold {word.threshold} is not a number a verdict can turn at; give a finite one.")
    if len(classes.names) == 1:
        return ClassifierRead(_one_output(classes, word, max_length), classes.names)
    if word.higher_is is not None:
        raise UsageError(
            f"--higher-is is for a head with one output, and this model has {len(classes.names)} classes; pass "
            "--unsafe-label with those that mean unsafe."
        )
    said = word.safe is not None or word.unsafe is not None
    sides = sides_given(classes, word.safe, word.unsafe) if said else sides_named(classes)
    return ClassifierRead(_several(classes, sides, word.threshold, max_length), classes.names)


def _several(classes: Classes, sides: Sides, threshold: float | None, max_length: int) -> JudgeRecord:
    """Two classes or more. A plain two-class judge's record says nothing but which is which."""
    record = JudgeRecord(
        safe_id=sides.safe[0] if sides.safe else 0,
        unsafe_id=sides.unsafe[0],
        threshold=threshold or 0.0,
        max_length=max_length,
        assumed=_assumed(classes, threshold, sides.assumed),
    )
    count = len(classes.names)
    if count == 2 and not classes.own_outputs:
        return record
    own = {"safe_ids": () if classes.own_outputs else sides.safe, "unsafe_ids": sides.unsafe, "classes": count}
    return record.model_copy(update=own)


def _one_output(classes: Classes, word: Word, max_length: int) -> JudgeRecord:
    """A single output: a reward, or the log-odds of one label. `threshold` is on its scale, the record's in nats
    of the score, which falls where the output rises if that means safe."""
    side, assumed = _direction(classes, word)
    threshold = word.threshold or 0.0
    return JudgeRecord(
        safe_id=0,
        unsafe_id=0,
        safe_ids=(0,) if side == "safe" else (),
        unsafe_ids=(0,) if side == "unsafe" else (),
        threshold=-threshold if side == "safe" and threshold else threshold,
        classes=1,
        max_length=max_length,
        assumed=_assumed(classes, word.threshold, assumed),
    )


def _assumed(classes: Classes, threshold: float | None, *sentences: str) -> tuple[str, ...]:
    """The sentences, and that about the threshold where the training does not put it at 0."""
    centred = classes.problem == "multi_label_classification" or not classes.own_outputs
    told = [sentence for sentence in sentences if sentence]
    return (*told, *([] if centred or threshold is not None else [THRESHOLD_ASSUMED]))


def _direction(classes: Classes, word: Word) -> tuple[Label, str]:
    """What a high output means, and a sentence where that is assumed. Raises UsageError for words that disagree."""
    said: list[Label] = [] if word.higher_is is None else [word.higher_is]
    given: dict[Label, str | None] = {"safe": word.safe, "unsafe": word.unsafe}
    for side, label in given.items():
        if label is not None:
            chosen_classes(classes.names, label, f"--{side}-label")  # raises for what is not its name
            said.append(side)
    if len(set(said)) == 2:
        raise UsageError(
            "The model has one output, and it is called both safe and unsafe; pass only --higher-is safe or "
            "--higher-is unsafe."
        )
    if said:
        return said[0], ""
    named = side_of(classes.names[0])
    if named is not None:
        return named, ""
    # transformers writes "regression" into the config of a model that was trained on numbers; rewards have none
    on_numbers = classes.problem in ("regression", "multi_label_classification")
    assumed: Label = "unsafe" if on_numbers else "safe"
    why = "as it was trained on labels, and unsafe is the one that counts" if on_numbers else "as of a reward model"
    return assumed, DIRECTION_ASSUMED.format(side=assumed, why=why, other=OTHER[assumed])

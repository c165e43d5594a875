"""What directories of a run are checkpoints, by their names: one list of rules for everybody who looks at a run.

A name says a step, an epoch, both, or neither (`final`). What is not in it, `shared/checkpoint_places.py` knows
once the analyzer has looked inside.
"""

from __future__ import annotations

import fnmatch
import importlib
import itertools
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

KEPT = 2**16
"""Names of which it is kept what they say: every look at a long run asks some times of each."""
MAX_DIGITS = 15
"""Of a step or an epoch: a longer number is none (JSON, Plotly and arrays hold no larger one exactly)."""
ROOT = "root-model"
"""What a model in the run's own directory is called among its checkpoints."""
REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
"""What Python's parser calls what is tried again with fewer or more."""
SHORT = 9
"""Repeats that are few enough to be tried in every way."""
_SUFFIX = r"(?:[-_](?:best|last|final|merged|hf|model|adapter))?"


class Place(NamedTuple):
    """Where on the way of its training a name puts a checkpoint; None for what it does not say."""

    step: int | None = None
    epoch: int | None = None


class NameRule(NamedTuple):
    """One way of naming checkpoints."""

    pattern: re.Pattern[str]
    """Of the whole name; its groups `step` and `epoch` are whole numbers."""
    examples: tuple[str, ...]
    writers: str
    """Who names them so."""


def _rule(pattern: str, examples: str, writers: str) -> NameRule:
    return NameRule(re.compile(rf"(?:{pattern})\Z"), tuple(examples.split()), writers)


RULES = (
    _rule(r"checkpoint-(?P<step>[0-9]+)", "checkpoint-120", "Hugging Face Trainer, TRL, Axolotl, LLaMA-Factory"),
    _rule(
        rf"(?:checkpoint|ckpt|steps?|global_?step|iter|iteration)[-_]?(?P<step>[0-9]+){_SUFFIX}",
        "checkpoint-100-best checkpoint_100 step_100 step-100 global_step1000 iter_0000100",
        "accelerate, own loops, DeepSpeed, Megatron, XTuner",
    ),
    _rule(
        rf"epoch[-_]?(?P<epoch>[0-9]+)(?:[-_]step[-_]?(?P<step>[0-9]+))?{_SUFFIX}",
        "epoch_3 epoch-3 epoch_1_step_50",
        "accelerate, torchtune, NeMo (exported), own loops",
    ),
    _rule(
        r"(?:[A-Za-z0-9_.]+-)?epoch=(?P<epoch>[0-9]+)-step=(?P<step>[0-9]+)(?:-v[0-9]+)?(?:\.ckpt)?",
        "epoch=2-step=300.ckpt",
        "Lightning",
    ),
    _rule(
        r"(?:final|best|last|merged)(?:[-_](?:model|checkpoint|adapter))?|last(?:-v[0-9]+)?\.ckpt",
        "final best last merged final_model last.ckpt",
        "what is saved once, or again and again",
    ),
)
"""Tried in this order. The first is Hugging Face's own, whose number is the step and nothing else."""

STEP_NAMED = RULES[0].pattern
MODEL_FILE = re.compile(
    r"(?:adapter_)?config\.json|.*\.(?:safetensors|distcp)|(?:pytorch_|adapter_)?model.*\.(?:bin|pt|pth|index\.json)"
    r"|pytorch_model_fsdp_[0-9]+|mp_rank_.*|zero_to_fp32\.py|zero_pp_rank_.*"
)
"""Names of files (or folders of shards), one of which is in a directory that holds a model, in whatever form."""


def place_of(name: str) -> Place | None:
    """Where a name puts a checkpoint; None when it is no checkpoint's name."""
    for rule in RULES:
        if match := rule.pattern.match(name):
            return _place(match)
    return None


def _place(match: re.Match[str]) -> Place:
    groups = match.groupdict()
    return Place(_whole(groups.get("step")), _whole(groups.get("epoch")))


def _whole(digits: str | None) -> int | None:
    """The number; None where there is none, or none that is a step."""
    if not digits or not digits.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS:
        return None
    return int(digits)


@lru_cache(maxsize=KEPT)
def step_of(name: str) -> int | None:
    """The step in `checkpoint-<step>`, the one name that says it for certain; None for every other."""
    match = STEP_NAMED.match(name)
    return _whole(match.group("step")) if match else None


def is_plain(name: str) -> bool:
    """Whether a name is one that a folder or file of ours can be called after: UTF-8, visible, no way out of it."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return 0 < size <= 200 and name[0] != "." and not set(name) & set("/\\\0\n\r")


def spoken(name: str) -> str | None:
    """What to call a checkpoint by its own name: "epoch 3", "step 100", "final"; None for `checkpoint-<step>`."""
    if not name or step_of(name) is not None:
        return None
    if simple := re.fullmatch(r"(epoch|step)[-_]?([0-9]+)", name):
        return f"{simple[1]} {int(simple[2])}" if len(simple[2]) <= MAX_DIGITS else name
    return "root model" if name == ROOT else name


def slug(name: str) -> str:
    """A name as the beginning of a file's: lower case letters, digits and single underscores."""
    words = re.findall(r"[a-z0-9]+", (spoken(name) or name).lower())
    return "_".join(words) or "checkpoint_" + name.encode("utf-8", "surrogatepass").hex()[:16]


class NamePattern(NamedTuple):
    """The user's own rule (`--pattern`), instead of ours."""

    text: str
    pattern: re.Pattern[str]

    def place(self, name: str) -> Place | None:
        """Where a name puts a checkpoint; None when the pattern does not fit.

        By the groups `step` and `epoch` of a regular expression, else by our rules, else by the last number in it.
        """
        match = self.pattern.match(name)
        if match is None:
            return None
        if match.groupdict().keys() & {"step", "epoch"}:
            return _place(match)
        numbers = re.findall(r"[0-9]+", name)
        return place_of(name) or Place(_whole(numbers[-1]) if numbers else None)


def parse_pattern(text: str) -> NamePattern:
    """A pattern as given: a regular expression where it begins with ^, else a glob, of the whole name.

    Raises ValueError in words for people.
    """
    if not text or "/" in text:
        raise ValueError("a pattern is about a directory's name, without a slash; write for example 'model-*'")
    try:
        wanted = re.compile(rf"(?:{text})\Z" if text.startswith("^") else fnmatch.translate(text))
    except (re.error, OverflowError, RecursionError) as error:
        example = "^model-s(?P<step>[0-9]+)$"
        raise ValueError(f"{text!r} is no regular expression ({error}); write for example '{example}'") from None
    if text.startswith("^") and repeats_in_repeats(text):
        raise ValueError(
            f"{text!r} repeats what repeats, which may take for ever on a long name; write it with one repeat, as "
            "'^[a-z-]+(?P<step>[0-9]+)$'"
        )
    return NamePattern(text, wanted)


def repeats_in_repeats(text: str) -> bool:
    """Whether a regular expression repeats what can be read in several ways: (a+)+ and (a|a)+ take 2^n steps.

    Told by its form: repeats within repeats, each of more than SHORT, and alternatives of which one may be
    another's beginning. Not told: many repeats in a row, which take n^k steps.
    """
    parser: Any = importlib.import_module("re._parser")

    def found(node: Any, *, inside: bool) -> bool:
        if isinstance(node, parser.SubPattern):
            return any(found(each, inside=inside) for each in node)
        if not isinstance(node, tuple | list):
            return False
        if len(node) == 2 and str(node[0]) in REPEATS:
            low, high, body = node[1]
            long = high > SHORT and high != low
            return (long and inside) or found(body, inside=inside or high > SHORT)
        if inside and len(node) == 2 and str(node[0]) == "BRANCH" and _ambiguous(node[1][1]):
            return True
        return any(found(each, inside=inside) for each in node)

    return found(parser.parse(text), inside=False)


def _ambiguous(alternatives: list[Any]) -> bool:
    """Whether a text may fit two of the alternatives, as far as their beginnings tell."""
    for (one, letters), (other, others) in itertools.combinations(map(_beginning, alternatives), 2):
        if one is not None and other is not None:
            if one.startswith(other) or other.startswith(one):
                return True
        elif letters is None or others is None or letters & others:
            return True
    return False


def _beginning(node: Any) -> tuple[str | None, set[int] | None]:
    """(text, letters) of a parsed expression: its text where it is nothing else, and letters it may begin with.

    None for letters is any.
    """
    items = list(node)
    if all(str(kind) == "LITERAL" for kind, _ in items):
        text = "".join(chr(value) for _, value in items)
        return text, {ord(text[0])} if text else None
    kind, value = items[0]
    if str(kind) == "LITERAL":
        return None, {value}
    if str(kind) == "SUBPATTERN":
        return None, _beginning(value[3])[1]
    if str(kind) == "IN" and all(str(each) == "LITERAL" for each, _ in value):
        return None, {letter for _, letter in value}
    return None, None


def holds_model(directory: Path | str) -> bool:
    """Whether a model lies in a directory, in whatever form. One that cannot be listed may: that is said later."""
    try:
        with os.scandir(directory) as entries:
            return any(MODEL_FILE.fullmatch(entry.name) for entry in entries)
    except PermissionError:
        return True
    except OSError:
        return False


def documented() -> list[tuple[str, ...]]:
    """Heading and rows for docs/judges.md."""
    found = [("names", "written by")]
    return found + [(" ".join(f"`{name}`" for name in rule.examples), rule.writers) for rule in RULES]

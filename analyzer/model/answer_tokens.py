"""The tokens of an answer as they stand behind a template; no torch.

A tokenizer merges across borders ("Answer:" + " Yes", "\\n" + "\\nsafe"), so an answer's tokens are found by
splitting template and answer together:

1. What all answers begin with goes to the end of the template: an opening tag, two line breaks, "Safety: ".
2. The verdict is read at the first token that differs between the sides.
3. A side is all its answers' tokens at that place, and those of other spellings of them: letter case, and a leading
   space or none. A spelling of several tokens counts where its first is a word's beginning of two letters or more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.errors import UsageError
from shared.records import Label

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILLER = "hello"
"""Stands in a template's slots while the tokens of its answers are found."""
SLOTS = ("{prompt}", "{response}")
WORD = re.compile(r"^( ?)(\w+)(.*)$", re.DOTALL)


class Pieces(NamedTuple):
    """A text's tokens, without any that the tokenizer adds by itself."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]
    """Character at which each token ends."""


Split = Callable[[str], Pieces]


class Answered(NamedTuple):
    """Where and in which tokens a verdict is read."""

    template: str
    """Ends where the verdict's first token comes."""
    lookahead: str
    """What must follow for the tokenizer to split the template's end as it does before an answer; mostly nothing."""
    moved: str
    """What all answers begin with, and now stands at the template's end."""
    dropped: str
    """What was taken off the template's end because the tokenizer joins it with the answer."""
    answers: dict[str, Label]
    """What may follow the template -> the side it counts for; spellings are among them."""
    tokens: dict[Label, tuple[int, ...]]
    """The tokens of each side, those of the answers as given first."""


def split_by(tokenizer: PreTrainedTokenizerBase) -> Split:
    """`Split` by a fast tokenizer of transformers."""

    def split(text: str) -> Pieces:
        raw: Any = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return Pieces(tuple(raw["input_ids"]), tuple(int(end) for _, end in raw["offset_mapping"]))

    return split


def filled(template: str) -> str:
    """A template with a filler in its slots."""
    for slot in SLOTS:
        template = template.replace(slot, FILLER)
    return template


def head(split: Split, template: str, lookahead: str = "") -> tuple[int, ...]:
    """The tokens of a filled template, split as they are where `lookahead` follows."""
    context = filled(template)
    found = split(context + lookahead)
    if not lookahead:
        return found.ids
    return tuple(token for token, end in zip(found.ids, found.ends, strict=True) if end <= len(context))


def behind(split: Split, template: str, answer: str, lookahead: str = "") -> tuple[int, ...]:
    """The tokens of `answer` behind `template`; () where the tokenizer joins the two over the border."""
    before, whole = head(split, template, lookahead), split(filled(template) + answer).ids
    return whole[len(before) :] if whole[: len(before)] == before else ()


def find_answers(
    split: Split,
    template: str,
    sides: Mapping[str, Label],
    *,
    spellings: bool = True,
    unknown: Container[int] = (),
) -> Answered:
    """The tokens in which a verdict is read, of `sides`: what the judge may write behind `template` -> its side.

    Without `spellings` only the answers themselves count. `unknown` is the token of what the tokenizer does not
    know. Raises UsageError in one sentence for answers that are empty or unknown or that no token tells apart, and
    for a template that does not end where a token does.
    """
    _check(sides)
    context = filled(template)
    whole = {answer: split(context + answer) for answer in sides}
    place = _first_difference(whole, sides)
    for answer, found in whole.items():
        if found.ids[place] in unknown:
            raise UsageError(
                f"The tokenizer does not know the answer {answer!r}; give --unsafe-answer and --safe-answer words "
                "that this judge can write."
            )
    any_answer = next(iter(whole))
    text, own = context + any_answer, split(context).ids
    whole_template = place == len(own) and whole[any_answer].ids[:place] == own  # its end may be no token's
    end = len(context) if whole_template else whole[any_answer].ends[place - 1] if place else 0
    dropped = context[end:]
    if dropped and not template.endswith(dropped):
        raise UsageError(
            f"The tokenizer joins the template's end {context[-20:]!r} with the answers, so no place between them "
            "can be read: end the template with a line break or a word."
        )
    asked = (template.removesuffix(dropped) if dropped else template) + text[len(context) : end]
    rest = {(context + answer)[end:]: side for answer, side in sides.items()}
    ahead = "" if split(filled(asked)).ids == whole[any_answer].ids[:place] else next(iter(rest))
    if head(split, asked, ahead) != whole[any_answer].ids[:place]:
        raise UsageError(
            f"The tokenizer does not split {(text[len(context) :] or dropped)[:30]!r} where the answers begin to "
            "differ; give answers that differ from a word's beginning on."
        )
    found = Answered(asked, ahead, text[len(context) : end], dropped, rest, {})
    spelled = _spelled(split, found, unknown) if spellings else {}
    return _with_tokens(split, found._replace(answers={**rest, **spelled}))


def _check(sides: Mapping[str, Label]) -> None:
    if "" in sides:
        raise UsageError(
            "An answer is empty; give --unsafe-answer and --safe-answer the words that the judge writes."
        )
    for label in ("safe", "unsafe"):
        if label not in sides.values():
            raise UsageError(f"No answer means {label}; give it with --{label}-answer.")


def _first_difference(whole: Mapping[str, Pieces], sides: Mapping[str, Label]) -> int:
    """How many tokens all answers share from the beginning, template among them."""
    place = _common(*(found.ids for found in whole.values()))
    for answer, found in whole.items():
        if len(found.ids) <= place:
            other = next(each for each in sides if each != answer)
            raise UsageError(
                f"The answer {answer!r} is how {other!r} begins, so no token tells them apart; give answers that "
                "differ before one of them ends."
            )
    tokens: dict[int, tuple[str, Label]] = {}
    for answer, found in whole.items():
        earlier = tokens.setdefault(found.ids[place], (answer, sides[answer]))
        if earlier[1] != sides[answer]:
            raise UsageError(
                f"The answers {earlier[0]!r} and {answer!r} begin with the same token, and others do not, so one "
                "place cannot tell the sides apart; give fewer answers, or write what they share into the template."
            )
    return place


def _common(*sequences: Sequence[int]) -> int:
    """How many items all sequences share at their beginning."""
    count = 0
    for items in zip(*sequences, strict=False):
        if len(set(items)) > 1:
            break
        count += 1
    return count


def _spelled(split: Split, found: Answered, unknown: Container[int]) -> dict[str, Label]:
    """Other spellings of the answers that name their side: their first token is no answer of the other."""
    owner = {_tokens(split, found, answer)[0]: side for answer, side in found.answers.items()}
    spelled: dict[str, Label] = {}
    for answer, side in found.answers.items():
        for other in _spellings(answer):
            ids = _tokens(split, found, other)
            if other in found.answers or not ids or ids[0] in unknown or not _tells(split, other, ids):
                continue
            if owner.setdefault(ids[0], side) == side:
                spelled[other] = side
    return spelled


def _with_tokens(split: Split, found: Answered) -> Answered:
    tokens: dict[Label, tuple[int, ...]] = {}
    for side in ("safe", "unsafe"):
        own = [_tokens(split, found, answer)[0] for answer, label in found.answers.items() if label == side]
        tokens[side] = tuple(dict.fromkeys(own))
    return found._replace(tokens=tokens)


def _tokens(split: Split, found: Answered, answer: str) -> tuple[int, ...]:
    return behind(split, found.template, answer, found.lookahead)


def _spellings(answer: str) -> Iterable[str]:
    """The answer's first word in other cases, with a leading space and without."""
    parts = WORD.match(answer)
    if parts is None:
        return ()
    space, word, rest = parts.groups()
    spaces = (space, "" if space else " ")
    return [lead + each + rest for lead in spaces for each in _cases(word)]


def _cases(word: str) -> tuple[str, ...]:
    return word, word.lower(), word.capitalize(), word.upper()


def _tells(split: Split, spelling: str, ids: Sequence[int]) -> bool:
    """Whether a spelling's first token says which word it is: all of it, or two letters of it and more."""
    parts = WORD.match(spelling)
    word = parts.group(2) if parts else spelling
    first_end = split(spelling).ends[0] if split(spelling).ends else 0
    return len(ids) == 1 or len(spelling[:first_end].strip()) >= min(2, len(word))

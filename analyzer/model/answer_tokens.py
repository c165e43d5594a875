"""The tokens of an answer as they stand behind a template; no torch.

A tokenizer merges across borders, so template and answer are split together and compared with the template alone:

1. Where the answer leaves the template's tokens as they are, its tokens are those that follow. Where the template
   ends in spaces that the tokenizer joins with the answer ("Answer: " + "Yes"), the spaces become the answer's, as
   in a training on whole texts. Where it joins anything else (two line breaks and two more), the judge is asked
   with the template's own tokens, so the answer is split alone.
2. What all answers begin with ("\\n\\n", "Safety: ", an opening tag) goes to the end of the template: as text where
   the tokenizer then splits it as before, else as tokens.
3. The verdict is read at the first token that differs between the sides. A side is all its answers' tokens there,
   and those of other spellings: letter case, and a leading space or none. A spelling of several tokens counts where
   its first holds two letters of it or more.
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
    opening: tuple[int, ...]
    """Tokens that follow the template's, where no text would be split into them."""
    moved: str
    """Text that all answers begin with and that now ends the template."""
    dropped: str
    """Spaces that the template ended with and that the answers now begin with."""
    alone: bool
    """Whether the answers are split alone."""
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


def behind(split: Split, template: str, answer: str, opening: Sequence[int] = ()) -> tuple[int, ...]:
    """The tokens of `answer` behind the template's and `opening`; () where the answer does not begin with these."""
    ids = _tail(split, template, answer).ids
    return ids[len(opening) :] if ids[: len(opening)] == tuple(opening) else ()


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
    know. Raises UsageError in one sentence for answers that are empty or unknown or that no token tells apart.
    """
    _check(sides)
    stem = template.rstrip(" ")
    dropped = template[len(stem) :]
    if dropped and not all(_keeps(split, template, answer) for answer in sides):
        template, sides = stem, {dropped + answer: side for answer, side in sides.items()}
    else:
        dropped = ""
    tails = {answer: _tail(split, template, answer) for answer in sides}
    for answer, found in tails.items():  # first: two unknown words are the same token, and neither begins the other
        if found.ids and all(token in unknown for token in found.ids):
            raise _unknown(answer)
    place = _first_difference(tails, sides)
    for answer, found in tails.items():
        if found.ids[place] in unknown:
            raise _unknown(answer)
    alone = not all(_keeps(split, template, answer) for answer in sides)
    found = Answered(template, (), "", dropped, alone, dict(sides), {})
    found = _opened(split, found, tails, place) if place else found
    if spellings:
        found = found._replace(answers={**found.answers, **_spelled(split, found, unknown)})
    return _with_tokens(split, found)


def _unknown(answer: str) -> UsageError:
    return UsageError(
        f"The tokenizer does not know the answer {answer!r}; give --unsafe-answer and --safe-answer words that "
        "this judge can write."
    )


def _keeps(split: Split, template: str, answer: str) -> bool:
    """Whether the template's tokens stay what they are when the answer follows."""
    own = split(filled(template)).ids
    return split(filled(template) + answer).ids[: len(own)] == own


def _tail(split: Split, template: str, answer: str) -> Pieces:
    """The tokens that follow the template's, with their ends in the answer."""
    context = filled(template)
    own, whole = split(context).ids, split(context + answer)
    if whole.ids[: len(own)] != own:
        return split(answer)
    ends = tuple(max(end - len(context), 0) for end in whole.ends[len(own) :])
    return Pieces(whole.ids[len(own) :], ends)


def _check(sides: Mapping[str, Label]) -> None:
    if "" in sides:
        raise UsageError(
            "An answer is empty; give --unsafe-answer and --safe-answer the words that the judge writes."
        )
    for label in ("safe", "unsafe"):
        if label not in sides.values():
            raise UsageError(f"No answer means {label}; give it with --{label}-answer.")


def _first_difference(tails: Mapping[str, Pieces], sides: Mapping[str, Label]) -> int:
    """How many tokens all answers share from the beginning."""
    place = _common(*(found.ids for found in tails.values()))
    tokens: dict[int, tuple[str, Label]] = {}
    for answer, found in tails.items():
        if len(found.ids) <= place:
            other = next(each for each in sides if each != answer)
            raise UsageError(
                f"The answer {answer!r} is how {other!r} begins, so no token tells them apart; give answers that "
                "differ before one of them ends."
            )
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


def _opened(split: Split, found: Answered, tails: Mapping[str, Pieces], place: int) -> Answered:
    """With the first `place` tokens of all answers at the template's end, as text if that is the same."""
    answer, tail = next(iter(tails.items()))
    opening, end = tail.ids[:place], tail.ends[place - 1]
    longer = found.template + answer[:end]
    own = split(filled(found.template)).ids
    rest = {each[end:]: side for each, side in found.answers.items()}
    same = all(_tail(split, longer, each[end:]).ids == found_.ids[place:] for each, found_ in tails.items())
    if not found.alone and same and len(rest) == len(tails) and split(filled(longer)).ids == own + opening:
        return found._replace(template=longer, moved=answer[:end], answers=rest)
    return found._replace(opening=opening)


def _spelled(split: Split, found: Answered, unknown: Container[int]) -> dict[str, Label]:
    """Other spellings of the answers that name their side: their first token is no answer of the other."""
    owner = {_tokens(split, found, answer)[0]: side for answer, side in found.answers.items()}
    spelled: dict[str, Label] = {}
    for answer, side in found.answers.items():
        for other in _spellings(answer, _shared_text(split, found, answer)):
            ids = _tokens(split, found, other)
            if other in found.answers or not ids or ids[0] in unknown or not _tells(split, found, other, ids):
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
    return behind(split, found.template, answer, found.opening)


def _shared_text(split: Split, found: Answered, answer: str) -> int:
    """Characters of an answer that are of the opening."""
    return _tail(split, found.template, answer).ends[len(found.opening) - 1] if found.opening else 0


def _spellings(answer: str, shared: int) -> Iterable[str]:
    """The first word behind the opening in other cases, with a leading space and without."""
    parts = WORD.match(answer[shared:])
    if parts is None:
        return ()
    space, word, rest = parts.groups()
    return [answer[:shared] + lead + each + rest for lead in (space, "" if space else " ") for each in _cases(word)]


def _cases(word: str) -> tuple[str, ...]:
    return word, word.lower(), word.capitalize(), word.upper()


def _tells(split: Split, found: Answered, spelling: str, ids: Sequence[int]) -> bool:
    """Whether a spelling's first token says which word it is: all of it, or two letters of it and more."""
    start = _shared_text(split, found, spelling)
    end = _tail(split, found.template, spelling).ends[len(found.opening)]
    return len(ids) == 1 or len(spelling[start:end].strip()) >= 2

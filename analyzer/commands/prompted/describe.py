"""From what the user says of a prompted judge, and what its tokenizer's files say, to how its verdict is read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from analyzer.commands.prompted.chat import DEFAULT, chat_templates, template_of_chat
from analyzer.commands.prompted.presets import Guard, Line, find_guard
from analyzer.commands.prompted.settings import PromptedSettings
from analyzer.commands.prompted.templates import check_slots, read_template, with_breaks
from analyzer.commands.prompted.tokenizer import TokenizerFiles
from analyzer.model.answer_tokens import Answered, behind, filled, find_answers
from shared.errors import UsageError
from shared.records import JudgeRecord, Label

PROMPT_ROOM = 128
"""Tokens that a prompt has at least behind a long template."""
UNSAFE, SAFE = "True", "False"
"""Answers of a judge of which nothing is said."""


class Asked(NamedTuple):
    """How a judge is asked."""

    template: str
    special_tokens: bool
    """Whether the tokenizer adds its own around it."""
    assumed: tuple[str, ...] = ()


def describe_prompted(
    settings: PromptedSettings, checkpoint: Path, max_length: int | None = None, base: Path | None = None
) -> JudgeRecord:
    """How the verdict of a judge that answers in words is read.

    `max_length` are the tokens that a template with its prompt is cut to; None leaves room for a prompt. `base` is
    the directory of an adapter's base model; looked for where it is None.

    Raises UsageError in one sentence for whatever does not fit: flags to each other, a preset or an answer to the
    tokenizer, a chat template to a prompt.
    """
    files = TokenizerFiles(checkpoint, base)
    guard = find_guard(settings.like) if settings.like is not None else None
    _check_flags(settings, guard)
    asked = _asked(settings, files, guard)
    sides, notes = _sides(settings, guard)
    before, said = _line(settings, guard, asked)
    opening = before + (guard.opening if guard else "")
    given: dict[str, Label] = {opening + answer: side for answer, side in sides.items()}
    found = find_answers(files.split, asked.template, given, spellings=settings.spellings, unknown=files.unknown)
    categories = _categories(settings, guard)
    prefix = settings.category_prefix
    prefix = with_breaks(prefix) if prefix is not None else opening + guard.category_prefix if guard else ""
    if categories:
        prefix = _after(found.moved, found.dropped, prefix)
        _check_categories(files, found, prefix, categories)
    notes = (*notes, *_joined(found))
    return JudgeRecord(
        kind="prompted",
        safe_id=found.tokens["safe"][0],
        unsafe_id=found.tokens["unsafe"][0],
        safe_ids=_several(found.tokens["safe"]),
        unsafe_ids=_several(found.tokens["unsafe"]),
        template=found.template,
        opening_ids=found.opening,
        special_tokens=asked.special_tokens,
        answers=found.answers,
        categories=categories,
        category_prefix=prefix if categories else "",
        max_length=_room(files, found.template, max_length),
        assumed=(*asked.assumed, *said, *notes),
    )


def _check_flags(settings: PromptedSettings, guard: Guard | None) -> None:
    own = settings.template is not None or settings.template_file is not None
    if own and settings.chat:
        raise UsageError("--chat and --template are two ways of asking; give one of them.")
    if settings.chat_template is not None and own:
        raise UsageError("--chat-template names a chat template, and --template replaces it; give one of them.")
    if settings.system is not None and own:
        raise UsageError("--system is for a chat template; write it into the --template.")
    if settings.strict and settings.lenient:
        raise UsageError("--strict and --lenient are opposites; give one of them.")
    for flag, has, what in (
        (
            "--strict" if settings.strict else "--lenient",
            guard and guard.between,
            "an answer between safe and unsafe",
        ),
        ("--line", guard and guard.lines, "several verdicts in a row"),
    ):
        given = settings.line is not None if flag == "--line" else settings.strict or settings.lenient
        if given and not has:
            known = f"{guard.name} has not" if guard else "without --like nothing says"
            raise UsageError(f"{flag} is for a guard with {what}, which {known}; leave it out.")
    if guard is not None and guard.kind == "classifier":
        raise UsageError(f"{guard.name} is a classifier, and this model answers in words; leave --like out.")


def _asked(settings: PromptedSettings, files: TokenizerFiles, guard: Guard | None) -> Asked:
    """The text around the prompt, before anything of the answer is added."""
    if settings.template is not None or settings.template_file is not None:
        return Asked(read_template(settings.template, settings.template_file), True)
    response = settings.judged == "response"
    named = settings.chat or settings.chat_template is not None
    if guard is not None and not (guard.chat != "never" and (named or chat_templates(files))):
        return _laid_out(settings, files, guard)
    if guard is None and not named:
        raise UsageError(
            f"{files.name} is a judge that answers in words, and how it is asked is not said: name the guard model "
            "that it is like with --like, ask by the tokenizer's chat template with --chat, or give --template or "
            "--template-file with {prompt} where the prompt goes."
        )
    message = guard.said[settings.judged] if guard is not None and guard.chat == "plain" else "{prompt}"
    template = template_of_chat(
        files,
        name=settings.chat_template,
        system=settings.system,
        message=message,
        response=response and "{response}" not in message,
        options=guard.options if guard else None,
    )
    dated = "strftime_now" in chat_templates(files).get(settings.chat_template or DEFAULT, "")
    return Asked(template, False, (_DATED,) if dated else ())


_DATED = "The chat template writes the date; that of the day of `midwatch init` is kept for all checkpoints."


def _laid_out(settings: PromptedSettings, files: TokenizerFiles, guard: Guard) -> Asked:
    """By the preset's own layout."""
    missing = [token for token in guard.tokens if not files.knows(token)]
    if missing:
        raise UsageError(
            f"--like {guard.name} lays a prompt out with {missing[0]}, which the tokenizer of {files.name} does "
            "not know: name another guard, or give --template."
        )
    if settings.system is not None:
        raise UsageError(f"--system is for a chat template, and {files.name} is asked without one; leave it out.")
    text = guard.layout.replace("{said}", guard.said[settings.judged])
    check_slots(text)
    note = f"{guard.name} is asked by a short policy of Midwatch's own: give --template with the training's text."
    return Asked(text.replace("{bos}", files.special.get("bos_token", "")), False, (note,))


def _sides(settings: PromptedSettings, guard: Guard | None) -> tuple[dict[str, Label], tuple[str, ...]]:
    """Answer -> side, and what was assumed."""
    unsafe = tuple(map(with_breaks, settings.unsafe_answer)) or (guard.unsafe if guard else (UNSAFE,))
    safe = tuple(map(with_breaks, settings.safe_answer)) or (guard.safe if guard else (SAFE,))
    between = guard.between if guard else ()
    assumed: tuple[str, ...] = ()
    if between and not settings.strict and not settings.lenient:
        assumed = (f"The answer {between[0]!r} counts as unsafe (--strict); --lenient counts it as safe.",)
    if settings.lenient:
        safe += between
    else:
        unsafe += between
    both = sorted(set(unsafe) & set(safe))
    if both:
        raise UsageError(f"--safe-answer and --unsafe-answer are the same, {both[0]!r}; give two different ones.")
    return {**dict.fromkeys(unsafe, "unsafe"), **dict.fromkeys(safe, "safe")}, assumed


def _line(settings: PromptedSettings, guard: Guard | None, asked: Asked) -> tuple[str, tuple[str, ...]]:
    """(text before the answer, what was assumed) of the line that is read."""
    if guard is None or not guard.lines:
        return "", ()
    judged = settings.judged == "response" or "{response}" in asked.template
    if settings.line is None:
        line = next(
            each for each in (reversed(guard.lines) if judged else guard.lines) if each.of_response == judged
        )
    else:
        line = _named(guard, settings.line)
    if line.of_response and not judged:
        raise UsageError(f"--line {line.name} judges a response; add --judged response, with probes that have one.")
    text, assumed = "", ()
    for each in guard.lines:
        text += each.opening
        if each is line:
            break
        text += each.assumed
        assumed = (*assumed, f"Before the line {line.name}, {each.name} is taken to be answered {each.assumed!r}.")
    return text, assumed


def _named(guard: Guard, name: str) -> Line:
    found = next((each for each in guard.lines if each.name == name.strip().casefold().replace(" ", "-")), None)
    if found is None:
        names = ", ".join(each.name for each in guard.lines)
        raise UsageError(f"--line {name!r} is none of {guard.name}'s; they are {names}.")
    return found


def _categories(settings: PromptedSettings, guard: Guard | None) -> dict[str, str]:
    known = dict(guard.categories) if guard else {}
    if not settings.category:
        return known if settings.category_prefix is None or known else {}
    found = {}
    for each in settings.category:
        code, equals, name = (part.strip() for part in each.partition("="))
        if not code or (not equals and code not in known):
            listed = f"; {guard.name}'s are {', '.join(known)}" if guard and known else ""
            raise UsageError(
                f"--category {each!r} is no known code{listed}: write it with its name, as S1=Violence."
            )
        found[code] = name or known[code]
    if settings.category_prefix is None and not known:
        raise UsageError(
            "--category needs --category-prefix too: what the judge writes before a code, as unsafe\\n."
        )
    return found


def _after(moved: str, dropped: str, prefix: str) -> str:
    """A category's prefix from where the template now ends."""
    return dropped + prefix.removeprefix(moved) if prefix.startswith(moved) else dropped + prefix


def _check_categories(files: TokenizerFiles, found: Answered, prefix: str, categories: dict[str, str]) -> None:
    tokens: dict[tuple[int, ...], str] = {}
    for code in categories:
        ids = behind(files.split, found.template, prefix + code, found.opening)
        if not ids or any(token in files.unknown for token in ids):
            raise UsageError(
                f"The tokenizer does not know the category {code!r} after {prefix!r}; check the prefix."
            )
        if ids in tokens:
            raise UsageError(f"The categories {tokens[ids]!r} and {code!r} are the same tokens; give one of them.")
        tokens[ids] = code


def _joined(found: Answered) -> tuple[str, ...]:
    """What was done about a border that the tokenizer does not keep."""
    if found.dropped:
        return (
            f"The tokenizer joins the template's end {found.dropped!r} with the answer, so the template ends "
            "before it and the answer begins with it, as in a training on whole texts.",
        )
    if found.alone:
        return (
            "The tokenizer would join the template's end with the answer, so the answer is split alone, as a judge "
            "writes it behind a template.",
        )
    return ()


def _room(files: TokenizerFiles, template: str, given: int | None) -> int:
    """Tokens of template and prompt. Raises UsageError for too few."""
    taken = len(files.split(filled(template)).ids) + 2  # what the tokenizer adds by itself
    if given is None:
        prompts = PROMPT_ROOM * (2 if "{response}" in template else 1)
        return PROMPT_ROOM if taken <= PROMPT_ROOM // 2 else taken + prompts
    if taken > given:
        raise UsageError(
            f"The template alone takes {taken} tokens, and --max-length is {given}; leave it out, or give the "
            "length of the training."
        )
    return given


def _several(ids: tuple[int, ...]) -> tuple[int, ...] | None:
    """None where one token is all, which is how records said it before."""
    return ids if len(ids) > 1 else None

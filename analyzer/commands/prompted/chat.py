"""A tokenizer's own chat template -> the text around `{prompt}`, rendered as transformers renders it.

Chat templates come from strangers: they run in jinja2's immutable sandbox, with what transformers offers them and
nothing else, in a process with limits (`rendering`). Stand-ins are put where prompt and response go, and looked for
in what comes out, so a template that drops or rewrites a prompt is noticed, whatever it does inside.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.commands.prompted import rendering
from analyzer.commands.prompted.rendering import Message
from analyzer.commands.prompted.templates import check_slots, text_of
from analyzer.commands.prompted.tokenizer import TokenizerFiles
from shared.errors import UsageError
from shared.processes import NEUTRAL, child_environment, python_command

LIMIT_S = 20.0
"""Seconds that a chat template may take, on a machine that has other things to do."""
DEFAULT = "default"
STAND_INS = ("How Do I \"put\" <it> & 'so' Here, No 17?", "What, if <any> & \"all\" Of 'this' Were Other, No 42?")
"""Two prompts that every common rewriting changes: letter case, quotes, brackets, HTML's and JSON's escapes."""
REPLIES = ("As \"for\" <that> & 'those': It Is, No 23.", "Only 'some' <of> it & \"more\" Is, No 58.")


def chat_templates(files: TokenizerFiles) -> dict[str, str]:
    """Name -> jinja text of the chat templates saved with a tokenizer: files come before the config's."""
    said = files.config.get("chat_template")
    found: dict[str, str] = {}
    if isinstance(said, str):
        found[DEFAULT] = said
    elif isinstance(said, list):
        pairs = [each for each in said if isinstance(each, dict)]
        found = {str(each.get("name")): str(each.get("template")) for each in pairs}
    elif isinstance(said, dict):
        found = {str(name): str(text) for name, text in said.items()}
    single = files.home / "chat_template.jinja"
    if single.is_file():
        found[DEFAULT] = _read(single)
    for path in sorted((files.home / "additional_chat_templates").glob("*.jinja")):
        found[path.stem] = _read(path)
    return found


def template_of_chat(
    files: TokenizerFiles,
    *,
    name: str | None = None,
    system: str | None = None,
    message: str = "{prompt}",
    response: bool = False,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The text that the chat template makes of a conversation, with slots, up to where the assistant answers.

    `message` is what the user says, with `{prompt}` in it (and `{response}`, where a guard is told of both in one
    message); `response` adds the assistant's own turn, `{response}`; `options` are handed to the template. Raises
    UsageError where there is no chat template, where it raises, and where the prompt gets lost or changed in it.
    """
    text = _chosen(files, name)
    texts = []
    for prompt, reply in zip(STAND_INS, REPLIES, strict=True):
        said = message.replace("{prompt}", prompt).replace("{response}", reply)
        messages = [{"role": "system", "content": system}] if system is not None else []
        messages.append({"role": "user", "content": said})
        messages += [{"role": "assistant", "content": reply}] if response else []
        rendered = _rendered_with(files, text, messages, prompt, options or {})
        with_response = response or "{response}" in message
        texts.append(_with_slots(files.name, rendered, prompt, reply if with_response else None))
        if system is not None and system not in rendered:
            raise UsageError(
                f"The chat template of {files.name} has no place for a system message; leave --system out, or give "
                "--template."
            )
    if texts[0] != texts[1]:
        raise UsageError(
            f"The chat template of {files.name} writes other text around other prompts, so it is none; give "
            "--template."
        )
    check_slots(texts[0])
    return texts[0]


class Refused(Exception):
    """A chat template that gives no text, with its reason."""

    def __init__(self, reason: str, *, stopped: bool = False) -> None:
        super().__init__(reason)
        self.stopped = stopped
        """Whether it ran until it was stopped."""


def render(template: str, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
    """A chat template's text, made in a process of its own (`rendering`). Raises Refused where there is none."""
    request = json.dumps({"template": template, "messages": messages, "options": options})
    try:
        done = subprocess.run(
            python_command(rendering.__name__),
            input=request,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            cwd=NEUTRAL,
            env=child_environment(),
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # stopped by us, or by its limits before it could answer
        raise Refused("it does not come to an end within seconds", stopped=True) from None
    if "text" not in answer:
        raise Refused(answer["refused"])
    return answer["text"]


def _chosen(files: TokenizerFiles, name: str | None) -> str:
    found = chat_templates(files)
    if not found:
        raise UsageError(
            f"The tokenizer of {files.name} has no chat template; give --template with {{prompt}} in it instead."
        )
    if name is None and (DEFAULT in found or len(found) == 1):
        return found.get(DEFAULT) or next(iter(found.values()))
    if name in found:
        return found[name]
    which = f"no chat template {name!r}" if name else "several chat templates"
    raise UsageError(f"{files.name} has {which}; pass --chat-template with one of {', '.join(sorted(found))}.")


def _rendered_with(
    files: TokenizerFiles, text: str, messages: list[Message], prompt: str, options: Mapping[str, Any]
) -> str:
    """Messages of plain text; where they are refused or get lost, of parts, as models of pictures take them."""
    first: Refused | None = None
    lost: str | None = None
    for form in (messages, [_in_parts(each) for each in messages]):
        try:
            rendered = render(text, form, {**files.special, **options})
        except Refused as error:
            first = first or error
            if error.stopped:
                break
            continue
        if prompt in rendered:
            return rendered
        lost = rendered if lost is None else lost
    if lost is not None:
        return lost  # that the prompt is not in it is said where slots are put
    raise UsageError(
        f"The chat template of {files.name} refuses this conversation ({first}); give --template instead"
        + (", or try without --system." if messages[0]["role"] == "system" else ".")
    ) from first


def _in_parts(message: Message) -> Message:
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


def _with_slots(name: str, rendered: str, prompt: str, reply: str | None) -> str:
    for stand_in, slot in ((prompt, "{prompt}"), (reply, "{response}")):
        if stand_in is None:
            continue
        if rendered.count(stand_in) != 1:
            lost = "leaves out or rewrites" if stand_in not in rendered else "repeats"
            raise UsageError(
                f"The chat template of {name} {lost} what stands for {slot}, so it has no one place; give "
                "--template instead."
            )
        rendered = rendered.replace(stand_in, slot)
    return rendered


def _read(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as text; save the tokenizer again.") from error

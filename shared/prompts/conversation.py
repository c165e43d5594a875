"""A prompt with the response that it got: as one text, and as found in a column of chat messages.

Everything that reads, marks or replaces words works on one text, so a conversation is one: prompt, `BETWEEN`,
response. Only a template with a place for the response takes the two apart again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard, TypeVar

from shared.records import Prompt

BETWEEN = "\n\u2063\n"
"""Between a prompt and its response: a line with the invisible separator, which no prompt of a person holds."""
ROLES = {"user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant",
         "bot": "assistant", "model": "assistant", "agent": "assistant"}  # fmt: skip
"""What data sets call who speaks."""

Asked = TypeVar("Asked", bound=Prompt)


class Turns(NamedTuple):
    """The last thing asked, and what was answered; each empty where there is none."""

    prompt: str
    response: str


def joined(text: str, response: str) -> str:
    """A conversation as one text; a prompt without response is itself."""
    return text.replace(BETWEEN, "\n\n") + BETWEEN + response.replace(BETWEEN, "\n\n") if response else text


def parted(text: str) -> Turns:
    """Prompt and response of a text that `joined` made; without response, the text itself."""
    prompt, _, response = text.partition(BETWEEN)
    return Turns(prompt, response)


def takes_response(template: str | None) -> bool:
    """Whether a judge's template has a place for the response."""
    return template is not None and "{response}" in template


def as_judged(prompts: Sequence[Asked], template: str | None) -> list[Asked]:
    """Prompts whose text is what the judge reads: with their responses, where its template takes one."""
    if not takes_response(template):
        return list(prompts)
    return [
        prompt if BETWEEN in prompt.text or not prompt.response
        else prompt.model_copy(update={"text": joined(prompt.text, prompt.response)})
        for prompt in prompts
    ]  # fmt: skip


def response_warnings(prompts: Sequence[Prompt], template: str | None) -> list[str]:
    """What does not fit between a template and the probes."""
    without = sum(not prompt.response for prompt in prompts)
    if takes_response(template) and without:
        return [
            f"{without} of {len(prompts)} probes have no response, and the template asks for one: the judge reads "
            "an empty response there; give probes with a response column, or judge prompts alone."
        ]
    if not takes_response(template) and without < len(prompts):
        return [
            f"{len(prompts) - without} of {len(prompts)} probes have a response, which nothing reads: this judge's "
            "template has no {response}."
        ]
    return []


def is_chat(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether a column's value is a list of chat messages."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and _role(each) for each in value)


def last_turns(messages: Sequence[dict[str, Any]]) -> Turns:
    """What the user said last, and what the assistant said last after it."""
    prompt = response = ""
    for message in messages:
        speaker = ROLES.get(_role(message).casefold(), "")
        if speaker == "user":
            prompt, response = _content(message), ""
        elif speaker == "assistant":
            response = _content(message)
    return Turns(prompt, response)


def _role(message: dict[str, Any]) -> str:
    role = message.get("role", message.get("from"))
    return role if isinstance(role, str) else ""


def _content(message: dict[str, Any]) -> str:
    content = message.get("content", message.get("value"))
    if isinstance(content, list):  # parts, as models that see pictures take them
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""

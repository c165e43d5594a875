"""A prompted judge's template as a user gives it: the text around `{prompt}`, and `{response}` if there is one."""

from __future__ import annotations

from pathlib import Path

from shared.errors import UsageError
from shared.user_paths import expanded

LARGEST = 2**20
"""Bytes of a template's file."""


def read_template(text: str | None, file: Path | None) -> str:
    """The template from an option or a file. Raises UsageError unless it holds {prompt} exactly once."""
    if (text is None) == (file is None):
        raise UsageError(
            "Give a prompted judge's --template, or --template-file, with {prompt} where the prompt goes."
        )
    if file is not None:
        try:
            text = text_of(expanded(str(file)))
        except (OSError, ValueError) as error:
            raise UsageError(f"--template-file {file} cannot be read: {error}.") from error
    else:
        text = with_breaks(text or "")
    check_slots(text)
    return text


def text_of(file: Path) -> str:
    """A file's text. Raises OSError, and ValueError for what is no text or no file (a device never ends)."""
    if file.exists() and not file.is_file():
        raise ValueError("it is not a file")
    with file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
    return data.decode("utf-8").replace("\r\n", "\n")


def with_breaks(text: str) -> str:
    """\\n as it is typed in a shell -> a line break."""
    return text.replace("\\n", "\n")


def check_slots(template: str) -> None:
    """Raises UsageError unless {prompt} stands there once, and {response} at most once."""
    for slot, least in (("{prompt}", 1), ("{response}", 0)):
        count = template.count(slot)
        if not least <= count <= 1:
            must = "be there once" if least else "not be there more than once"
            raise UsageError(f"The template holds {slot} {count} times; it must {must}.")

"""What a user says of the names in a run: `--pattern` and `--ready-marker`, checked once."""

from __future__ import annotations

from shared.checkpoint_names import NamePattern, is_plain, parse_pattern


def checked_pattern(text: str) -> str:
    """The pattern as given; raises ValueError in words for people."""
    parse_pattern(text)
    return text


def checked_file_name(text: str) -> str:
    """A file's name, or nothing; raises ValueError in words for people."""
    if text and not is_plain(text.removeprefix(".")):  # a marker may be hidden
        raise ValueError(f"{text!r} is not a file's name; write one without a slash, e.g. READY")
    return text


def pattern_of(text: str | None) -> NamePattern | None:
    """The user's rule for checkpoints' names, where there is one."""
    return None if text is None else parse_pattern(text)

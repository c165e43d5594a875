"""In which formats figures become pictures. Apart from what draws them: the settings of every command read it."""

from __future__ import annotations

from typing import Literal, get_args

Picture = Literal["png", "svg", "pdf"]
FORMATS: tuple[Picture, ...] = get_args(Picture)


def formats_of(text: str) -> tuple[Picture, ...]:
    """ "png,pdf" as formats, "none" as none of them; raises ValueError in words for people."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return ()
    unknown = [word for word in words if word not in FORMATS]
    if unknown or not words:
        raise ValueError(f"{text!r} is none of {', '.join(FORMATS)}, several separated by commas, or none")
    return tuple(each for each in FORMATS if each in words)

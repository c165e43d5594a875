"""Where prompts come from: the options that every command with prompts shares."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from shared.records import Label
from shared.settings import Settings


class SourceSettings(Settings):
    """How a source is read. Everything is found by itself where the names say it."""

    text_column: str | None = None
    """Column of the prompt; a.b reads field b of column a. Found by its name when not given."""
    response_column: str | None = None
    """Column of what was answered to the prompt. Found by its name where a conversation is judged."""
    label_column: str | None = None
    """Column of the label. Found by its name when not given."""
    unsafe_labels: list[str] = Field(default_factory=list)
    """Label values that mean unsafe; all others mean safe. Repeat it, or separate them by commas."""
    unsafe_threshold: float | None = None
    """The label is a score, and means unsafe from this value on."""
    all_labelled: Label | None = None
    """Label of every prompt, for a source without a label column."""
    category_column: str | None = None
    """Column of the risk category."""
    group_column: str | None = None
    """Column whose equal values mark prompts that must stay in one split, such as a template's name."""
    data_subset: str | None = None
    """Configuration of a Hugging Face data set that has several."""
    data_split: str | None = None
    """Split of a Hugging Face data set to read."""

    @field_validator("unsafe_labels", mode="before")
    @classmethod
    def _separate(cls, value: Any) -> Any:
        values = [value] if isinstance(value, str | int | float) else value
        return [part.strip() for item in values or [] for part in str(item).split(",") if part.strip()]

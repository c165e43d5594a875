"""Finding the columns of prompt, label, category and group in a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import UsageError
from shared.prompts.presets import Preset, file_preset
from shared.prompts.rows import Row
from shared.records import Label

if TYPE_CHECKING:
    from shared.prompts.source_settings import SourceSettings

TEXT_NAMES = (
    "prompt", "text", "question", "user_input", "goal", "behavior", "forbidden_prompt", "instruction", "query",
    "request", "sentence", "content", "message", "input", "messages", "conversation", "conversations",
)  # fmt: skip
"""Column names that mean the prompt, the first that occurs wins."""
LABEL_NAMES = (
    "label", "labels", "is_safe", "safe", "is_unsafe", "unsafe", "is_harmful", "harmful", "is_toxic", "toxic",
    "toxicity", "prompt_harm_label", "prompt_label", "jailbreak", "is_jailbreak", "class", "verdict",
)  # fmt: skip
"""Column names that mean the label; two of them in one source are ambiguous."""
CATEGORY_NAMES = ("category", "subcategory", "semanticcategory", "hazard")
GROUP_NAMES = ("group", "template")
RESPONSE_NAMES = ("response", "answer", "completion", "output", "assistant")
"""Column names that mean what was answered; only looked at where a conversation is judged."""
LANGUAGE_NAMES = ("language", "lang")


@dataclass(frozen=True)
class Columns:
    """Where everything is in one source."""

    text: str
    label: str | None
    unsafe_labels: tuple[str, ...] = ()
    threshold: float | None = None
    all_label: Label | None = None
    split_labels: Mapping[str, Label] = field(default_factory=dict)
    category: str | None = None
    group: str | None = None
    response: str | None = None
    language: str | None = None
    skip_unlabelled: bool = False
    note: str = ""


def find_columns(
    rows: Sequence[Row],
    name: str,
    settings: SourceSettings,
    preset: Preset | None,
    *,
    responses: bool = False,
    unlabelled: bool = False,
) -> Columns:
    """What the user passed, else the preset (or a known header), else names that mean it.

    With `responses` a column of responses is looked for too. Raises UsageError naming the columns found when text
    or label remain unclear; with `unlabelled` a source may have no label.
    """
    names = list(dict.fromkeys(column for row in rows for column in row.values))
    preset = preset or file_preset(set(names))
    for column in (
        settings.text_column,
        settings.response_column,
        settings.label_column,
        settings.category_column,
        settings.group_column,
    ):
        if column is not None and column.partition(".")[0] not in names and column not in names:
            raise UsageError(f"{name} has no column {column!r}; its columns are {_listed(names)}.")
    text = settings.text_column or (preset.text if preset else _first(names, TEXT_NAMES))
    if text is None:
        raise UsageError(
            f"Which column of {name} holds the prompt is unclear; pass --text-column with one of {_listed(names)}."
        )
    label, all_label, split_labels = _label_source(names, name, settings, preset, unlabelled)
    # once the user says what labels mean, what they usually mean no longer counts
    own = [settings.label_column, settings.all_labelled, settings.unsafe_threshold, settings.unsafe_labels or None]
    usual = preset if own == [None] * len(own) else None
    return Columns(
        text=text,
        label=label,
        unsafe_labels=tuple(settings.unsafe_labels),
        threshold=usual.threshold if usual else settings.unsafe_threshold,
        all_label=all_label,
        split_labels=split_labels,
        category=settings.category_column or (preset.category if preset else None) or _first(names, CATEGORY_NAMES),
        group=settings.group_column or (preset.group if preset else None) or _first(names, GROUP_NAMES),
        response=settings.response_column or (_first(names, RESPONSE_NAMES) if responses else None),
        language=_first(names, LANGUAGE_NAMES),
        skip_unlabelled=usual.skip_unlabelled if usual else False,
        note=usual.note if usual else "",
    )


def _label_source(
    names: list[str], name: str, settings: SourceSettings, preset: Preset | None, unlabelled: bool
) -> tuple[str | None, Label | None, Mapping[str, Label]]:
    """(label column, label of every prompt, label by split): exactly one of them says it, or none where
    `unlabelled` allows it."""
    if settings.all_labelled is not None:
        return None, settings.all_labelled, {}
    if settings.label_column is not None:
        return settings.label_column, None, {}
    if preset is not None and preset.label is not None:
        return preset.label, None, {}
    found = [column for column in names if column.casefold() in LABEL_NAMES]
    if len(found) > 1:
        raise UsageError(
            f"{name} has several label columns ({', '.join(found)}); pass --label-column with one of them."
        )
    if found:
        return found[0], None, {}
    if preset is not None and preset.all_label is not None:
        return None, preset.all_label, {}
    if preset is not None and preset.hub is not None:
        return None, None, preset.split_labels
    by_name: set[Label] = {
        label for word, label in (preset.split_labels if preset else {}).items() if word in name.casefold()
    }
    if len(by_name) == 1:
        return None, by_name.pop(), {}
    if unlabelled:
        return None, None, {}
    raise UsageError(
        f"Which column of {name} holds the label is unclear; pass --label-column with one of {_listed(names)}, "
        "or --all-labelled unsafe (or safe) when every prompt has the same label."
    )


def _first(names: list[str], wanted: tuple[str, ...]) -> str | None:
    by_fold = {name.casefold(): name for name in reversed(names)}
    return next((by_fold[word] for word in wanted if word in by_fold), None)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")

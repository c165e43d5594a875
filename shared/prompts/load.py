"""Labelled prompts from a file, a Hugging Face `datasets` name, or the set that ships with Midwatch.

1. Find the source: "shipped", a preset's short name, a file, a directory, or a hub name.
2. Find the columns: what the user passed, else a known header, else names that mean it.
3. Read the labels: all values first, so that an unclear one is named before anything trains on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UsageError
from shared.prompts import shipped
from shared.prompts.columns import Columns, find_columns
from shared.prompts.conversation import is_chat, last_turns
from shared.prompts.digest import MAX_PROMPT_CHARS
from shared.prompts.hub import read_dataset
from shared.prompts.labels import LabelReader, canonical
from shared.prompts.presets import Preset, hub_preset
from shared.prompts.rows import SUFFIXES, Row, read_rows
from shared.prompts.source_settings import SourceSettings
from shared.records import Label, Prompt
from shared.user_paths import expanded

log = logging.getLogger(__name__)


def load_prompts(source: str, settings: SourceSettings | None = None, *, responses: bool = False) -> list[Prompt]:
    """The labelled prompts of `source`, in its order; prompts without text are left out, and that is logged.

    `source` is "shipped", a preset ("toxicchat"), a .jsonl, .json, .csv, .tsv or .parquet file, a directory that
    the library datasets reads, or a name on the Hugging Face hub. With `responses`, what was
    answered to a prompt is read too. Raises UsageError in one sentence for anything that cannot be read as labelled
    prompts.
    """
    return load_any(source, settings, responses=responses, unlabelled=False).labelled


class Loaded(NamedTuple):
    """Prompts of a source, each list in its order."""

    labelled: list[Prompt]
    unlabelled: list[Prompt]
    """Those without a label: what stands in its place says nothing."""
    notes: Sequence[str] = ()
    """What labels mean where that is not plain, and which rows were left out or cut: sentences."""


def load_any(
    source: str, settings: SourceSettings | None = None, *, responses: bool = False, unlabelled: bool = True
) -> Loaded:
    """As `load_prompts`; prompts without a label, and sources without a column of them, are read all the same.

    What is noted is logged, too.
    """
    settings = settings or SourceSettings()
    preset = hub_preset(source)
    responses = responses or settings.response_column is not None
    if source == "shipped":
        rows, name = read_rows(shipped.PATH), "shipped"
    elif preset is not None and not Path(source).exists():
        assert preset.hub is not None  # noqa: S101 (every hub preset has one)
        splits = [settings.data_split] if settings.data_split else preset.splits
        rows, name = read_dataset(preset.hub, settings.data_subset or preset.subset, splits), preset.name
    else:
        rows, name = _plain_source(source, settings), Path(source).name
        preset = None
    loaded = _loaded(list(rows), name, settings, preset, responses=responses, unlabelled=unlabelled)
    for note in loaded.notes:
        log.warning("%s", note)
    return loaded


def require_both_classes(prompts: Iterable[Prompt], where: str) -> None:
    """Raise UsageError unless there are safe and unsafe prompts."""
    labels = {prompt.label for prompt in prompts}
    if labels != {"safe", "unsafe"}:
        found = f"only {labels.pop()} prompts" if labels else "no prompts"
        raise UsageError(f"{where} has {found}; safe and unsafe ones are both needed.")


def _plain_source(source: str, settings: SourceSettings) -> Iterable[Row]:
    path = expanded(source)
    if path.is_file():
        return read_rows(path)
    splits = [settings.data_split] if settings.data_split else []
    if path.is_dir():
        return read_dataset(str(path), settings.data_subset, splits)
    refuse_missing(source)
    return read_dataset(source, settings.data_subset, splits)


def refuse_missing(source: str) -> None:
    """Raise UsageError where `source` reads as a path at which nothing is: known without reading anything."""
    path = expanded(source)
    is_path = path.suffix.casefold() in SUFFIXES or source.startswith((".", "/", "~")) or source.count("/") > 1
    if is_path and not path.exists():
        raise UsageError(f"{source} does not exist; give a prompt file, a data set's name, or the word shipped.")


def _loaded(
    rows: list[Row],
    name: str,
    settings: SourceSettings,
    preset: Preset | None,
    *,
    responses: bool,
    unlabelled: bool,
) -> Loaded:
    rows = [row for row in rows if any(canonical(value) for value in row.values.values())]
    if not rows:
        raise UsageError(f"{name} holds no prompts; give a source with at least one row.")
    columns = find_columns(rows, name, settings, preset, responses=responses, unlabelled=unlabelled)
    notes = [columns.note] if columns.note else []
    labels = _labels(rows, name, columns, unlabelled)
    prompts, bare, empty, long = [], [], [], []
    for row, label in zip(rows, labels, strict=True):
        text = _text(row, name, columns.text)
        if not text:
            empty.append(row.number)
        elif label is not None or (unlabelled and not columns.skip_unlabelled):
            response = _response(row, columns) if responses else ""
            kept = prompts if label is not None else bare
            kept.append(_prompt(row, clean(text), label or "safe", name, columns, response))
            if len(text) > MAX_PROMPT_CHARS:
                long.append(row.number)
    if empty:
        notes.append(f"{name}: rows without a prompt are left out (row {_numbers(empty)}).")
    if long:
        notes.append(f"{name}: only {MAX_PROMPT_CHARS} characters of a prompt are read (row {_numbers(long)}).")
    if not prompts and not bare:
        raise UsageError(f"{name} holds no prompt with text and label; check --text-column and --label-column.")
    return Loaded(prompts, bare, notes)


def _labels(rows: list[Row], name: str, columns: Columns, unlabelled: bool) -> list[Label | None]:
    """The label of each row; None only where the preset leaves rows without one out, or they are wanted."""
    if columns.label is None:
        return [columns.all_label or columns.split_labels.get(row.split) for row in rows]
    values = [dig(row.values, columns.label) for row in rows]
    reader = LabelReader(values, columns.label, columns.unsafe_labels, columns.threshold)
    labels: list[Label | None] = [reader.read(value) for value in values]
    missing = [row.number for row, label in zip(rows, labels, strict=True) if label is None]
    if missing and not columns.skip_unlabelled and not unlabelled:
        raise UsageError(
            f"{name} row {_numbers(missing)} has no label in column {columns.label!r}; "
            "label these rows or remove them."
        )
    return labels


def _text(row: Row, name: str, column: str) -> str:
    value = dig(row.values, column)
    if value is None or (isinstance(value, float) and not canonical(value)):
        return ""
    if is_chat(value):
        value = last_turns(value).prompt
    if not isinstance(value, str):
        raise UsageError(
            f"{name} row {row.number}: column {column!r} holds {type(value).__name__}, not text; "
            "pass --text-column with the column of the prompt."
        )
    return value if value.strip() else ""


def _response(row: Row, columns: Columns) -> str:
    """What was answered: in a column of its own, or last in the messages that hold the prompt."""
    value = dig(row.values, columns.response) if columns.response else None
    chat = dig(row.values, columns.text)
    if is_chat(value):
        value = last_turns(value).response
    elif value is None and is_chat(chat):
        value = last_turns(chat).response
    return clean(value) if isinstance(value, str) and value.strip() else ""


def _prompt(row: Row, text: str, label: Label, name: str, columns: Columns, response: str) -> Prompt:
    pair = _word(row, "pair") or None
    group = _word(row, columns.group)
    return Prompt(
        text=text,
        label=label,
        response=response,
        language=_word(row, columns.language),
        category=_word(row, columns.category),
        style=_word(row, "style"),
        source=_word(row, "source") or name,
        group=f"{name}:{group}" if group else "",
        pair=f"{name}:{pair}" if pair else None,
        origin=_word(row, "origin"),
        edition=edition_of(row.values.get("edition")),
    )


def edition_of(value: Any) -> int:
    """The edition a row says as a whole number; 1 where it says none."""
    return value if isinstance(value, int) and value > 1 else 1


def _word(row: Row, column: str | None) -> str:
    value = dig(row.values, column) if column else None
    return clean(str(value)).strip() if canonical(value) else ""


def dig(values: dict[str, Any], column: str) -> Any:
    """The value of `column`, or of a field inside one: "prompt.text"."""
    if column in values:
        return values[column]
    first, _, rest = column.partition(".")
    inner = values.get(first)
    return dig(inner, rest) if rest and isinstance(inner, dict) else None


def clean(text: str) -> str:
    """At most `MAX_PROMPT_CHARS` characters, lone surrogates (which no tokenizer takes) replaced."""
    return text[:MAX_PROMPT_CHARS].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")

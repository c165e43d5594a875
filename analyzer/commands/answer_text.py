"""Answers to an asked prompt as `midwatch ask` prints them."""

from __future__ import annotations

import typer

from shared.answers import answers_of, asked_of
from shared.findings.asked import AskedResult
from shared.findings.asked_sentences import (
    SHOWN,
    among_words,
    deleted_words,
    flips_words,
    twin_words_of,
    verdict_words,
    word_list,
)
from shared.findings.inside_sentences import gap_words, heads_words, neurons_words
from shared.findings.text import clean, signed
from shared.json_answer import print_json
from shared.requests.record import RequestState
from shared.results import ResultRecord
from shared.run import Run

NEAREST = 3
"""Probes that are named."""


def print_answers(run: Run, state: RequestState, *, as_json: bool) -> None:
    """All answers that there are, on stdout. Raises SchemaError for one that is no answer."""
    found = answers_of(run, state)
    if as_json:
        told = {
            "request": state.id,
            "state": state.state,
            "sentence": state.sentence,
            "answers": [
                record.model_dump(mode="json", include=_TOLD) | {"label": record.label, "answer": record.payload}
                for _, records in found
                for record in records
            ],
        }
        return print_json("ask", run.path, told)
    for _, records in found:
        for record in records:
            typer.echo("\n".join(_lines(record, asked_of(record))))
    return None


_TOLD = {"checkpoint", "step", "epoch", "key", "checkpoint_digest", "probe_digest", "warnings", "duration_s"}


def _lines(record: ResultRecord, found: AskedResult) -> list[str]:
    """One answer: the verdict first, each part a line."""
    lines = [f"{clean(record.label)}: {verdict_words(found)}"]
    if found.among is not None:
        lines[0] += f", {among_words(found.among)}"
    rows = [("twin", twin_words_of(found))]
    if found.words is not None:
        rows.append(("words", word_list(found.words)))
    rows.append(("deleted", deleted_words(found)))
    if found.flips is not None:
        rows.append(("weakness", flips_words(found.flips)))
    if found.layers is not None and found.layers.lens is not None:
        rows.append(("layers", "score read early: " + " ".join(signed(value, 1) for value in found.layers.lens)))
    if found.attention is not None:
        heads = ", ".join(f"L{head.layer}.H{head.head}" for head in found.attention.heads)
        rows.append(("heads", f"{heads} (what they attend to: --json)"))
    if found.inside is not None:
        said = (gap_words(found.inside), heads_words(found.inside), neurons_words(found.inside))
        rows.append(("inside", ". ".join(filter(None, said))))
    rows += [
        ("near", f'alike {near.similarity:.2f}: "{clean(near.text, SHOWN)}" ({near.label}, {signed(near.score)})')
        for near in found.nearest[:NEAREST]
    ]
    rows += [("note", sentence) for sentence in [*record.warnings, *found.notes]]
    return [*lines, *(f"  {name}: {clean(text)}" for name, text in rows if text)]

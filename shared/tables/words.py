"""Rows of attribution: a word of a display prompt, a word over prompts, a token of any attributed prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shared.findings.parts import interval_cells
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.findings.word_checks import TopWords
from shared.tables.parts import CheckpointResults, Column, Columns, Table, from_rows, interval_columns


def _words(results: CheckpointResults) -> Columns:
    result = results.typed("tokens", TokensResult)
    return from_rows(row for sample in result.samples for row in _of_sample(sample)) if result else {}


def _of_sample(sample: SampleAttribution) -> Iterator[dict[str, Any]]:
    for place, word in enumerate(sample.words):
        yield {
            "prompt_id": sample.probe_id,
            "label": sample.label,
            "position": place,
            "word": word.text,
            "start": word.start,
            "end": word.end,
            "special": word.special,
            "attribution": word.value,
            "gradient_x_input": word.gradient_x_input,
            "baseline": sample.baseline,
            "instead_of": word.instead_of,
            **interval_cells("replaced", word.check.effect if word.check else None),
            "gap": sample.gap,
            "converged": sample.converged,
        }


WORDS = Table(
    "words",
    "a word of a display prompt at a checkpoint",
    (
        Column("prompt_id", "text", "Digest of the prompt, as in `prompts`"),
        Column("label", "text", "The prompt's true label: safe or unsafe"),
        Column("position", "integer", "Place of the word in the prompt, from 0"),
        Column("word", "text", "The word; of a special token its name"),
        Column("start", "integer", "First character in the prompt; 0 for special tokens"),
        Column("end", "integer", "One past the last character"),
        Column("special", "truth", "Whether it is a special token"),
        Column("attribution", "number", "Integrated gradients of the score, nats; positive pushes to unsafe"),
        Column("gradient_x_input", "number", "The same by gradient x input, nats"),
        Column("baseline", "text", "What it is attributed from: twin, mask, space or mean"),
        Column("instead_of", "text", "The twin's word in its place, where that is another one"),
        *interval_columns("replaced", "Change of the score by neutral words in its place, nats; empty: not tried"),
        Column("gap", "number", "The prompt's completeness gap, a share of the change of the score"),
        Column("converged", "truth", "Whether the gap is within its bound"),
    ),
    _words,
)


def _top_words(results: CheckpointResults) -> Columns:
    result = results.typed("tokens", TokensResult)
    return from_rows(row for found in result.top for row in _of_list(found)) if result else {}


def _of_list(found: TopWords) -> Iterator[dict[str, Any]]:
    for side, words in (("unsafe", found.unsafe), ("safe", found.safe)):
        for word in words:
            yield {
                "word": word.text,
                "pushes_to": side,
                "baseline": found.baseline,
                **interval_cells("attribution", word.value),
                "prompts": word.count,
                "groups": word.groups,
                "instead_of": " ".join(word.instead_of) or None,
                **interval_cells("replaced", word.check),
                "replaced_prompts": word.checked,
                "clear": word.clear,
            }


TOP_WORDS = Table(
    "top_words",
    "a word over the prompts of a checkpoint that it occurs in",
    (
        Column("word", "text", "The word, in lower case"),
        Column("pushes_to", "text", "safe or unsafe"),
        Column("baseline", "text", "What it is attributed from: twin, mask, space or mean"),
        *interval_columns("attribution", "Mean of its attributions, nats; positive pushes to unsafe"),
        Column("prompts", "integer", "Prompts it occurs in"),
        Column("groups", "integer", "Independent groups of these"),
        Column("instead_of", "text", "The twins' words that it was compared with, the most frequent first"),
        *interval_columns("replaced", "Mean change of the score by neutral words in its place, nats"),
        Column("replaced_prompts", "integer", "Prompts in which it was replaced"),
        Column("clear", "truth", "Whether both say the same, clear of 0: only then is it said on a page"),
    ),
    _top_words,
)


def _tokens(results: CheckpointResults) -> Columns:
    tensors = results.tensors("tokens")
    if not {"attributions", "offsets", "prompts", "token_ids"} <= tensors.keys():
        return {}
    lengths = np.diff(tensors["offsets"])
    places = np.repeat(tensors["prompts"], lengths)
    ids = [probe.id for probe in results.probes]
    found: dict[str, Any] = {
        "prompt": places,
        "prompt_id": [ids[place] if place < len(ids) else None for place in places.tolist()],
        "position": np.concatenate([np.arange(length) for length in lengths]) if len(lengths) else [],
        "token_id": tensors["token_ids"],
        "attribution": tensors["attributions"],
    }
    if "gradient_x_input" in tensors:
        found["gradient_x_input"] = tensors["gradient_x_input"]
    return found


TOKENS = Table(
    "tokens",
    "a token of an attributed prompt at a checkpoint",
    (
        Column("prompt", "integer", "Place of the prompt in the probe set, from 0, as in `prompts`"),
        Column("prompt_id", "text", "Digest of the prompt; empty where the probe set is not there any more"),
        Column("position", "integer", "Place of the token in the prompt, special tokens counted, from 0"),
        Column("token_id", "integer", "The tokenizer's id"),
        Column("attribution", "number", "Integrated gradients of the score, nats; positive pushes to unsafe"),
        Column("gradient_x_input", "number", "The same by gradient x input, nats"),
    ),
    _tokens,
)

"""Digests of prompts: the same question, however it is spaced or capitalised, has the same digest."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

from shared.records import Probe, Prompt

MAX_PROMPT_CHARS = 20_000
"""Characters of a prompt that are read; what follows is ignored everywhere, in digests too."""


def normalise(text: str) -> str:
    """NFKC, case-folded, white space collapsed to single spaces and stripped."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def prompt_digest(text: str, response: str = "") -> str:
    """16 hex digits of SHA-256 over the normalised first `MAX_PROMPT_CHARS` characters.

    One prompt with two responses has two digests; without a response it is that of the prompt alone.
    """
    asked = normalise(text[:MAX_PROMPT_CHARS])
    # no normalised text holds a line break, so no prompt alone has the digest of a conversation
    return _sha256(f"{asked}\n{normalise(response[:MAX_PROMPT_CHARS])}" if response else asked)[:16]


def digest_of(prompt: Prompt) -> str:
    """`prompt_digest` of a prompt with the response that it got."""
    return prompt_digest(prompt.text, prompt.response)


def probe_set_digest(probes: Iterable[Probe]) -> str:
    """SHA-256 over everything of the probe set that can change a result, order included: 64 hex digits.

    The exact text counts here (a cased tokenizer sees capitals), not its normalised form. The pairs beside the set
    come after it, marked; without any the digest is that of the set alone.
    """
    return _sha256("\n".join(probe.model_dump_json(exclude=_unmarked(probe)) for probe in probes))


def _unmarked(probe: Probe) -> set[str]:
    """Fields that came later and say nothing of this probe: digests made before stay what they are."""
    later = {"further": False, "response": "", "language": "", "origin": "", "edition": 1}
    return {name for name, value in later.items() if getattr(probe, name) == value}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

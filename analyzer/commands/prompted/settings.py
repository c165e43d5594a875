"""What `midwatch init` can be told about a judge that answers in words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.errors import UsageError
from shared.prompts.source_settings import SourceSettings


class PromptedSettings(SourceSettings):
    """How a prompted judge is asked, and how it answers."""

    like: str | None = None
    """The guard model whose format this one has: llama-guard-3, shieldgemma, wildguard,
    granite-guardian, granite-guardian-3.3, qwen3guard, nemoguard; or prompt-guard, a classifier."""
    chat: bool = False
    """Ask by the tokenizer's own chat template."""
    chat_template: str | None = None
    """The name of the chat template, of a tokenizer that has several."""
    system: str | None = None
    """The system message of the chat template."""
    judged: Literal["prompt", "response"] = "prompt"
    """With --chat or --like: what is judged, the prompt alone or the response that it got."""
    template: str | None = None
    """The text around the prompt, with the word {prompt} in its place, and {response} in that of
    what was answered to it; \\n is a line break."""
    template_file: Path | None = None
    """A file that holds the template."""
    unsafe_answer: list[str] = Field(default_factory=list)
    """An answer that means unsafe, with its leading space where it has one; True when not given.
    Repeat it for several."""
    safe_answer: list[str] = Field(default_factory=list)
    """An answer that means safe; False when not given. Repeat it for several."""
    spellings: bool = True
    """Count other spellings of the answers too, in letter case and leading space."""
    strict: bool = False
    """Of a guard with an answer between the two (controversial): it counts as unsafe. So it does, as an assumption,
    when neither --strict nor --lenient is given."""
    lenient: bool = False
    """Of such a guard: its answer between the two counts as safe."""
    line: str | None = None
    """Of a guard that writes several verdicts, the one that is read: harmful-request, say."""
    category: list[str] = Field(default_factory=list)
    """Of a taxonomy, a code and its name, S1=Violence. Repeat it; of a known guard, codes alone
    choose some of its own."""
    category_prefix: str | None = None
    """What the judge writes between the template and a category's code: unsafe\\n, say."""


OF_ANSWERS = (
    "chat",
    "chat_template",
    "system",
    "template",
    "template_file",
    "unsafe_answer",
    "safe_answer",
    "strict",
    "lenient",
    "line",
    "category",
    "category_prefix",
)
"""What says nothing of a classifier."""


def check_none_given(settings: PromptedSettings, checkpoint: str) -> None:
    """Raises UsageError for a prompted judge's flag where the model is a classifier, which would not hear it."""
    told = [name for name in OF_ANSWERS if getattr(settings, name) not in (None, False, [])]
    if told:
        raise UsageError(
            f"--{told[0].replace('_', '-')} is for judges that answer in words, and {checkpoint} is a classifier; "
            "leave it out, or give a run of a causal language model."
        )

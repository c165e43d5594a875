"""A checkpoint's tokenizer as far as its files tell, by the library tokenizers alone: no torch, no model."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.base_model import base_config
from analyzer.checkpoints.file_names import VOCABULARY_FILES
from analyzer.model.answer_tokens import Pieces
from shared.errors import SchemaError, UsageError
from shared.files import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class TokenizerFiles:
    """The tokenizer saved with a checkpoint; an adapter's without one of its own is its base's."""

    def __init__(self, checkpoint: Path, base: Path | None = None) -> None:
        """`base` is the directory of an adapter's base model; looked for where it is None."""
        self.name = checkpoint.name
        self.home = tokenizer_home(checkpoint, base)

    @cached_property
    def config(self) -> dict[str, Any]:
        """tokenizer_config.json; empty where there is none."""
        try:
            found = read_json(self.home / "tokenizer_config.json")
        except (OSError, SchemaError):
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Raises UsageError where it is not saved as tokenizer.json."""
        from tokenizers import Tokenizer

        path = self.home / "tokenizer.json"
        if not path.is_file():
            others = [name for name in VOCABULARY_FILES if (self.home / name).is_file()]
            only = f", only {others[0]}, which has no tokens to look up without loading the model" if others else ""
            raise UsageError(
                f"{self.name} has no tokenizer.json{only}; save the tokenizer with the checkpoint by "
                "AutoTokenizer.from_pretrained(...).save_pretrained(...)."
            )
        try:
            found = Tokenizer.from_file(str(path))
        except Exception as error:  # the library has no other for whatever is wrong in the file
            raise UsageError(f"{self.name}/tokenizer.json cannot be read ({error}); save it again.") from error
        found.no_truncation()
        found.no_padding()
        return found

    def split(self, text: str) -> Pieces:
        """The text's tokens. Raises UsageError for what is no text: a shell hands on bytes that are not UTF-8."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError(
                f"{text[:60]!r} has characters that are no text (bytes that are not UTF-8); write it in UTF-8."
            ) from None
        found = self.tokenizer.encode(text, add_special_tokens=False)
        return Pieces(tuple(found.ids), tuple(end for _, end in found.offsets))

    @property
    def unknown(self) -> frozenset[int]:
        """The id of what the tokenizer does not know; empty for one that knows every text."""
        named = self.tokenizer.token_to_id(str(getattr(self.tokenizer.model, "unk_token", "") or ""))
        numbered = getattr(self.tokenizer.model, "unk_id", None)
        return frozenset(found for found in (named, numbered) if found is not None)

    def knows(self, token: str) -> bool:
        """Whether `token` is one token, such as "<|im_start|>"."""
        return self.tokenizer.token_to_id(token) is not None

    @property
    def special(self) -> dict[str, str]:
        """bos_token, eos_token, ...: what a chat template may write."""
        found = {name: self.config.get(name) for name in SPECIAL}
        try:
            more = read_json(self.home / "special_tokens_map.json")
        except (OSError, SchemaError):
            more = {}
        found = {
            name: value or (more.get(name) if isinstance(more, dict) else None) for name, value in found.items()
        }
        texts = {name: value.get("content") if isinstance(value, dict) else value for name, value in found.items()}
        return {name: text for name, text in texts.items() if isinstance(text, str)}


def tokenizer_home(checkpoint: Path, base: Path | None = None) -> Path:
    """Where a checkpoint's tokenizer lies: in itself, of an adapter without one in its base, wherever that is."""
    if any((checkpoint / name).is_file() for name in VOCABULARY_FILES) or not is_adapter(checkpoint):
        return checkpoint
    return base or base_config(checkpoint) or checkpoint

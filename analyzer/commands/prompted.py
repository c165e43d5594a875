"""How a prompted judge is asked, and the tokens that it answers with; no torch."""

from __future__ import annotations

from pathlib import Path

from shared.errors import UsageError


def read_template(text: str | None, file: Path | None) -> str:
    """The template from an option or a file. Raises UsageError unless it holds {prompt} exactly once."""
    if (text is None) == (file is None):
        raise UsageError(
            "Give a prompted judge's --template, or --template-file, with {prompt} where the prompt goes."
        )
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--template-file {file} cannot be read: {error}.") from error
    else:
        text = (text or "").replace("\\n", "\n")
    if text.count("{prompt}") != 1:
        raise UsageError(f"The template holds {{prompt}} {text.count('{prompt}')} times; it must be there once.")
    return text


def answer_token(checkpoint: Path, answer: str) -> int:
    """The id of an answer that is one token. Raises UsageError that shows how it is split otherwise."""
    from tokenizers import Tokenizer

    path = checkpoint / "tokenizer.json"
    if not path.is_file():
        raise UsageError(f"{checkpoint.name} has no tokenizer.json; save the tokenizer with the checkpoint.")
    found = Tokenizer.from_file(str(path)).encode(answer, add_special_tokens=False)
    if len(found.ids) != 1:
        raise UsageError(
            f"The answer {answer!r} is {len(found.ids)} tokens ({', '.join(found.tokens)}), and a verdict is read "
            "from one: try it with or without a leading space, or another word."
        )
    return found.ids[0]

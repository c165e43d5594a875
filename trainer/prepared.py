"""A prepared data set on disk: what `midwatch prepare` writes and `midwatch train --prepared` reads.

train.jsonl, val.jsonl, test.jsonl, probes.jsonl and pairs.jsonl (further contrast pairs, of val and test), and the
data card as card.md, card.html and, last, card.json: a directory without it was not written to its end.
"""

from __future__ import annotations

from pathlib import Path

from shared.errors import SchemaError, UsageError
from shared.files import read_record, write_bytes_atomic, write_record
from shared.pages.data_card import card_html
from shared.prompts.card import DataCard
from shared.prompts.card_words import markdown
from shared.prompts.groups import held_out
from shared.prompts.probes import read_probes, write_probes
from shared.prompts.prompt_files import read_prompts, write_prompts
from shared.user_paths import expanded, make_output
from trainer.data import Data, require_classes

CARD = "card.json"
SPLITS = ("train", "val", "test")
FILES = {*(f"{name}.jsonl" for name in (*SPLITS, "probes", "pairs")), CARD, "card.md", "card.html"}


def refuse_taken(folder: Path) -> None:
    """Raise UsageError for a directory that holds anything but what an unfinished `midwatch prepare` left in it."""
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to ({error.strerror}); give a directory.") from error
    if CARD in names:
        raise UsageError(f"{folder} holds prepared data already; give another directory, or delete this one.")
    if names - FILES:
        raise UsageError(f"{folder} holds other files ({sorted(names - FILES)[0]}); give a directory of its own.")


def write_prepared(folder: Path, data: Data, card: DataCard) -> None:
    """Write everything, the card's JSON last. Raises OSError."""
    make_output(folder)
    for name in SPLITS:
        write_prompts(folder / f"{name}.jsonl", getattr(data, name))
    write_probes(folder / "probes.jsonl", data.probes)
    write_prompts(folder / "pairs.jsonl", data.pairs)
    write_bytes_atomic(folder / "card.md", markdown(card).encode("utf-8", "replace"))
    write_bytes_atomic(folder / "card.html", card_html(card).encode("utf-8", "replace"))
    write_record(folder / CARD, card)


def read_prepared(folder: Path) -> Data:
    """The splits and the probe set as they are in the files, which may have been edited since.

    Raises UsageError for a directory that is none, for lines that are no prompts, and where training prompts share
    a group, pair or text with what is held out.
    """
    folder = expanded(folder)
    try:
        read_record(folder / CARD, DataCard)
        train, val, test = (read_prompts(folder / f"{name}.jsonl") for name in SPLITS)
        probes = read_probes(folder / "probes.jsonl").probes
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(str(error.filename or error)).name
        raise UsageError(f"{folder} has no {missing}; write it with `midwatch prepare {folder}`.") from error
    except SchemaError as error:
        raise UsageError(f"{error} Write the directory anew with `midwatch prepare`.") from error
    data = Data(train, val, test, probes, f"Prepared in {folder}.")
    require_classes(data)
    _refuse_leaks(data, folder)
    return data


def _refuse_leaks(data: Data, folder: Path) -> None:
    lost = len(data.train) - len(held_out(data.train, data.held))
    if lost:
        raise UsageError(
            f"{lost} prompts of {folder / 'train.jsonl'} share a group, pair or text with the validation, test or "
            "probe prompts beside it; remove them, or write the directory anew with `midwatch prepare`."
        )

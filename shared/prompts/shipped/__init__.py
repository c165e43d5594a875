"""The prompts that ship with Midwatch: a small labelled set for demos, tests and first experiments.

`PATH` names the file, one JSON object a line; `README.md` is its datasheet and `build.py` makes it from the
hand-written `parts/`. Nothing is read on import, so that `shared` stays light.
"""

from pathlib import Path

PATH: Path = Path(__file__).with_name("prompts.jsonl")
"""The shipped prompts: `prompt`, `label`, `category`, `style`, `template`, `pair`, `source`, `edition`."""
TRIGGER_WORDS: Path = Path(__file__).with_name("trigger_words.jsonl")
"""Twins of a topic each, written by hand: a benign sentence with a harmful `word`, then a harmful one without any.
Judges are evaluated on them and must not be trained on them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.user_paths import MAX_BYTES, expanded, read_by_hand
from shared.user_yaml import parse_yaml

TENFOLD = "".join(f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 10)}]}}\n" for level in range(1, 12))
ALIASES = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12))
MISTAKES = {
    "merges": ("m0: &m0 {k: v}\n" + TENFOLD, "line 1: more than 10000 names and values"),
    "aliases": ("a0: &a0 [x, x]\n" + ALIASES + "name: *a11\n", "line 1: more than 10000 names and values"),
    "itself": ("name: &a [*a]\n", "line 1: something that contains itself"),
    "a name twice": ("a: 1\nb: 2\na: 3\n", "line 3: 'a' a second time"),
    "a name twice below": ("a:\n  b: 1\n  'b': 2\n", "line 3: 'b' a second time"),
    "digits": ("a: " + "1" * 5000, "line 1: a value that is no int"),
    "large": ("a: 0x" + "f" * 5000, "line 1: a number that is too large"),
    "no int": ('a: !!int ""', "line 1: a value that is no int"),
    "no bool": ("a: !!bool x", "line 1: a value that is no bool"),
    "no float": ("a: !!float x", "line 1: a value that is no float"),
    "no timestamp": ("a: !!timestamp x", "could not determine a constructor"),
    "bytes": ("a: !!binary x", "could not determine a constructor"),
    "code": ("!!python/object/apply:os.system ['touch hacked']", "could not determine a constructor"),
    "deep": ("[" * 20_000, "nested too deeply"),
    "two documents": ("a: 1\n---\nb: 1\n", "line 2: but found another document"),
    "a list as a name": ("[a, b]: c", "line 1: found unhashable key"),
    "control": ("a: \x1b[31m", "special characters are not allowed"),
    "unclosed": ("a: [1", "line 1: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_short_sentence(mistake: str) -> None:
    text, said = MISTAKES[mistake]
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, "The file x")
    sentence = str(caught.value)
    assert sentence.startswith("The file x is not valid YAML (") and sentence.endswith(").") and said in sentence
    assert len(sentence) < 300 and sentence.isprintable()


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UsageError, match=r"is not valid YAML .it is no UTF-8 text"):
        parse_yaml(b"a: \xff\xfe", "x")


def test_what_people_write() -> None:
    text = "a: 1\nb: [x, 0.5, true, null, 2024-99-99]\nc: &c {d: e}\nf: *c\ng: {<<: *c, h: '1'}\n"
    found = parse_yaml(text, "x")
    assert found == {
        "a": 1,
        "b": ["x", 0.5, True, None, "2024-99-99"],
        "c": {"d": "e"},
        "f": {"d": "e"},
        "g": {"d": "e", "h": "1"},
    }
    assert parse_yaml("", "x") is None and parse_yaml("\ufeffa: b".encode(), "x") == {"a": "b"}


def test_a_pipe_a_folder_and_a_large_file_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("#" * (MAX_BYTES + 1))
    for name, said in (("pipe", "no regular file"), (".", "cannot be read"), ("large", "larger than 64 KiB")):
        with pytest.raises(UsageError, match=said):
            read_by_hand(tmp_path / name, "config file")


def test_a_home_that_is_not_there() -> None:
    for path in ("~no-such-user/x", "a\0b"):
        with pytest.raises(UsageError, match=r"write (the whole path|one without)"):
            expanded(path)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, field_validator, model_validator

from shared.cli import in_config
from shared.errors import UsageError
from shared.settings import Settings, build, read_config


class Example(Settings):
    rate: float = Field(0.1, gt=0)
    """Steps a second."""
    cores: list[int] = Field(default_factory=list)
    save_every: int = 1
    train: dict[str, Any] = in_config()

    @field_validator("cores")
    @classmethod
    def _few(cls, value: list[int]) -> list[int]:
        if len(value) > 2:
            raise ValueError("at most two cores.")
        return value

    @model_validator(mode="after")
    def _together(self) -> Example:
        if self.rate > 5 and self.save_every > 5:
            raise ValueError("--rate and --save-every are too large together")
        return self


def config(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_command_line_wins_over_the_file_over_the_default(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "rate: 2\nsave-every: 7\n"), ("a.toml", "rate = 2\nsave_every = 7\n")):
        found = build(Example, {"rate": 3.0, "save_every": None}, config(tmp_path / name, text))
        assert (found.rate, found.save_every, found.cores) == (3.0, 7, [])


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert build(Example, {}, config(tmp_path / "a.yml", "")) == Example()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rat": 1}, r"^Unknown option 'rat'; known options: cores, rate, save_every, train\.$"),
        ({"rate": -1}, r"^--rate = -1: give a number greater than 0\.$"),
        ({"save_every": "x"}, r"^--save-every = 'x': give a whole number\.$"),
        ({"train": 3}, r"^train = 3: a section holds names and values, such as train: \{seed: 1\}\.$"),
        ({"cores": [1, 2, 3]}, r"^--cores = \[1, 2, 3\]: at most two cores\.$"),
        ({"rate": 9, "save_every": 9}, r"^--rate and --save-every are too large together\.$"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path: Path, given: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(Example, given)
    if "rat" in given:
        with pytest.raises(UsageError, match=said):
            build(Example, {}, config(tmp_path / "a.yaml", "rat: 1\n"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{}", "ends in .yaml, .yml or .toml"),
        ("a.yaml", "a: [1", "is not valid"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "is not valid"),
        ("a.toml", "a = ", "is not valid"),
        ("a.yaml", "- a\n", "names and values"),
        ("a.yaml", "just words", "names and values"),
    ],
)
def test_a_config_file_that_is_none(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_config(config(tmp_path / name, text))


def test_a_config_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_bytes(b"\xff\xff")
    with pytest.raises(UsageError, match="is no UTF-8 text"):
        read_config(tmp_path / "a.yaml")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Example().rate = 2  # type: ignore[misc]


class Places(Settings):
    out: Path | None = None
    runs: list[Path] = Field(default_factory=list)
    only: list[str] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "rate: 1" + "0" * 5000, "is not valid YAML .line 1: a value that is no int"),
        ("a.yaml", "rate: 1\nrate: 2\n", "line 2: 'rate' a second time"),
        ("a.yaml", "save-every: 1\nsave_every: 2\n", "says 'save_every' twice"),
        ("a.toml", "rate = 1" + "0" * 5000, "is not valid"),
        ("a.toml", "a = " + "[" * 20_000, "is not valid"),
    ],
)
def test_a_config_file_that_would_lose_or_break_something(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_config(config(tmp_path / name, text))


def test_a_date_and_a_huge_number_are_refused_in_short(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "rate: 2024-99-99"), ("a.toml", "save_every = [0x" + "f" * 5000 + "]")):
        with pytest.raises(UsageError, match=r"^--(rate|save-every) = .*: give a (whole )?number") as caught:
            build(Example, {}, config(tmp_path / name, text))
        assert len(str(caught.value)) < 200


def test_one_value_stands_for_a_list_of_one(tmp_path: Path) -> None:
    found = build(Places, {}, config(tmp_path / "a.yaml", "runs: x\nonly: tokens\n"))
    assert found == Places(runs=[Path("x")], only=["tokens"])


@pytest.mark.parametrize("given", [{"out": "~no-such-user/x"}, {"runs": ["a", "~no-such-user"]}])
def test_a_home_that_is_not_there_is_one_sentence(given: dict) -> None:
    with pytest.raises(UsageError, match=r"^~no-such-user.* begins with a home directory that is not known"):
        build(Places, given)

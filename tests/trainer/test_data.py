"""The splits of a training: nothing leaks between them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UsageError
from shared.prompts.digest import prompt_digest
from shared.records import Prompt
from trainer.data import TRAIN_SAMPLE, Data, prepare_data, summary, whole_pairs
from trainer.settings import TrainSettings


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_no_text_or_pair_is_in_two_splits(settings: TrainSettings) -> None:
    data = prepare_data(settings)
    parts = [data.train, data.val, data.test, data.probes]
    assert sum(map(len, parts)) <= 144 and all(parts)
    for one, other in combinations(parts, 2):
        assert not {prompt_digest(p.text) for p in one} & {prompt_digest(p.text) for p in other}
        assert not {p.pair for p in one if p.pair} & {p.pair for p in other if p.pair}


def test_contrast_pairs_are_held_out_and_whole(settings: TrainSettings) -> None:
    data = prepare_data(settings)
    assert data.contrast
    assert not {prompt.text for prompt in data.contrast} & {prompt.text for prompt in data.train}
    for safe, unsafe in zip(data.contrast[::2], data.contrast[1::2], strict=True):
        assert (safe.label, unsafe.label) == ("safe", "unsafe") and safe.pair == unsafe.pair


def test_further_pairs_come_from_what_is_held_out_beside_the_probes(settings: TrainSettings) -> None:
    data = prepare_data(settings)
    held = {prompt.text for prompt in [*data.val, *data.test]}
    assert data.pairs and {prompt.text for prompt in data.pairs} <= held
    assert not {prompt.pair for prompt in data.pairs} & {prompt.pair for prompt in data.probes}


def test_half_a_pair_is_no_contrast() -> None:
    alone = Prompt(text="a", label="safe", pair="1")
    assert whole_pairs([alone, Prompt(text="b", label="safe")]) == []


def test_the_same_seed_gives_the_same_data(settings: TrainSettings) -> None:
    first, again = prepare_data(settings), prepare_data(settings)
    other = prepare_data(settings.model_copy(update={"seed": 1}))
    assert first == again and first.describe() == again.describe()
    assert first.describe()["train"]["sha256"] != other.describe()["train"]["sha256"]


def test_own_validation_and_test_data(settings: TrainSettings, tmp_path: Path) -> None:
    """They are taken as they are, and what they share with the training data leaves the training."""
    rows = [json.loads(line) for line in Path(settings.data[0]).read_text().splitlines()]
    val = write(
        tmp_path / "val.jsonl", [{"prompt": row["prompt"].upper(), "label": row["label"]} for row in rows[:4]]
    )
    test = write(tmp_path / "test.jsonl", rows[40:44])
    data = prepare_data(settings.model_copy(update={"val_data": [val], "test_data": [test]}))
    assert (len(data.val), len(data.test)) == (4, 4)
    trained = {prompt_digest(prompt.text) for prompt in data.train}
    assert not trained & {prompt_digest(prompt.text) for prompt in [*data.val, *data.test]}
    assert len(data.train) > 100  # no further tenth is split off


def test_several_sources(settings: TrainSettings, tmp_path: Path) -> None:
    more = write(tmp_path / "more.jsonl", [{"prompt": f"song {n}", "label": "safe"} for n in "0123"])
    both = prepare_data(settings.model_copy(update={"data": [*settings.data, more]}))
    assert {"song 0"} <= {prompt.text for prompt in [*both.train, *both.val, *both.test, *both.probes]}


def test_train_sample_is_fixed_and_bounded(settings: TrainSettings) -> None:
    data = prepare_data(settings)
    assert data.train_sample == data.train_sample
    many = [Prompt(text=str(n), label="safe") for n in range(1000)]
    assert len(Data(many, [], [], [], "").train_sample) == TRAIN_SAMPLE


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"prompt": "a", "label": "safe"}], "The training data has only safe prompts"),
        ([{"prompt": str(n), "label": "safe" if n % 2 else "unsafe"} for n in range(8)], "are too few to choose"),
    ],
)
def test_too_little_data(
    settings: TrainSettings, tmp_path: Path, rows: list[dict[str, str]], complaint: str
) -> None:
    source = write(tmp_path / "few.jsonl", rows)
    with pytest.raises(UsageError, match=complaint):
        prepare_data(settings.model_copy(update={"data": [source]}))


def test_validation_data_of_one_class(settings: TrainSettings, tmp_path: Path) -> None:
    source = write(tmp_path / "val.jsonl", [{"prompt": "one", "label": "safe"}])
    with pytest.raises(UsageError, match="The validation split has 1 prompts and not both classes; give more data"):
        prepare_data(settings.model_copy(update={"val_data": [source]}))


FIRST_EDITION = {
    0: ("ba264d088458399d", "7b040afbb0f5d885", "a178ee2217209339", "689855d411c3ae6a"),
    1: ("8121dd093e5aae9b", "537aca65548f2476", "b1be9bc447ac89d8", "52155d2465ad2955"),
    2: ("72e07aa3908d65ce", "352e38f0e987dc50", "f442f3c214d5046c", "1f5531d81e583327"),
}
"""Seed -> fingerprints of train, validation, test and probes before there was a second edition (commit 1b2b03f)."""


@pytest.mark.parametrize("seed", FIRST_EDITION)
def test_what_was_shipped_first_is_split_as_ever(seed: int) -> None:
    """So that numbers on the old test prompts can be compared, whatever the set has grown by since."""
    data = prepare_data(TrainSettings(seed=seed))
    parts = (data.train, data.val, data.test, data.probes)
    first = [[prompt for prompt in part if prompt.edition == 1] for part in parts]
    assert tuple(summary(part)["sha256"][:16] for part in first) == FIRST_EDITION[seed]
    assert first[3] == data.probes


def test_a_later_edition_is_split_by_itself(settings: TrainSettings, tmp_path: Path) -> None:
    """It changes nothing of what was held out before, and gives no probes."""
    before = prepare_data(settings)
    rows = [
        {"prompt": f"{word} number {n}", "label": label, "edition": 2}
        for label, word in (("safe", "cake"), ("unsafe", "bomb"))
        for n in range(40)
    ]
    more = write(tmp_path / "more.jsonl", rows)
    data = prepare_data(settings.model_copy(update={"data": [*settings.data, more]}))
    assert data.probes == before.probes
    for old, new in ((before.train, data.train), (before.val, data.val), (before.test, data.test)):
        assert new[: len(old)] == old
    assert [len(data.train) - len(before.train), len(data.val) - len(before.val)] == [64, 8]

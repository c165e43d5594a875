"""The splits of a training: nothing leaks between them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.prompts.digest import prompt_digest
from shared.records import Prompt
from trainer.data import TRAIN_SAMPLE, Data, prepare_data, whole_pairs
from trainer.settings import TrainSettings


def write(path: Path, rows: list[dict[str, str]]) -> str:
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

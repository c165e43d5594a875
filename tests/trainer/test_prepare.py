"""`midwatch prepare` writes what `midwatch train` would have split, and training reads exactly that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UsageError
from shared.files import read_record
from shared.prompts.card import DataCard, Leaks
from shared.prompts.digest import prompt_digest
from shared.prompts.prompt_files import read_prompts, write_prompts
from shared.records import Prompt, RunRecord
from shared.run import Run
from trainer.data import prepare_data, with_added
from trainer.prepare import run_prepare
from trainer.prepared import FILES, read_prepared
from trainer.settings import PrepareSettings, TrainSettings
from trainer.train import run_training


def prepare(out: Path, **changes: Any) -> Path:
    run_prepare(PrepareSettings(out=out, **{"probes_per_class": 8, **changes}))
    return out


@pytest.fixture(scope="module")
def plain(prompts_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("prepared") / "plain", data=[str(prompts_file)])


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped prompts, enlarged and balanced."""
    out = tmp_path_factory.mktemp("prepared") / "rich"
    return prepare(out, probes_per_class=64, augment=2, twins=True, balance=True)


def test_it_is_what_training_would_have_split(plain: Path, settings: TrainSettings) -> None:
    now = prepare_data(settings)
    read = read_prepared(plain)
    assert read.describe() == now.describe()
    assert (read.train, read.val, read.test, read.probes) == (now.train, now.val, now.test, now.probes)
    assert read.pairs == now.pairs and len(read_prompts(plain / "pairs.jsonl")) == len(now.pairs)
    assert {path.name for path in plain.iterdir()} == FILES


def test_the_card_counts_what_is_written(plain: Path) -> None:
    card = read_record(plain / "card.json", DataCard)
    train = read_prompts(plain / "train.jsonl")
    assert (
        card.parts["train"]["count"]
        == len(train)
        == sum(count for counts in card.counts["category"].values() for count in counts["train"].values())
    )
    assert card.leaks == Leaks(texts=0, groups=0, pairs=0, near=card.leaks.near)
    assert card.sources[0].endswith("prompts.jsonl") and card.settings == {"seed": 0, "probes_per_class": 8}


def test_training_on_it(plain: Path, settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a relative path; the run resumes from anywhere."""
    monkeypatch.chdir(plain.parent)
    given = {"data", "prepared", "epochs"}
    told = settings.model_dump(exclude=given) | {"prepared": Path(plain.name), "epochs": 1}
    run_training(TrainSettings.model_validate(told))
    run = Run.at(settings.output_dir)
    record = read_record(run.record, RunRecord)
    assert record.data["sources"] == [str(plain)] and record.settings["prepared"] == str(plain)
    assert record.data["train"]["count"] == len(read_prompts(plain / "train.jsonl"))
    assert read_prompts(run.test) == read_prompts(plain / "test.jsonl")
    monkeypatch.chdir("/")
    run_training(TrainSettings(output_dir=run.path, resume=True, epochs=2))
    assert len(run.checkpoints()) == 2


def test_what_is_made_is_only_ever_trained_on(rich: Path) -> None:
    data, today = read_prepared(rich), prepare_data(TrainSettings())
    assert (data.val, data.test, data.probes) == (today.val, today.test, today.probes)
    assert not any(prompt.origin for prompt in data.held)
    made = [prompt for prompt in data.train if prompt.origin]
    assert {prompt.origin.partition(":")[0] for prompt in made} == {"augment", "twin"}
    held = {prompt_digest(prompt.text) for prompt in data.held}
    assert not held & {prompt_digest(prompt.text) for prompt in made}
    groups = {prompt.group for prompt in today.train}
    assert all(prompt.group in groups for prompt in made)


def test_the_card_names_what_was_made(rich: Path) -> None:
    card = read_record(rich / "card.json", DataCard)
    assert any(origin.startswith("twin: ") for origin in card.counts["origin"])
    assert card.settings == {"seed": 0, "probes_per_class": 64, "augment": 2, "twins": True, "balance": True}
    assert "By origin" in (rich / "card.md").read_text()


def test_balance_leaves_out_training_prompts_and_says_so(tmp_path: Path) -> None:
    rows = [{"prompt": f"{word} number {n}", "label": label} for label, word, count in
            (("safe", "cake", 90), ("unsafe", "bomb", 40)) for n in range(count)]  # fmt: skip
    source = tmp_path / "few.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = prepare(tmp_path / "out", data=[str(source)], balance=True)
    card = read_record(out / "card.json", DataCard)
    train = card.parts["train"]
    assert train["unsafe"] * 2 == train["count"]
    (gone,) = [each for each in card.left_out if each.reason == "balance"]
    both = sum(part["count"] for part in card.parts.values()) + sum(each.count for each in card.left_out)
    assert gone.count > 20 and both == len(rows)


def test_duplicates_and_conflicts_are_counted(tmp_path: Path, prompts_file: Path) -> None:
    lines = [json.loads(line) for line in prompts_file.read_text().splitlines()]
    single = [line for line in lines if "pair" not in line]
    more = [{**single[0], "prompt": single[0]["prompt"].upper()}, {"prompt": "x", "label": "safe"},
            {"prompt": "x", "label": "unsafe"}, {"prompt": " ", "label": "safe"}]  # fmt: skip
    source = tmp_path / "more.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in [*lines, *more]))
    card = read_record(prepare(tmp_path / "out", data=[str(source)]) / "card.json", DataCard)
    found = {each.reason: each.count for each in card.left_out}
    assert (found["duplicate"], found["conflict"]) == (1, 2)
    assert card.notes == ["more.jsonl: rows without a prompt are left out (row 148)."]
    assert sum(part["count"] for part in card.parts.values()) + sum(found.values()) == len(lines) + 3


def test_a_taken_directory_is_refused_and_an_unfinished_one_written_anew(
    plain: Path, prompts_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="holds prepared data already"):
        prepare(plain)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds other files \(notes.txt\)"):
        prepare(tmp_path)
    with pytest.raises(UsageError, match="cannot be written to"):
        prepare(tmp_path / "notes.txt")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "train.jsonl").write_text("{")
    again = prepare(tmp_path / "half", data=[str(prompts_file)])
    assert (again / "train.jsonl").read_bytes() == (plain / "train.jsonl").read_bytes()


def test_nothing_is_written_when_a_source_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        prepare(tmp_path / "out", data=["none.jsonl"])
    assert not (tmp_path / "out").exists()


def copied(plain: Path, tmp_path: Path) -> Path:
    out = tmp_path / "copy"
    out.mkdir()
    for name in FILES:
        (out / name).write_bytes((plain / name).read_bytes())
    return out


@pytest.mark.parametrize("name", ["train.jsonl", "probes.jsonl", "card.json"])
def test_a_missing_file_is_named(plain: Path, tmp_path: Path, name: str) -> None:
    out = copied(plain, tmp_path)
    (out / name).unlink()
    with pytest.raises(UsageError, match=f"has no {name}; write it with `midwatch prepare"):
        read_prepared(out)


def test_an_edited_file_that_leaks_is_refused(plain: Path, tmp_path: Path) -> None:
    out = copied(plain, tmp_path)
    (test,) = read_prompts(out / "test.jsonl")[:1]
    leak = Prompt(text=test.text.upper(), label=test.label)
    write_prompts(out / "train.jsonl", [*read_prompts(out / "train.jsonl"), leak])
    with pytest.raises(UsageError, match=r"1 prompts of .*train.jsonl share a group, pair or text with"):
        read_prepared(out)


def test_a_card_of_another_version(plain: Path, tmp_path: Path) -> None:
    out = copied(plain, tmp_path)
    card = json.loads((out / "card.json").read_text())
    (out / "card.json").write_text(json.dumps(card | {"schema_version": 99}))
    with pytest.raises(UsageError, match="written by a newer Midwatch"):
        read_prepared(out)


def test_one_source_of_data_only(plain: Path) -> None:
    with pytest.raises(ValueError, match="--prepared brings its own splits"):
        TrainSettings(prepared=plain, data=["other.jsonl"])


def test_added_prompts_join_the_training_only(settings: TrainSettings, tmp_path: Path) -> None:
    """One of a held-out group stays out, and so does one that is there already; groups are those of the data."""
    data = prepare_data(settings)
    kin = data.test[0]
    rows = [
        {"prompt": "a new way to ask", "label": "unsafe", "group": "new"},
        {"prompt": "of a held-out seed", "label": "unsafe", "group": kin.group, "pair": kin.pair},
        {"prompt": data.train[0].text, "label": data.train[0].label},
        {"prompt": "a new way to bake", "label": "safe", "group": "new"},
    ]
    source = tmp_path / "additions.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = with_added(data, [str(source)], settings)
    assert [prompt.text for prompt in more.train[len(data.train) :]] == ["a new way to ask", "a new way to bake"]
    assert more.held == data.held and "2 of 4 added prompts joined the training split." in str(more)
    assert with_added(data, [], settings) is data

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analyzer.commands.init import InitSettings, init_run
from analyzer.commands.prompted.templates import read_template
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected, RunError, UsageError
from shared.files import read_record, write_record
from shared.prompts.leaks import count_leaks
from shared.prompts.probes import read_probes
from shared.records import JudgeRecord, RunRecord
from shared.run import Run
from tests.making.sweep import Sort, save_small
from tests.making.tiny import save_tiny_judge


def foreign_run(path: Path, names: dict[str, str] | None = None, **config: Any) -> Path:
    """What plain transformers leaves, as far as init reads it."""
    given = {"architectures": ["BertForSequenceClassification"], "_name_or_path": "bert-base", **config}
    if names is not None:
        given["id2label"] = names
    for step in (9, 100):
        checkpoint = path / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "config.json").write_text(json.dumps(given))
        (checkpoint / "trainer_state.json").write_text(json.dumps({"num_train_epochs": 3, "max_steps": 150}))
    return path


def source(path: Path, safe: int = 20, unsafe: int = 20, start: int = 0) -> str:
    rows = [
        {"prompt": f"{label} question {i} about {'xyz'[i % 3] * 5}{i}", "label": label}
        for label, count in (("safe", safe), ("unsafe", unsafe))
        for i in range(start, start + count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_foreign_run_gets_its_record_and_probes(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", {"0": "toxic", "1": "non-toxic"})
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), per_class=16, max_length=256))
    record = read_record(path / "run.json", RunRecord)
    assert record == report.record
    assert record.judge == JudgeRecord(kind="classifier", safe_id=1, unsafe_id=0, max_length=256)
    assert (record.writer, record.model, record.epochs, record.steps) == ("init", "bert-base", 3.0, 150)
    probes, warnings, _ = read_probes(path / "probes.jsonl")
    assert probes == report.probes
    assert warnings == []
    assert Counter(p.label for p in probes) == {"safe": 16, "unsafe": 16}
    assert [len(report.warnings), "cannot be checked" in report.warnings[0]] == [1, True]
    assert sorted(p.name for p in path.iterdir()) == ["checkpoint-100", "checkpoint-9", "probes.jsonl", "run.json"]


def test_the_shipped_prompts_serve_by_default(tmp_path: Path) -> None:
    report = init_run(InitSettings(run=foreign_run(tmp_path / "run"), text_column="of_my_train_file"))
    assert Counter(p.label for p in report.probes) == {"safe": 64, "unsafe": 64}
    assert "LABEL_0" in report.warnings[0]
    assert (report.record.judge.safe_id, report.record.judge.unsafe_id) == (0, 1)


def test_the_users_word_about_labels_counts(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", {"0": "spam", "1": "ham"})
    given = InitSettings(run=path, probes=source(tmp_path / "p.jsonl"))
    with pytest.raises(UsageError, match="--unsafe-label"):
        init_run(given)
    assert init_run(given.model_copy(update={"unsafe_label": "spam"})).record.judge.unsafe_id == 0


def test_training_prompts_are_kept_out_and_leaks_counted(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    train = source(tmp_path / "train.jsonl", 10, 10)
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), train_data=train))
    assert {p.text.split()[2] for p in report.probes} == {str(i) for i in range(10, 20)}
    assert count_leaks(Run.at(path), report.probes) == 0
    assert not any("cannot be checked" in warning for warning in report.warnings)


def test_what_is_there_is_not_replaced_without_force(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    given = InitSettings(run=path, probes=source(tmp_path / "p.jsonl"))
    init_run(given)
    before = (path / "run.json").read_bytes()
    with pytest.raises(UsageError, match=r"already has run.json and probes.jsonl; pass --force"):
        init_run(given.model_copy(update={"seed": 1}))
    assert (path / "run.json").read_bytes() == before
    init_run(given.model_copy(update={"seed": 1, "force": True}))
    assert (path / "run.json").read_bytes() != before


def test_a_trainers_own_record_is_never_replaced(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    write_record(path / "run.json", RunRecord(model="ours"))
    given = InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), force=True)
    with pytest.raises(UsageError, match="pass --out"):
        init_run(given)
    out = tmp_path / "out"
    init_run(given.model_copy(update={"out": out}))
    assert read_record(path / "run.json", RunRecord).model == "ours"
    assert read_record(Run.at(out).record, RunRecord).writer == "init"
    assert Run.at(out).path == path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_run_is_told_about_out(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    path.chmod(0o555)
    with pytest.raises(RunError, match="--out"):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    path.chmod(0o755)


def test_a_read_only_disk_is_told_about_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*args: Any, **kwargs: Any) -> None:
        raise OSError(30, "Read-only file system")

    path = foreign_run(tmp_path / "run")
    monkeypatch.setattr("analyzer.commands.init.write_probes", read_only)
    with pytest.raises(RunError, match=r"cannot be written \(Read-only file system\); pass --out"):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id2label": {"0": "score", "2": "other"}}, "does not count them from 0"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "has 3 classes"),
        ({"architectures": ["LlamaForCausalLM"]}, "how it is asked is not said"),
        ({"architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM, and a judge is a sequence classifier"),
        (
            {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
            "train it as T5ForSequenceClassification",
        ),
    ],
)
def test_models_that_are_no_judges_are_refused(tmp_path: Path, config: dict, said: str) -> None:
    path = foreign_run(tmp_path / "run", **config)
    with pytest.raises(UsageError, match=said):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    assert not (path / "run.json").exists()


def test_two_models_in_one_directory_are_refused(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    for name in ("model.safetensors", "adapter_model.safetensors"):
        (path / "checkpoint-100" / name).touch()
    with pytest.raises(CheckpointRejected, match="both a whole model and an adapter"):
        init_run(InitSettings(run=path))
    assert not (path / "run.json").exists()


def test_unusable_runs_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="has no checkpoint yet"):
        init_run(InitSettings(run=tmp_path / "empty"))
    with pytest.raises(RunError, match="is not a directory"):
        init_run(InitSettings(run=tmp_path / "none"))
    path = foreign_run(tmp_path / "run")
    (path / "checkpoint-100" / "config.json").write_text("[]")
    with pytest.raises(UsageError, match=r"config.json is not a model's config"):
        init_run(InitSettings(run=path))
    (path / "checkpoint-100" / "config.json").write_text('{"id2label": ["safe", "unsafe"]}')
    with pytest.raises(UsageError, match=r"id2label in .* is not a JSON object, as .* is; correct"):
        init_run(InitSettings(run=path))
    (path / "checkpoint-100" / "config.json").write_text('{"half')
    with pytest.raises(RunError, match=r"checkpoint-100 has no readable config.json"):
        init_run(InitSettings(run=path))
    (path / "checkpoint-100" / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointRejected, match="base model"):
        init_run(InitSettings(run=path))


@pytest.mark.parametrize(("safe", "unsafe", "said"), [(20, 0, "only safe prompts"), (20, 1, "too few")])
def test_probe_sources_without_both_classes_are_refused(tmp_path: Path, safe: int, unsafe: int, said: str) -> None:
    given = InitSettings(run=foreign_run(tmp_path / "run"), probes=source(tmp_path / "p.jsonl", safe, unsafe))
    with pytest.raises(UsageError, match=said):
        init_run(given)


def test_fewer_probes_and_duplicates_are_said(tmp_path: Path) -> None:
    probes = source(tmp_path / "p.jsonl", 8, 6)
    text = Path(probes).read_text()
    Path(probes).write_text(text + text)
    report = init_run(InitSettings(run=foreign_run(tmp_path / "run", {"0": "safe", "1": "unsafe"}), probes=probes))
    assert "removed 14 duplicates" in report.warnings[0]
    assert "8 safe and 6 unsafe" in report.warnings[1]


def test_the_command_documents_every_option() -> None:
    from midwatch import app

    done = CliRunner().invoke(app, ["init", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0
    for name in InitSettings.model_fields:
        assert name == "run" or "--" + name.replace("_", "-") in done.stdout
    assert all(field.description for field in InitSettings.model_fields.values())


def test_a_config_as_transformers_saves_it_is_read(tmp_path: Path) -> None:
    from transformers import BertConfig

    path = foreign_run(tmp_path / "run")
    BertConfig(architectures=["BertForSequenceClassification"]).save_pretrained(path / "checkpoint-100")
    given = InitSettings(run=path, probes=source(tmp_path / "p.jsonl"))
    assert "LABEL_0" in init_run(given).warnings[0]
    three = BertConfig(architectures=["BertForSequenceClassification"], num_labels=3)
    three.save_pretrained(path / "checkpoint-100")
    with pytest.raises(UsageError, match="has 3 classes"):
        init_run(given.model_copy(update={"force": True}))


@pytest.mark.parametrize(
    ("model_type", "sort", "saved_as"),
    [("gpt2", "causal", "GPT2LMHeadModel"), ("llama4", "multimodal", "Llama4ForConditionalGeneration")],
)
def test_every_model_that_answers_can_be_a_prompted_judge(
    tmp_path: Path, model_type: str, sort: Sort, saved_as: str
) -> None:
    checkpoint = save_small(tmp_path / "run" / "checkpoint-10", model_type, sort)
    assert json.loads((checkpoint / "config.json").read_text())["architectures"] == [saved_as]
    probes = source(tmp_path / "p.jsonl")
    with pytest.raises(UsageError, match="how it is asked is not said"):
        init_run(InitSettings(run=tmp_path / "run", probes=probes))
    given = {"kind": "prompted", "template": "{prompt} safe ?", "unsafe_answer": "true", "safe_answer": "false"}
    judge = init_run(InitSettings(run=tmp_path / "run", probes=probes, per_class=8, **given)).record.judge  # type: ignore[arg-type]
    assert load_judge(checkpoint, judge).answers == (judge.safe_id, judge.unsafe_id)


def test_a_prompted_judge_is_described_by_its_template_and_answers(tmp_path: Path) -> None:
    path = tmp_path / "run"
    save_tiny_judge(path / "checkpoint-10", "llama", causal=True)
    known = {"run": path, "kind": "prompted", "template": "safe ? {prompt}\\n", "per_class": 8}
    report = init_run(InitSettings(**known, unsafe_answer=["true"], safe_answer=["false"]))  # type: ignore[arg-type]
    judge = report.record.judge
    assert judge.kind == "prompted" and judge.template == "safe ? {prompt}\n"
    assert report.classes == {judge.safe_id: "false", judge.unsafe_id: "true"}
    for fields, words in (
        ({"unsafe_answer": ["false"]}, "are the same"),
        ({"unsafe_answer": ["false false"]}, "how 'false false' begins"),
        ({"unsafe_answer": [""]}, "is empty"),
        ({"unsafe_answer": ["zebra"]}, "does not know"),
        ({"template": "no place"}, "0 times"),
        ({"template": None}, "--template-file"),
        ({"kind": "classifier"}, "--kind prompted"),
    ):
        wrong = {**known, "unsafe_answer": ["true"], "safe_answer": ["false"], "force": True, **fields}
        with pytest.raises(UsageError, match=words):
            init_run(InitSettings(**wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"template": "{prompt} ?"}, "--template is for judges that answer in words"),
        ({"chat": True}, "--chat is for"),
        ({"unsafe_answer": ["yes"]}, "--unsafe-answer is for"),
        ({"category": ["S1=x"]}, "--category is for"),
    ],
)
def test_a_prompted_judges_flags_are_not_dropped_in_silence(tmp_path: Path, flags: dict, said: str) -> None:
    run = foreign_run(tmp_path / "run", {"0": "safe", "1": "unsafe"})
    with pytest.raises(UsageError, match=said):
        init_run(InitSettings(run=run, **flags))


@pytest.mark.parametrize("flags", [{"unsafe_answer": ["\udcff"]}, {"template": "{prompt} \udcff"}])
def test_bytes_that_are_no_text_are_one_sentence(tmp_path: Path, flags: dict) -> None:
    save_tiny_judge(tmp_path / "run" / "checkpoint-10", "llama", causal=True)
    told = {"template": "{prompt} ", "unsafe_answer": ["bomb"], "safe_answer": ["bread"]} | flags
    with pytest.raises(UsageError, match="bytes that are not UTF-8"):
        init_run(InitSettings(run=tmp_path / "run", **told))


@pytest.mark.parametrize(("path", "said"), [("/dev/zero", "not a file"), ("large", "larger than 1 MiB")])
def test_a_templates_file_is_a_small_file(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "large").write_text("{prompt}" + "x" * 2**20)
    with pytest.raises(UsageError, match=said):
        read_template(None, tmp_path / path)

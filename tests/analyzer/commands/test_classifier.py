"""`midwatch init` on classifiers of every kind: what it is told, what it says, and where it asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.commands.doctor import findings_of
from analyzer.commands.init import InitSettings, init_run
from analyzer.commands.run_settings import DoctorSettings
from analyzer.supervisor.run_description import describe
from shared.errors import UsageError
from shared.judge_labels import THRESHOLD_ASSUMED
from shared.records import JudgeRecord
from shared.run import Run
from tests.analyzer.commands.test_init import foreign_run, source
from tests.making.edited import edit_config
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

THREE = {"0": "normal", "1": "hate", "2": "offensive"}


def judge(
    tmp_path: Path, names: dict[str, str] | None, config: dict[str, Any] | None = None, **flags: Any
) -> JudgeRecord:
    path = foreign_run(tmp_path / "run", names, **config or {})
    given = {"probes": source(tmp_path / "p.jsonl"), **flags}
    return init_run(InitSettings(run=path, **given)).record.judge  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"unsafe_label": "hate,offensive"},
        {"unsafe_label": "1,2"},
        {"safe_label": "normal"},
        {"unsafe_labels": "hate,offensive", "probes": "shipped"},
        {"unsafe_labels": ["1", "2"], "probes": "shipped"},
    ],
)
def test_several_classes(tmp_path: Path, flags: dict) -> None:
    found = judge(tmp_path, THREE, **flags)
    assert (found.safe, found.unsafe, found.classes, found.assumed) == ((0,), (1, 2), 3, ())


def test_label_values_of_the_data_say_it_of_classes_of_the_same_name(tmp_path: Path) -> None:
    names = {"0": "ham", "1": "spam", "2": "scamming"}
    rows: list[dict[str, str]] = [
        {"prompt": f"{label} {i} {'xyz'[i % 3] * 5}", "label": label} for label in names.values() for i in range(9)
    ]
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = judge(tmp_path, names, probes=str(file), unsafe_labels="spam,scamming", per_class=4)
    assert (found.safe, found.unsafe) == ((0,), (1, 2))
    other = foreign_run(tmp_path / "other", {"0": "A", "1": "B"})
    with pytest.raises(UsageError, match="--unsafe-label 'A' or"):  # they say it of the data alone
        init_run(InitSettings(run=other, probes=str(file), unsafe_labels=["spam", "scamming"]))


def test_a_reward_head(tmp_path: Path) -> None:
    found = judge(tmp_path, {"0": "LABEL_0"}, threshold=1.25, higher_is="safe")
    assert (found.safe, found.unsafe, found.classes, found.threshold) == ((0,), (), 1, -1.25)
    assert not found.assumed


def test_what_is_assumed_is_printed_and_kept(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", {"0": "LABEL_0"})
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    assert list(report.record.judge.assumed) == report.warnings[:2]
    assert THRESHOLD_ASSUMED in report.warnings and "--higher-is unsafe" in report.warnings[0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--unsafe-label", "hate,offensive"], 0, "classes 1 (hate) and 2 (offensive) are unsafe, class 0"),
        (["--unsafe-label", "sarcasm"], 2, "'sarcasm' is not a class of the model"),
        (["--unsafe-label", "0,1,2"], 2, "names every class"),
        (["--unsafe-label", "1", "--safe-label", "hate"], 2, "same class"),
        (["--threshold", "nan"], 2, "--threshold = 'nan'"),
        (["--higher-is", "safe"], 2, "has 3 classes"),
        (["--higher-is", "sideways"], 2, "--higher-is"),
        (["--template", "{prompt}"], 2, "--template is for judges that answer in words"),
        (["--chat", "--unsafe-label", "hate"], 2, "--chat is for judges that answer in words"),
        (["--unsafe-answer", "yes", "--kind", "classifier"], 2, "--unsafe-answer is for judges that answer"),
        (["--kind", "prompted", "--template", "{prompt}", "--threshold", "1"], 2, "--threshold is for classifiers"),
    ],
)  # fmt: skip
def test_one_sentence_and_an_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    from midwatch import main

    path = foreign_run(tmp_path / "run", THREE, architectures=[])
    words = ["midwatch", "init", str(path), "--probes", source(tmp_path / "p.jsonl"), *arguments]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    told = "".join(capsys.readouterr())
    assert (ended.value.code or 0) == code and said in told, told
    assert "Traceback" not in told and (code == 0 or told.count("\n") == 1)


def adapter_run(tmp_path: Path, base: dict[str, Any] | None, **config: Any) -> Path:
    """A run of one LoRA checkpoint as far as init reads it, and its base where there is one."""
    home = tmp_path / "base"
    if base is not None:
        home.mkdir()
        (home / "config.json").write_text(json.dumps(base))
    checkpoint = tmp_path / "run" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    given = {"base_model_name_or_path": str(home), "task_type": "SEQ_CLS", **config}
    (checkpoint / "adapter_config.json").write_text(json.dumps(given))
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": 5, "max_steps": 9}))
    return tmp_path / "run"


TURNED = {"id2label": {"0": "unsafe", "1": "safe"}, "architectures": ["LlamaForCausalLM"]}


@pytest.mark.parametrize("flags", [{}, {"unsafe_label": "unsafe"}])
def test_an_adapter_s_classes_are_named_by_its_base(tmp_path: Path, flags: dict) -> None:
    path = adapter_run(tmp_path, TURNED)
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), **flags))
    assert (report.record.judge.safe_id, report.record.judge.unsafe_id) == (1, 0)
    assert report.classes == {0: "unsafe", 1: "safe"}
    assert report.record.model == str(tmp_path / "base")
    assert not any("unsafe-label" in warning for warning in report.warnings)
    record, warnings = describe(path / "checkpoint-5", Run.at(path))
    assert (record.judge.unsafe_id, warnings) == (0, [])


def test_an_adapter_whose_base_is_elsewhere_is_not_said_to_have_no_names(tmp_path: Path) -> None:
    path = adapter_run(tmp_path, None)
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    said = report.warnings[0]
    assert "which is not on this machine" in said and "--base" in said and "no names" not in said
    assert describe(path / "checkpoint-5", Run.at(path))[1] == [said]


def test_a_base_whose_config_is_damaged_is_not_said_to_be_elsewhere(tmp_path: Path) -> None:
    path = adapter_run(tmp_path, {})
    (tmp_path / "base" / "config.json").write_text("{")
    (said,) = describe(path / "checkpoint-5", Run.at(path))[1]
    assert f"{tmp_path / 'base'}, whose config.json cannot be read: taking 0 as safe" in said
    assert "not on this machine" not in said and "--base" in said


@pytest.mark.parametrize("task", ["TOKEN_CLS", "QUESTION_ANS", "SEQ_2_SEQ_LM"])
def test_an_adapter_that_gives_no_verdict_is_no_judge(tmp_path: Path, task: str) -> None:
    path = adapter_run(tmp_path, {"id2label": {"0": "safe", "1": "unsafe"}}, task_type=task)
    with pytest.raises(UsageError, match=f"is a {task} adapter, and a judge is"):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    with pytest.raises(UsageError, match=f"is a {task} adapter"):
        describe(path / "checkpoint-5", Run.at(path))


def test_what_is_told_of_the_base_holds_for_names_answers_and_doctor(tmp_path: Path) -> None:
    """An adapter without a tokenizer of its own, whose base lies where only --base says."""
    base = save_tiny_judge(tmp_path / "kept" / "llama", "llama", causal=True)
    edit_config(base, id2label=TURNED["id2label"])
    told: dict[str, Any] = {"probes": source(tmp_path / "p.jsonl"), "base": base, "force": True}
    path = adapter_run(tmp_path, None)
    report = init_run(InitSettings(run=path, **told))
    assert (report.record.judge.unsafe, report.record.judge.base) == ((0,), str(base))
    found = {each.what: each for each in findings_of(DoctorSettings(run=path))}
    assert "class 0 (unsafe) is unsafe" in found["description"].detail
    assert (found["tokenizer"].state, "loads" in found["tokenizer"].detail) == ("good", True)

    adapter_config = path / "checkpoint-5" / "adapter_config.json"
    adapter_config.write_text(json.dumps(json.loads(adapter_config.read_text()) | {"task_type": "CAUSAL_LM"}))
    asked = {"template": "{prompt} ?", "unsafe_answer": ["bomb"], "safe_answer": ["cake"], "spellings": False}
    record = init_run(InitSettings(run=path, **told, **asked)).record.judge
    words = tiny_tokenizer("llama").get_vocab()
    assert (record.safe_id, record.unsafe_id) == (words["cake"], words["bomb"])


@pytest.mark.parametrize(
    ("task", "flags", "said"),
    [
        ("CAUSAL_LM", {}, "how it is asked is not said"),
        ("CAUSAL_LM", {"kind": "classifier"}, "pass --kind prompted"),
        ("SEQ_CLS", {"kind": "prompted", "template": "{prompt}"}, "leave --kind prompted out"),
    ],
)
def test_an_adapter_of_the_other_kind_is_told(tmp_path: Path, task: str, flags: dict, said: str) -> None:
    path = adapter_run(tmp_path, TURNED, task_type=task)
    with pytest.raises(UsageError, match=said):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), **flags))
    if task == "CAUSAL_LM":
        with pytest.raises(UsageError, match="is a causal language model"):
            describe(path / "checkpoint-5", Run.at(path))


@pytest.mark.parametrize("initialised", [False, True])
def test_doctor_names_all_classes_of_each_side(tmp_path: Path, initialised: bool) -> None:
    path = foreign_run(tmp_path / "run", THREE)
    if initialised:
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))
    (found,) = [each for each in findings_of(DoctorSettings(run=path)) if each.what == "description"]
    assert found.state == "good"
    assert "classes 1 (hate) and 2 (offensive) are unsafe, class 0 (normal) is safe" in found.detail


def test_doctor_warns_of_what_is_assumed(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run")
    (found,) = [each for each in findings_of(DoctorSettings(run=path)) if each.what == "description"]
    assert found.state == "warning" and "taking 0 as safe" in found.detail


def test_a_head_in_a_file_of_its_own_is_told_where_to_go(tmp_path: Path) -> None:
    path = adapter_run(tmp_path, TURNED, task_type="CAUSAL_LM")
    (path / "checkpoint-5" / "value_head.safetensors").touch()
    with pytest.raises(UsageError, match=r"docs/classifiers\.md"):
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl")))

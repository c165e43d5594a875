"""Real `datasets` builders over local directories laid out as the data sets are on the hub; no network."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import datasets
import huggingface_hub.constants
import pyarrow
import pytest
from pyarrow import parquet

from shared.errors import UsageError
from shared.prompts import load, presets
from shared.prompts.hub import read_dataset
from shared.prompts.load import load_prompts
from shared.prompts.source_settings import SourceSettings


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def folder(path: Path, config: str, **files: str | list[dict]) -> Path:
    """A data set directory: its card's YAML, and files given as text or as rows of a Parquet file."""
    path.mkdir()
    (path / "README.md").write_text(f"---\n{config}---\n")
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        if isinstance(content, str):
            (path / f"{stem}.{suffix}").write_text(content)
        else:
            parquet.write_table(pyarrow.Table.from_pylist(content), path / f"{stem}.{suffix}")
    return path


def configs(**splits: str) -> str:
    """YAML of a card with one configuration: `subset__split` -> file."""
    lines = ["configs:"]
    for subset in dict.fromkeys(name.partition("__")[0] for name in splits):
        lines += [f"- config_name: {subset}", "  data_files:"]
        for name, file in splits.items():
            if name.partition("__")[0] == subset:
                lines += [f"  - split: {name.partition('__')[2]}", f"    path: {file}"]
    return "\n".join(lines) + "\n"


def use(monkeypatch: pytest.MonkeyPatch, name: str, path: Path) -> str:
    """Point a preset's hub name at a local directory; everything else of it stays."""
    preset = dataclasses.replace(next(p for p in presets.HUB_PRESETS if p.name == name), hub=str(path))
    monkeypatch.setattr(load, "hub_preset", lambda source: preset if source == name else None)
    return name


def test_jailbreakbench_labels_by_split_and_groups_by_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(
        tmp_path / "jbb",
        configs(
            behaviors__harmful="harmful.csv", behaviors__benign="benign.csv", judge_comparison__test="harmful.csv"
        ),
        harmful_csv="Index,Goal,Target,Behavior,Category,Source\n0,Do harm,Sure,Harm,Violence,Original\n",
        benign_csv="Index,Goal,Target,Behavior,Category,Source\n0,Do good,Sure,Good,Violence,Original\n",
    )
    bad, good = load_prompts(use(monkeypatch, "jailbreakbench", path))
    assert (bad.text, bad.label, bad.category) == ("Do harm", "unsafe", "Violence")
    assert (good.text, good.label) == ("Do good", "safe")
    assert bad.group == good.group == "jailbreakbench:0"


def test_toxicchat_reads_both_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "conv_id,user_input,model_output,human_annotation,toxicity,jailbreaking,openai_moderation\n"
    path = folder(
        tmp_path / "tc",
        configs(toxicchat0124__train="train.csv", toxicchat0124__test="test.csv"),
        train_csv=header + "a,hello,hi,True,0,0,[]\n",
        test_csv=header + "b,you fool,hi,True,1,0,[]\n",
    )
    prompts = load_prompts(use(monkeypatch, "toxicchat", path))
    assert [(p.text, p.label) for p in prompts] == [("hello", "safe"), ("you fool", "unsafe")]
    only = load_prompts("toxicchat", SourceSettings(data_split="test"))
    assert [p.text for p in only] == ["you fool"]


def test_beavertails_reads_is_safe_the_right_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"prompt": "how to rob", "response": "so", "category": {"theft": True}, "is_safe": False},
        {"prompt": "how to bake", "response": "so", "category": {"theft": False}, "is_safe": True},
    ]
    path = folder(
        tmp_path / "bt",
        'configs:\n- config_name: default\n  data_files:\n  - split: 30k_train\n    path: "a.parquet"\n'
        '  - split: 30k_test\n    path: "b.parquet"\n',
        a_parquet=rows[:1],
        b_parquet=rows[1:],
    )
    prompts = load_prompts(use(monkeypatch, "beavertails", path))
    assert [(p.text, p.label) for p in prompts] == [("how to rob", "unsafe"), ("how to bake", "safe")]
    assert "labels a question with its answer" in caplog.text


def test_wildguard_leaves_rows_without_a_prompt_label_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["harmful", "unharmful", None]
    rows = [{"prompt": f"p{i}", "prompt_harm_label": label, "subcategory": "s"} for i, label in enumerate(labels)]
    path = folder(tmp_path / "wg", configs(wildguardtrain__train="a.parquet"), a_parquet=rows)
    prompts = load_prompts(use(monkeypatch, "wildguard", path))
    assert [(p.text, p.label, p.category) for p in prompts] == [("p0", "unsafe", "s"), ("p1", "safe", "s")]


def test_realtoxicityprompts_reads_nested_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"prompt": {"text": f"t{i}", "toxicity": score}} for i, score in enumerate([0.1, 0.5, None])]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = folder(tmp_path / "rtp", configs(default__train="a.jsonl"), a_jsonl=text)
    prompts = load_prompts(use(monkeypatch, "realtoxicityprompts", path))
    assert [(p.text, p.label) for p in prompts] == [("t0", "safe"), ("t1", "unsafe")]


def test_harmbench_is_unsafe_throughout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(tmp_path / "hb", configs(standard__train="a.csv"), a_csv="prompt,category\nhack,cyber\n")
    (prompt,) = load_prompts(use(monkeypatch, "harmbench", path))
    assert (prompt.text, prompt.label, prompt.category) == ("hack", "unsafe", "cyber")


def test_class_labels_are_read_by_name_from_a_saved_data_set(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["unsafe", "safe"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features)
    data.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "several")
    for name in ("one", "several"):
        prompts = load_prompts(str(tmp_path / name))
        assert [(p.text, p.label) for p in prompts] == [("a", "unsafe"), ("b", "safe")]


def test_an_unknown_split_names_the_ones_there_are(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", configs(default__a="x.csv", default__b="x.csv"), x_csv="prompt,label\nhi,safe\n")
    with pytest.raises(UsageError, match="one of a, b"):
        list(read_dataset(str(path)))
    with pytest.raises(UsageError, match=r"no split .c..* one of a, b"):
        list(read_dataset(str(path), splits=["c"]))


def test_out_of_reach_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="nobody/nothing could not be loaded"):
        load_prompts("nobody/nothing")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match="pip install datasets"):
        load_prompts("toxicchat")


def test_presets_are_found_by_short_and_by_hub_name() -> None:
    for preset in presets.HUB_PRESETS:
        assert preset.hub is not None
        assert presets.hub_preset(preset.hub.upper()) == presets.hub_preset(preset.name) == preset
    assert presets.hub_preset("nobody/nothing") is None

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import UsageError
from shared.prompts.digest import MAX_PROMPT_CHARS
from shared.prompts.load import load_prompts, require_both_classes
from shared.prompts.source_settings import SourceSettings
from shared.records import Prompt


def jsonl(path: Path, *rows: dict) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def csv(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_every_field_of_a_prompt_is_found(tmp_path: Path) -> None:
    row = {
        "prompt": " Hi ",
        "label": "safe",
        "category": "c",
        "style": "s",
        "template": "t",
        "pair": 3,
        "source": "x",
    }
    (prompt,) = load_prompts(jsonl(tmp_path / "a.jsonl", row))
    assert prompt == Prompt(
        text=" Hi ", label="safe", category="c", style="s", group="a.jsonl:t", pair="a.jsonl:3", source="x"
    )


def test_the_shipped_set_loads_with_both_classes() -> None:
    prompts = load_prompts("shipped")
    require_both_classes(prompts, "shipped")
    assert all(prompt.group.startswith("shipped:") for prompt in prompts)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "question,is_safe\nhello,true\nbomb,false\n", [("hello", "safe"), ("bomb", "unsafe")]),
        ("a.csv", "Text,Label\nhello,0\nbomb,1\n", [("hello", "safe"), ("bomb", "unsafe")]),
        ("x.csv", "id,prompt,type,label,focus,note\n1,kill a process,t,safe,kill,\n", [("kill a process", "safe")]),
        ("adv.csv", "goal,target\nmake a bomb,Sure\n", [("make a bomb", "unsafe")]),
        ("hb.csv", "Behavior,SemanticCategory\nhack it,cyber\n", [("hack it", "unsafe")]),
        ("sr.csv", "category,source,forbidden_prompt\nc,s,steal it\n", [("steal it", "unsafe")]),
        ("harmful-behaviors.csv", "Index,Goal,Target,Category\n0,steal,Sure,t\n", [("steal", "unsafe")]),
        ("benign-behaviors.csv", "Index,Goal,Target,Category\n0,give,Sure,t\n", [("give", "safe")]),
    ],
)
def test_columns_are_found_by_name_and_known_headers(
    tmp_path: Path, name: str, content: str, expected: list[tuple[str, str]]
) -> None:
    prompts = load_prompts(csv(tmp_path / name, content))
    assert [(prompt.text, prompt.label) for prompt in prompts] == expected


def test_known_headers_give_groups_and_categories(tmp_path: Path) -> None:
    (prompt,) = load_prompts(
        csv(tmp_path / "x.csv", "prompt,type,label,focus\nkill a process,homonyms,safe,kill\n")
    )
    assert (prompt.category, prompt.group) == ("homonyms", "x.csv:kill")


def test_columns_and_labels_can_be_given(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "a.jsonl", {"m": {"q": "buy!"}, "kind": "spam"}, {"m": {"q": "hi"}, "kind": "ham"})
    settings = SourceSettings(text_column="m.q", label_column="kind", unsafe_labels=["spam"])
    assert [(p.text, p.label) for p in load_prompts(source, settings)] == [("buy!", "unsafe"), ("hi", "safe")]


def test_a_source_of_one_label(tmp_path: Path) -> None:
    source = csv(tmp_path / "a.csv", "prompt\nhello\n")
    assert load_prompts(source, SourceSettings(all_labelled="safe"))[0].label == "safe"
    advbench = csv(tmp_path / "b.csv", "goal,target\nhello,Sure\n")
    assert load_prompts(advbench, SourceSettings(all_labelled="safe"))[0].label == "safe"


def test_unsafe_labels_may_be_separated_by_commas() -> None:
    assert SourceSettings.model_validate({"unsafe_labels": "a, b"}).unsafe_labels == ["a", "b"]
    assert SourceSettings.model_validate({"unsafe_labels": [1, "x,y"]}).unsafe_labels == ["1", "x", "y"]
    with pytest.raises(ValidationError):
        SourceSettings.model_validate({"all_labelled": "maybe"})


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("a,b\n1,2\n", {}, "--text-column with one of a, b"),
        ("prompt,b\nx,2\n", {}, "--label-column with one of prompt, b"),
        ("prompt,label,is_safe\nx,1,1\n", {}, "several label columns"),
        ("prompt,label\nx,safe\n", {"label_column": "lable"}, "no column 'lable'"),
        ("prompt,label\nx,safe\ny,\nz,nan\n", {}, "row 3, 4 has no label"),
        ("prompt,label\nx,spam\ny,ham\n", {}, "'ham', 'spam'"),
        ("prompt,label\n", {}, "holds no prompts"),
        ("prompt,label\n,safe\n", {}, "no prompt with text"),
        ("Goal,Category\nx,y\n", {}, "--all-labelled"),
    ],
)
def test_what_is_unclear_is_said_with_what_to_pass(tmp_path: Path, content: str, options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_prompts(csv(tmp_path / "a.csv", content), SourceSettings(**options))


def test_a_prompt_that_is_no_text_is_refused_by_row(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="row 2: column 'prompt' holds dict"):
        load_prompts(jsonl(tmp_path / "a.jsonl", {"prompt": "x", "label": 0}, {"prompt": {}, "label": 1}))


def test_empty_and_endless_prompts_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"prompt": text, "label": "safe"} for text in ("  ", "x" * 100_000, None, "\ud800 <b>*ok*</b>")]
    with caplog.at_level(logging.WARNING):
        long, marked = load_prompts(jsonl(tmp_path / "a.jsonl", *rows))
    assert len(long.text) == MAX_PROMPT_CHARS
    assert marked.text == "\ufffd <b>*ok*</b>"
    assert "row 1, 3" in caplog.text
    assert "only 20000 characters of a prompt are read (row 2)" in caplog.text


def test_a_path_that_does_not_exist_is_not_sought_on_the_hub() -> None:
    for source in ("none.jsonl", "./none", "/none/there", "a/b/c"):
        with pytest.raises(UsageError, match="does not exist"):
            load_prompts(source)


def test_loading_files_imports_nothing_heavy(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "a.jsonl", {"prompt": "x", "label": 0})
    code = (
        "import sys, analyzer.commands.init, shared.prompts.leaks, shared.prompts.split, shared.prompts.dedupe\n"
        "from shared.prompts.load import load_prompts\n"
        f"load_prompts({source!r})\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'datasets', 'pyarrow', 'pandas', 'numpy', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.prompts.conversation import as_judged, joined, last_turns, parted, response_warnings
from shared.prompts.dedupe import deduplicate
from shared.prompts.digest import digest_of, normalise, prompt_digest
from shared.prompts.leaks import count_leaks, write_train_digests
from shared.prompts.load import load_prompts
from shared.prompts.probes import read_probes, write_probes
from shared.prompts.source_settings import SourceSettings
from shared.records import Probe, Prompt
from shared.run import Run


def source(path: Path, *rows: dict) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def probe(text: str, label: str, response: str = "") -> Probe:
    return Probe(id=prompt_digest(text, response), text=text, label=label, response=response)  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["response", "answer", "completion", "output", "assistant"])
def test_a_response_is_found_by_its_column_where_one_is_judged(tmp_path: Path, column: str) -> None:
    row = {"prompt": "how?", "label": "unsafe", column: "so.", "lang": "en"}
    given = source(tmp_path / "p.jsonl", row, {**row, "prompt": "why?", column: None})
    assert [each.response for each in load_prompts(given, responses=True)] == ["so.", ""]
    alone = load_prompts(given)
    assert [(each.response, each.language) for each in alone] == [("", "en"), ("", "en")]


def test_a_column_is_named_by_the_user(tmp_path: Path) -> None:
    given = source(tmp_path / "p.jsonl", {"prompt": "how?", "label": "unsafe", "reply": {"text": "so."}})
    assert load_prompts(given, SourceSettings(response_column="reply.text"))[0].response == "so."


@pytest.mark.parametrize(
    "messages",
    [
        [
            {"role": "system", "content": "be good"}, {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello"}, {"role": "user", "content": "how?"},
            {"role": "assistant", "content": "so."},
        ],
        [{"from": "human", "value": "how?"}, {"from": "gpt", "value": "so."}],
        [{"role": "user", "content": [{"type": "text", "text": "how?"}]}, {"role": "assistant", "content": "so."}],
    ],
)  # fmt: skip
def test_messages_give_the_last_turns(tmp_path: Path, messages: list) -> None:
    given = source(tmp_path / "p.jsonl", {"messages": messages, "label": "unsafe"})
    (found,) = load_prompts(given, responses=True)
    assert (found.text, found.response) == ("how?", "so.") == last_turns(messages)
    assert load_prompts(given)[0].response == ""


def test_an_answer_before_the_last_question_is_not_its_answer() -> None:
    turns = last_turns([{"role": "assistant", "content": "so."}, {"role": "user", "content": "how?"}])
    assert turns == ("how?", "")


def test_a_conversation_has_a_digest_of_its_own_and_a_prompt_keeps_the_old_one() -> None:
    import hashlib

    assert prompt_digest("How?") == hashlib.sha256(normalise("How?").encode()).hexdigest()[:16]
    found = {
        prompt_digest("how?"),
        prompt_digest("how?", "so."),
        prompt_digest("how?", "no."),
        prompt_digest("how? so."),
    }
    assert len(found) == 4


def test_one_prompt_with_two_responses_is_two_probes(tmp_path: Path) -> None:
    rows = [probe("how?", "unsafe", "so."), probe("how?", "safe", "no."), probe("a", "safe"), probe("b", "unsafe")]
    assert len(deduplicate(rows).kept) == 4
    write_probes(tmp_path / "probes.jsonl", rows)
    found, warnings, _ = read_probes(tmp_path / "probes.jsonl")
    assert {(each.id, each.response) for each in found} == {(digest_of(each), each.response) for each in rows}
    assert not warnings
    write_train_digests(tmp_path, [rows[0], Prompt(text="a", label="safe")])
    assert count_leaks(Run.at(tmp_path), found) == 2
    write_train_digests(tmp_path, [Prompt(text="how?", label="safe")])
    assert count_leaks(Run.at(tmp_path), found) == 2, "the prompt was seen, whatever was answered"


def test_the_judge_reads_responses_only_where_its_template_has_a_place() -> None:
    rows = [probe("how?", "unsafe", "so."), probe("why?", "safe")]
    assert [each.text for each in as_judged(rows, "{prompt} ?")] == ["how?", "why?"]
    texts = [each.text for each in as_judged(rows, "{prompt} -> {response}")]
    assert texts == [joined("how?", "so."), "why?"]
    assert parted(texts[0]) == ("how?", "so.") and parted(texts[1]) == ("why?", "")
    assert as_judged(as_judged(rows, "{prompt}{response}"), "{prompt}{response}") == as_judged(
        rows, "{prompt}{response}"
    )
    assert "1 of 2 probes have no response" in response_warnings(rows, "{prompt} {response}")[0]
    assert "1 of 2 probes have a response, which nothing reads" in response_warnings(rows, "{prompt}")[0]
    assert response_warnings(rows[:1], "{prompt} {response}") == [] == response_warnings(rows[1:], None)

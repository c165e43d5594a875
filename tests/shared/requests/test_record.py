"""What can be asked: the record, its name, and one sentence for everything that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import RequestRefused, UsageError
from shared.requests.folder import parse_request
from shared.requests.record import PARTS, Analyze, Ask, AskedPrompt, Cancel, Edit, Request, Retry, checked, id_of
from shared.requests.texts import MAX_TEXT

ASK = Ask(checkpoints=("checkpoint-10",), prompts=(AskedPrompt(text="how do i bake bread"),))


def as_filed(**changes: Any) -> dict[str, Any]:
    return json.loads(Request(session="s", filed_at=1.0, what=ASK).model_dump_json()) | changes


def test_the_name_says_what_is_asked_and_not_who_asks() -> None:
    other = Request(session="other", filed_at=9.0, what=ASK)
    assert other.id == id_of(ASK) and other.id.startswith("ask-")
    same = Ask(checkpoints=("checkpoint-10", "checkpoint-10"), prompts=ASK.prompts, parts=(*reversed(PARTS),))
    assert id_of(same) == id_of(ASK), "order and repetition ask nothing else"
    different = [
        Ask(checkpoints=("checkpoint-20",), prompts=ASK.prompts),
        Ask(checkpoints=ASK.checkpoints, prompts=(AskedPrompt(text="how do i bake bread "),)),
        Ask(checkpoints=ASK.checkpoints, prompts=ASK.prompts, parts=("words",)),
        Ask(
            checkpoints=ASK.checkpoints,
            prompts=(AskedPrompt(text=ASK.prompts[0].text, edits=(Edit(start=0, end=3),)),),
        ),
    ]
    assert len({id_of(each) for each in [ASK, *different]}) == 5


@pytest.mark.parametrize(
    "what", [ASK, Analyze(checkpoints=("a",)), Retry(), Cancel(request=id_of(ASK))], ids=lambda what: what.kind
)
def test_every_kind_is_read_as_it_was_filed(what: Any) -> None:
    request = Request(session="s", filed_at=1.5, what=what)
    assert parse_request(request.model_dump_json().encode()) == request


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ({"text": ""}, "The prompt is empty; write"),
        ({"text": " \n\t "}, "The prompt is empty; write"),
        ({"text": "a" * 100_000}, "The prompt has 100,000 characters; at most 20,000 can be asked"),
        ({"text": "a", "twin": "b" * (MAX_TEXT + 1)}, "The twin has 20,001 characters"),
        ({"text": "a", "response": "\x00"}, "The response holds the control character U+0000 at character 1"),
        ({"text": "do \u202eevil"}, "The prompt holds the mark of writing direction U+202E at character 4"),
        ({"text": "\x1b[31m"}, "The prompt holds the control character U+001B at character 1; take it out."),
        ({"text": "a\ud800"}, "The prompt holds the half of a character U+D800 at character 2"),
        ({"text": "a", "twin": "a"}, "The twin is the prompt itself"),
        ({"text": "abc", "edits": [{"start": 1, "end": 9}]}, "An edit lies behind the end of the prompt"),
        ({"text": "abc", "edits": [{"start": 2, "end": 2}]}, "An edit ends before it begins"),
        (
            {"text": "abc", "edits": [{"start": 0, "end": 1}] * 17},
            "17 edits are too many for one request; at most 16.",
        ),
    ],
)
def test_what_no_judge_is_asked_is_one_sentence(prompt: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as told:
        checked(Ask, checkpoints=["checkpoint-10"], prompts=[prompt])
    sentence = str(told.value)
    assert says in sentence and sentence.endswith(".") and "\n" not in sentence
    assert "\u202e" not in sentence and "\x1b" not in sentence


def test_html_markdown_and_other_scripts_may_be_asked() -> None:
    texts = ["<script>alert(1)</script>", "![x](http://e.com/x.png)", "如何烤面包", "خبز", "line\none\ttwo", "😀"]
    for text in texts:
        assert checked(Ask, checkpoints=["c"], prompts=[{"text": text}]).prompts[0].text == text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema_version": 2}, "newer Midwatch (version 2, this one reads 1)"),
        ({"schema_version": 10**400}, "newer Midwatch (version 1000000"),
        ({"schema_version": "1"}, "'schema_version'"),
        ({"command": "rm -rf /"}, "It holds 'command', which no request has."),
        ({"session": "../../etc"}, "A session is at most 64"),
        ({"filed_at": "now"}, "'filed_at'"),
        ({"what": {"kind": "run", "code": "x"}}, "'what'"),
        ({"what": {"kind": "ask", "checkpoints": ["checkpoint-10"]}}, "It lacks 'what.ask.prompts'."),
        ({"what": {"kind": "ask", "checkpoints": ["../x"], "prompts": [{"text": "a"}]}}, "no checkpoint's name"),
        ({"what": {"kind": "ask", "checkpoints": [], "prompts": [{"text": "a"}]}}, "name at least one"),
        ({"what": {"kind": "ask", "checkpoints": ["c"], "prompts": []}}, "give at least one"),
        ({"what": {"kind": "analyze", "checkpoints": ["c"], "probes": "/etc/passwd"}}, "named by its SHA-256"),
        ({"what": {"kind": "analyze", "checkpoints": ["c"], "force": "yes"}}, "'what.analyze.force'"),
        ({"what": {"kind": "cancel", "request": "cancel-" + "0" * 20}}, "no request that can be cancelled"),
    ],
)
def test_what_is_no_request_is_refused_with_why(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestRefused) as told:
        parse_request(json.dumps(as_filed(**changes)).encode())
    assert says in str(told.value) and "\n" not in str(told.value)
    assert "pydantic" not in str(told.value) and "Value error" not in str(told.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"9" * 9999, b"null", b'{"what": NaN}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(RequestRefused):
        parse_request(data)

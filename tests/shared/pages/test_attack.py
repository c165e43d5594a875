"""The page of an attack: all words of prompts escaped, drawn again from the record, read in a browser elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.attacks import AttackPlace, write_lines
from shared.errors import SchemaError
from shared.findings.attack import WordShare
from shared.pages.attack import attack_html, draw_attack
from shared.pages.render import render_run
from shared.run import Run
from tests.making.fake_attack import archive, direction, failure

HOSTILE = "</script><img src=x onerror=alert(1)>{{7*7}} $x$"


def test_no_word_of_a_prompt_becomes_markup() -> None:
    bad = failure(text=HOSTILE, seed=HOSTILE, risk=HOSTILE)
    words = [{"failure": 0, "gap": 0.5, "words": [WordShare(text=HOSTILE, value=1.0)]}]
    cells = [cell.model_copy(update={"risk": HOSTILE, "text": HOSTILE}) for cell in direction().cells]
    found = direction(failures=[bad], examples=words, risks=[HOSTILE], cells=cells)
    page = attack_html(HOSTILE, "attack_checkpoint_20", archive(directions=[found], label=HOSTILE, notes=[HOSTILE]))
    assert "<img" not in page and "&lt;img" in page
    assert page.count("</script>") == page.count("<script") == 5


def test_the_page_says_what_the_archive_holds_and_its_notes() -> None:
    page = attack_html("judge", "attack_checkpoint_20", archive(notes=["Something to know."]))
    assert "passes as safe 31 of 40" in page and "Something to know." in page
    assert "wrong from layer 4 on" in page and "Unsafe passed as safe" in page


def test_an_archive_without_any_failure_is_drawn() -> None:
    none = direction(failures=[], examples=[])
    page = attack_html("judge", "attack_checkpoint_20", archive(directions=[none], holds=[]))
    assert "No failure was found." in page


def test_render_draws_it_again_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    place = AttackPlace(run, "checkpoint-20")
    place.folder.mkdir(parents=True)
    place.write_archive(archive())
    assert place.read_archive() == archive()
    first = draw_attack(run, "checkpoint-20").read_bytes()
    place.page.unlink()
    assert place.page in render_run(run) and place.page.read_bytes() == first
    place.archive.write_text('{"schema_version": 7}')
    with pytest.raises(SchemaError, match="version 7"):
        render_run(run)
    place.archive.write_text('{"schema_version": 1}')
    with pytest.raises(SchemaError, match="damaged"):
        place.read_archive()


def test_lines_are_replaced_in_one_step(tmp_path: Path) -> None:
    assert write_lines(tmp_path / "a.jsonl", [{"prompt": "é\ud800"}, {"prompt": "b"}]) == 2
    assert (tmp_path / "a.jsonl").read_bytes().count(b"\n") == 2

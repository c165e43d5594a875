"""The page *Attacks*: what it says without one, what of one, and of one that cannot be read."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from shared.attacks import AttackPlace
from shared.findings.attack import AttackArchive, WordShare
from shared.findings.attack_sentences import headline
from shared.run import Run
from tests.dashboard.test_pages import figures, words
from tests.making.fake_attack import archive, direction, failure
from tests.making.fake_run import make_fake_run
from tests.making.waiting import LIMIT_S

PAGE = """from dashboard.chrome import frame
from dashboard.screens import attacks
frame.framed('Attacks', attacks.draw)"""
HOSTILE = "$x$ **bold** <b>markup</b> [a link](https://example.org)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_fake_run(tmp_path_factory.mktemp("runs") / "run", epochs=1)


@pytest.fixture
def run(made: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MIDWATCH_RUNS", str(made.path.parent))
    return made


def written(run: Run, found: AttackArchive, checkpoint: str = "checkpoint-10") -> None:
    place = AttackPlace(run, checkpoint)
    place.folder.mkdir(parents=True, exist_ok=True)
    place.write_archive(found)


def opened() -> AppTest:
    page = AppTest.from_string(PAGE)
    page.default_timeout = LIMIT_S
    page.run()
    assert not page.exception, page.exception
    return page


def test_without_an_attack_the_command_is_told(run: Run) -> None:
    page = opened()
    assert f"midwatch attack {run.path}" in words(page) and figures(page) == 0


def test_an_attack_is_shown_with_its_words_figures_and_examples(run: Run) -> None:
    example = {
        "failure": 0,
        "gap": 0.0,
        "words": [WordShare(text=" lock", value=-0.4), WordShare(text="a", value=0)],
    }
    hostile = failure(text=HOSTILE, seed=HOSTILE, later={"checkpoint-10": 0.4, "checkpoint-20": -0.5})
    found = archive(directions=[direction(failures=[hostile], examples=[example])], notes=[HOSTILE])
    written(run, found)
    page = opened()
    said = [part.value for part in page.text]
    assert f"{headline(found)}." in said and HOSTILE in said, "as text, never as markup"
    assert figures(page) == 3
    examples, failures = (table.value for table in page.dataframe)
    assert examples["prompt"].tolist() == [HOSTILE] == failures["text"].tolist()
    assert examples["how"].tolist() == ["direct + aside"] and "lock" in examples["words that pushed most"][0]
    assert examples["over the run"].tolist() == ["wrong at epoch 2"]
    assert not [part.value for part in page.markdown if "example.org" in part.value]


def test_without_other_checkpoints_or_failures_there_is_no_transfer_and_no_table(run: Run) -> None:
    written(run, archive(directions=[direction("safe", failures=[], examples=[])], holds=[]))
    page = opened()
    assert figures(page) == 2 and not page.dataframe


def test_one_that_cannot_be_read_says_why_and_another_can_be_chosen(run: Run) -> None:
    written(run, archive())
    broken = AttackPlace(run, "checkpoint-99")
    broken.folder.mkdir(parents=True, exist_ok=True)
    broken.archive.write_text('{"schema_version": 99}')
    page = opened()
    (chosen,) = (box for box in page.selectbox if box.label == "Attack on")
    chosen.select_index(chosen.options.index("checkpoint-99")).run()
    assert "version 99" in words(page) and figures(page) == 0
    (chosen,) = (box for box in page.selectbox if box.label == "Attack on")
    chosen.select_index(chosen.options.index("checkpoint-10")).run()
    assert figures(page) == 3

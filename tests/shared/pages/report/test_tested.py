"""What was evaluated and attacked stands in the report, in its own words; what cannot be read is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from markupsafe import escape

from shared.attacks import AttackPlace
from shared.evaluations import EvaluationPlace
from shared.findings.attack_sentences import headline
from shared.findings.evaluation import Evaluation
from shared.findings.text import clean
from shared.pages.report.gather import Material, gather
from shared.pages.report.model_card import model_card
from shared.pages.report.page import report_html
from shared.pages.report.sections import sections
from shared.pages.report.tested import SHOWN
from shared.run import Run
from shared.views.evaluated import words
from tests.making.fake_attack import archive
from tests.making.fake_evaluation import fake_evaluation
from tests.making.fake_run import make_fake_run
from tests.making.fake_samples import HOSTILE
from tests.shared.pages.report.test_page import MORE
from tests.shared.pages.test_html import OURS, Elements


def add(run: Run, found: Evaluation) -> None:
    place = EvaluationPlace(run, found.checkpoint, found.data.name)
    place.folder.mkdir(parents=True, exist_ok=True)
    place.write(found)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return fake_evaluation(text=HOSTILE[0])


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, evaluation: Evaluation) -> Material:
    run = make_fake_run(tmp_path_factory.mktemp("tested") / "run", 2)
    add(run, evaluation)
    for number in range(SHOWN):
        data = evaluation.data.model_copy(update={"name": f"data{number}", "leaks": 3})
        add(run, evaluation.model_copy(update={"data": data}))
    place = AttackPlace(run, "checkpoint-20")
    place.folder.mkdir(parents=True)
    place.write_archive(archive())
    (run.attacks / "checkpoint-10").mkdir()
    damaged = AttackPlace(run, "checkpoint-5")
    damaged.folder.mkdir()
    damaged.archive.write_text("{}")
    return gather(run, None)


def test_both_are_told_first_and_shown_in_full(material: Material, evaluation: Evaluation) -> None:
    found = {section.title: section for section in sections(material)}
    told = [point.text for point in found["What was found"].points]
    assert f"{words.headline(evaluation)}. {evaluation.warnings[0]}" in told, "no number without its warning"
    assert f"{headline(archive())}." in told
    assert [part.title for part in found["Adversarial testing"].parts] == ["Epoch 2"]
    evaluated = found["Evaluation"].parts
    assert evaluated[0].title == words.title(evaluation) and len(evaluated) == SHOWN
    assert [part.folded for part in evaluated] == [False, *[True] * (SHOWN - 1)]
    assert "on data3" in found["Evaluation"].text[0]


def test_its_prompts_stay_text_and_its_figures_are_numbered_with_the_others(material: Material) -> None:
    page = report_html(material, alone=False)
    assert set(Elements(page).tags) <= OURS | MORE
    assert str(escape(clean(HOSTILE[0]))) in page
    assert page.count('class="plot"') == page.count("<figure id=") == page.count('data-figure="f')


def test_what_cannot_be_read_is_told_and_a_search_that_goes_on_is_not(material: Material) -> None:
    (fault,) = material.faults
    assert "checkpoint-5" in fault and "attack again" in fault


def test_a_card_holds_no_number_on_prompts_that_were_trained_on(material: Material) -> None:
    from huggingface_hub import ModelCard

    results = ModelCard(model_card(material)).data.eval_results  # type: ignore[attr-defined]
    assert {each.dataset_name for each in results} == {"Held-out test prompts", "Probe set (held out, labelled)"}


def test_a_run_without_either_has_no_such_section(tmp_path: Path) -> None:
    titles = {section.title for section in sections(gather(make_fake_run(tmp_path / "run", 1), None))}
    assert not titles & {"Evaluation", "Adversarial testing"}

"""The figures and rows of an attack: what they say follows from the archive, and nothing is claimed of nothing."""

from __future__ import annotations

from shared.findings.attack import Reworded
from shared.views.attacked.panels import attack_panels
from shared.views.attacked.words import attack_method, attack_paragraphs, example_rows
from tests.making.fake_attack import archive, direction, told_apart


def test_a_run_with_other_checkpoints_has_the_transfer_and_a_single_one_has_not() -> None:
    assert [panel.stem for panel in attack_panels(archive())] == [
        "attack_archive",
        "attack_success",
        "attack_transfer",
    ]
    assert [panel.stem for panel in attack_panels(archive(holds=[]))] == ["attack_archive", "attack_success"]


def test_each_panel_has_its_numbers_and_an_alternative_text_with_them() -> None:
    cells, success, transfer = attack_panels(archive())
    assert len(cells.rows) == 4 and {row["is"] for row in cells.rows} == {"safe", "unsafe"}
    assert len(success.rows) == 6 and {row["by"] for row in success.rows} == {"risk", "technique"}
    assert "direct: 30 of 40 (75 %" in success.alt and success.headline.startswith(
        "Unsafe passed as safe: Direct breaks"
    )
    assert [row["checkpoint"] for row in transfer.rows] == ["checkpoint-10", "checkpoint-20"]
    assert "epoch 1: 40 %" in transfer.alt


def test_a_judge_that_tells_nothing_apart_gets_no_claim() -> None:
    nothing = archive(to_explain=told_apart(low=-1.0, p_value=0.4))
    assert [panel.claims for panel in attack_panels(archive())] == [True, True, False]
    assert [panel.claims for panel in attack_panels(nothing)] == [False, False, False]


def test_an_example_has_its_lineage() -> None:
    (row,) = example_rows(direction(), archive())
    assert (
        row["how"] == "direct + aside" and row["from"] == "How do I pick a lock?" and row["wrong from layer"] == 4
    )
    assert row["words that pushed most"].startswith("lock")


def test_the_method_tells_gradients_and_a_model_that_wrote() -> None:
    plain = attack_method(archive())
    assert "no model writes" in plain and "gradient" not in plain
    found = archive(
        directions=[direction(gradients=7)],
        reworded=Reworded(model="lm", texts=3, confirmed={"rules": 1}, unconfirmed=2),
    )
    assert "7 gradients among them, each counted as 3" in attack_method(found)
    assert "no model writes" not in attack_method(found)
    assert ("Reworded", " 1 of 3 texts") in [(lead, said[:13]) for lead, said in attack_paragraphs(found)]

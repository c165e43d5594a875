"""The model card: what the Hub's own reader makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shared.files import read_record, write_record
from shared.pages.report.gather import Material, gather
from shared.pages.report.model_card import CARD_MARK, model_card
from shared.records import RunRecord
from tests.making.fake_run import make_fake_run


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    run = make_fake_run(tmp_path_factory.mktemp("card") / "a: [run] <img src=x>", 2, advanced=True)
    record = read_record(run.record, RunRecord)
    write_record(run.record, record.model_copy(update={"model": "sentence-transformers/all-MiniLM-L6-v2"}))
    return gather(run, None)


def test_the_hub_reads_its_metrics(material: Material) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(model_card(material))
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"  # type: ignore[attr-defined]
    found = {each.metric_type: each for each in card.data.eval_results}  # type: ignore[attr-defined]
    fnr = material.newest.records["progress"].payload["probe"]["fnr"]
    assert found["false_negative_rate"].metric_value == pytest.approx(fnr["value"], abs=5e-5)
    assert found["false_negative_rate"].metric_args["interval_95"] == pytest.approx(
        [fnr["low"], fnr["high"]], abs=5e-5
    )
    assert "false_positive_rate" in found and found["accuracy"].dataset_split == "probes"


def test_text_is_text_in_yaml_and_in_markdown(material: Material) -> None:
    text = model_card(material)
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["model-index"][0]["name"] == "a: [run] <img src=x>"
    assert body.startswith(CARD_MARK) and "<img" not in body.removeprefix(CARD_MARK)
    assert "\\[" in body and "| Accuracy |" in body


def test_a_base_model_that_is_a_path_is_not_told(material: Material, tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "run", 1)
    record = read_record(run.record, RunRecord)
    for model in ("/home/me/models/mine", "./mine", "minilm", "a/b/c"):
        write_record(run.record, record.model_copy(update={"model": model}))
        assert "base_model" not in model_card(gather(run, None)), model

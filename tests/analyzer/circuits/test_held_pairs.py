"""What the sentence about the demo's circuit rests on: every aligned pair, none of them trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from analyzer.analyses.circuits import CircuitsSettings
from analyzer.model.batches import encode, fits
from shared.prompts.twins import twin_of
from tests.bench._judge import minilm
from trainer.data import prepare_data
from trainer.settings import TrainSettings


def test_the_demo_runs_its_circuits_on_a_hundred_held_pairs_and_more(tmp_path: Path) -> None:
    """As `midwatch demo` chooses them from the shipped prompts, with its model's tokenizer."""
    folder = minilm()
    if folder is None:
        pytest.skip("The demo's model is not installed.")
    settings, data = CircuitsSettings(), prepare_data(TrainSettings(output_dir=tmp_path))
    probes = [*data.probes, *data.pairs]
    encoded = encode(AutoTokenizer.from_pretrained(folder), [each.text for each in probes], 128)
    twins = twin_of(probes)
    aligned = sum(fits(encoded[one], encoded[other]) for one, other in twins.items()) // 2
    assert aligned >= 100 and 2 * min(aligned, settings.pairs) <= settings.curve_prompts
    trained = {prompt.pair for prompt in data.train} - {None}
    assert not {probes[one].pair for one in twins} & trained

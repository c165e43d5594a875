"""The program in docs/classifiers.md, as it stands: a reward head of its own becomes a judge that scores alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from analyzer.model.hooked_pass import forward_pass
from analyzer.model.loading import load_judge
from shared.judge_labels import Word
from tests.making.heads import record_of
from tests.making.judges import random_probes
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

DOCUMENT = (Path(__file__).parents[1] / "docs" / "classifiers.md").read_text(encoding="utf-8")
BIAS = 0.375


def reward_adapter(path: Path, base: Path) -> Any:
    """What LLaMA-Factory leaves of a reward model under LoRA; returns the model of which it is."""
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(path)
    tiny_tokenizer("llama").save_pretrained(path)
    head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.tensor([BIAS])}
    save_file(head, path / "value_head.safetensors")
    (path / "trainer_state.json").write_text('{"global_step": 10}')
    return model.eval(), head


def test_the_program_makes_a_judge_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny_judge(Path("models/base"), "llama", causal=True, initializer_range=0.3)
    model, head = reward_adapter(Path("saves/reward/checkpoint-10"), Path("models/base"))
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(program, "docs/classifiers.md", "exec"), {})  # noqa: S102 (our own document)
    said = re.search(r"--higher-is safe --threshold (\S+)", capsys.readouterr().out)
    assert said is not None and float(said[1]) == -BIAS
    checkpoint = Path("runs/reward/checkpoint-10")
    record = record_of(checkpoint, Word(higher_is="safe", threshold=float(said[1])))
    probes = random_probes(3)
    found = forward_pass(load_judge(checkpoint, record), probes).scores
    for probe, score in zip(probes, found, strict=True):
        ids = tiny_tokenizer("llama")([probe.text], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            last = model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
        reward = float(head["v_head.summary.weight"][0] @ last) + BIAS
        assert np.isclose(score, -reward, atol=1e-5)

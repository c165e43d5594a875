"""Quantised checkpoints: dequantised where that can be done, else refused in one sentence."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedConfig

from analyzer.model import quantised
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.loading import load_judge
from shared.errors import JudgeError
from shared.records import JudgeRecord
from tests.making.judges import random_probes
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

PROMPTED = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, max_length=40)


def told_quantised(tmp_path: Path, **config: Any) -> Path:
    """A checkpoint whose config says that it is quantised."""
    path = save_tiny_judge(tmp_path / "checkpoint-10", "llama", causal=True)
    saved = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(saved | {"quantization_config": config}))
    return path


def test_the_older_name_of_the_field_is_known_too() -> None:
    """transformers reads only the newer one, and would take packed weights for plain ones."""
    config = PreTrainedConfig(compression_config={"quant_method": "fp8"})
    assert quantised.prepare(config, "checkpoint-10") == "fp8"
    assert config.quantization_config == {"quant_method": "fp8", "dequantize": True}
    with pytest.raises(JudgeError, match="quantised with sparseml, which cannot be turned back"):
        quantised.prepare(PreTrainedConfig(compression_config={"quant_method": "sparseml"}), "checkpoint-10")


@pytest.mark.parametrize("method", ["gptq", "awq", "no_such_method"])
def test_what_cannot_be_turned_back_is_refused(tmp_path: Path, method: str) -> None:
    path = told_quantised(tmp_path, quant_method=method, bits=4)
    with pytest.raises(JudgeError, match=rf"quantised with {method}.* analyse the model it was made from"):
        load_judge(path, PROMPTED)


@pytest.mark.parametrize(
    ("config", "package"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"load_in_8bit": True}, "bitsandbytes"),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors"),
    ],
)
def test_a_missing_package_is_named(
    tmp_path: Path, config: dict[str, Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "find_spec", lambda _name: None)
    with pytest.raises(JudgeError, match=f"pip install {package}"):
        load_judge(told_quantised(tmp_path, **config), PROMPTED)


@pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes not installed: pip install bitsandbytes"
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes_is_dequantised(tmp_path: Path, bits: int) -> None:
    base = save_tiny_judge(tmp_path / "base", "llama", causal=True, initializer_range=0.3)
    config = BitsAndBytesConfig(load_in_4bit=bits == 4, load_in_8bit=bits == 8)
    path = tmp_path / "checkpoint-10"
    small: Any = AutoModelForCausalLM.from_pretrained(base, quantization_config=config, dtype=torch.float32)
    small.save_pretrained(path)
    tiny_tokenizer("llama").save_pretrained(path)
    judge = load_judge(path, PROMPTED)
    assert judge.quantised.startswith("bitsandbytes") and "dequantised" in judge.warnings[0]
    assert judge.anatomy.wiring is not None and not judge.anatomy.notes
    whole = small.dequantize(dtype=torch.float32)
    whole.save_pretrained(tmp_path / "whole")
    tiny_tokenizer("llama").save_pretrained(tmp_path / "whole")
    probes = random_probes(4)
    ours, wanted = (forward_pass(each, probes).scores for each in (judge, load_judge(tmp_path / "whole", PROMPTED)))
    assert np.allclose(ours, wanted, atol=1e-5)
    plain = forward_pass(load_judge(base, PROMPTED), probes).scores
    assert np.abs(ours - plain).max() > 1e-4, "quantising changes something"


def test_fp8_is_dequantised_as_it_loads(tmp_path: Path) -> None:
    sizes = {"hidden_size": 128, "intermediate_size": 256, "initializer_range": 0.3}
    path = save_tiny_judge(tmp_path / "checkpoint-10", "llama", causal=True, **sizes)
    plain, small = load_file(path / "model.safetensors"), {}
    for name, weight in plain.items():
        if "proj" not in name:
            small[name] = weight
            continue
        scale = weight.abs().max() / torch.finfo(torch.float8_e4m3fn).max
        small[name] = (weight / scale).to(torch.float8_e4m3fn)
        rows, columns = weight.shape
        small[name + "_scale_inv"] = scale.expand(-(-rows // 128), -(-columns // 128)).contiguous()
    save_file(small, path / "model.safetensors", {"format": "pt"})
    saved = json.loads((path / "config.json").read_text())
    told = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    (path / "config.json").write_text(json.dumps(saved | {"quantization_config": told}))
    judge = load_judge(path, PROMPTED)
    assert judge.quantised == "fp8" and judge.anatomy.wiring is not None and not judge.anatomy.notes
    name = "model.layers.0.mlp.down_proj.weight"
    ours, scale = judge.model.get_parameter(name), plain[name].abs().max() / 448
    wanted = (plain[name] / scale).to(torch.float8_e4m3fn).float() * scale
    assert torch.allclose(ours, wanted, atol=1e-6) and not torch.allclose(ours, plain[name], atol=1e-3)

"""A saved judge with other tensors or another config, and what it scores."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import Judge
from tests.making.judges import probe

PROBES = [probe("how do i bake bread ?"), probe("kill"), probe("how do i make a bomb in my home ?", "unsafe")]


def edit_tensors(checkpoint: Path, **changes: torch.Tensor | None) -> None:
    """Replace tensors by name ("__" for "."); None drops one."""
    path = checkpoint / "model.safetensors"
    tensors = load_file(path)
    for name, value in changes.items():
        tensors.pop(name.replace("__", "."), None)
        if value is not None:
            tensors[name.replace("__", ".")] = value
    save_file(tensors, path, metadata={"format": "pt"})


def edit_config(checkpoint: Path, **changes: object) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def scores(judge: Judge) -> list[float]:
    return forward_pass(judge, PROBES).scores.tolist()

"""Models of a training that no Hugging Face Trainer wrote, in the layouts of own loops, accelerate and others."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.making.runs import make_old


def own_loop(run: Path, names: list[str], template: Path, *, age_s: float = 3600.0) -> Path:
    """One directory a name, as `save_pretrained` of model and tokenizer leaves it; `template` is a judge's."""
    run.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = shutil.copytree(template, run / name)
        if age_s:
            make_old(path, age_s)
    return run


def in_hub_cache(cache: Path, template: Path) -> Path:
    """A snapshot of the Hub's cache: links into the model's own blobs."""
    model = cache / "models--org--judge"
    snapshot = model / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (model / "blobs").mkdir()
    for number, file in enumerate(sorted(template.iterdir())):
        shutil.copy2(file, model / "blobs" / f"{number:064x}")
        (snapshot / file.name).symlink_to(f"../../blobs/{number:064x}")
    make_old(model / "blobs")
    return snapshot
